// Where on the data's way: inside the shard; what a fetch was lent does not change, and is what the last
// push left.
#include "server/shard/segment.h"

#include <memory>
#include <numeric>
#include <vector>

#include "common/random.h"
#include "common/tensor/bfloat16.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/shard/lendable_elements.h"
#include "tests/testing/integer_shard.h"

namespace downpour {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

TEST(LendableElements, AreCopiedWhenWrittenOnlyWhileLent) {
  LendableElements<float> elements(3, std::make_shared<SpareVectors<float>>());
  const absl::Span<float> writable = elements.Writable();
  std::iota(writable.begin(), writable.end(), 1.f);
  const float* const first_memory = elements.Get().data();
  elements.Writable()[0] = 4;
  EXPECT_EQ(elements.Get().data(), first_memory);

  std::shared_ptr<const float> loan = elements.Lend(), again = elements.Lend();
  EXPECT_EQ(loan.get(), first_memory);
  loan.reset();
  elements.Writable()[1] = 5;
  EXPECT_THAT(elements.Get(), ElementsAre(4, 5, 3));
  EXPECT_THAT(absl::MakeConstSpan(again.get(), 3), ElementsAre(4, 2, 3));

  const float* const second_memory = elements.Get().data();
  EXPECT_NE(second_memory, first_memory);
  elements.Lend().reset();
  elements.Writable()[2] = 6;
  EXPECT_EQ(elements.Get().data(), second_memory);
  EXPECT_THAT(absl::MakeConstSpan(again.get(), 3), ElementsAre(4, 2, 3));
}

TEST(LendableElements, UseTheMemoryOfEndedLoansAgain) {
  const auto spare = std::make_shared<SpareVectors<float>>();
  LendableElements<float> elements(1000, spare), others(1000, spare);
  const float* const first_memory = elements.Get().data();
  std::shared_ptr<const float> loan = elements.Lend(), other_loan = others.Lend();
  elements.Writable();
  loan.reset();
  others.Writable()[999] = 7;
  EXPECT_EQ(others.Get().data(), first_memory);
  EXPECT_EQ(others.Get().size(), 1000);
}

TEST(LendableElements, MayGoBeforeTheirLoans) {
  std::shared_ptr<const float> loan;
  {
    LendableElements<float> elements(2, std::make_shared<SpareVectors<float>>());
    for (float& element : elements.Writable()) element = 5;
    loan = elements.Lend();
  }
  EXPECT_THAT(absl::MakeConstSpan(loan.get(), 2), Each(5));
}

// Two blocks of steps and some.
class SegmentTest : public ::testing::Test {
 protected:
  static constexpr int64_t kBegin = 70, kSize = 2 * 4096 + 321;
  static constexpr KeyRange kRange{kBegin, kBegin + kSize};

  SegmentTest() {
    OptimizerDescription description;
    description.set_kind(OptimizerDescription::ADADELTA);
    description.set_rho(0.9f);
    description.set_epsilon(1e-2f);
    optimizer_ = *Optimizer::Create(description);
    segment_ =
        std::make_unique<Segment>(kBegin, RandomNumbers(), optimizer_->state_names().size(), SegmentMemory());
  }
  std::vector<float> RandomNumbers() {
    std::vector<float> numbers(kSize);
    for (float& number : numbers) number = static_cast<float>(random_.Normal());
    return numbers;
  }
  void Step(KeyRange keys) {
    const std::vector<float> gradient = RandomNumbers();
    absl::MutexLock lock(&segment_->mutex());
    segment_->Step(*optimizer_, UpdateStep(), keys.begin, TensorView(gradient)[{0, keys.size()}]);
  }
  LentParameters Lend(KeyRange keys, bool bfloat16) {
    absl::MutexLock lock(&segment_->mutex());
    return segment_->Lend(keys, bfloat16);
  }
  std::vector<float> Parameters() {
    absl::MutexLock lock(&segment_->mutex());
    return {segment_->parameters().begin(), segment_->parameters().end()};
  }
  std::vector<uint16_t> Rounded() {
    std::vector<uint16_t> rounded;
    for (const float parameter : Parameters()) rounded.push_back(ToBfloat16(parameter));
    return rounded;
  }

  Random random_{1};
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Segment> segment_;
};

TEST_F(SegmentTest, ALoanStaysAsItWasWhileStepsGoOn) {
  const std::vector<float> before = Parameters();
  const std::vector<uint16_t> rounded_before = Rounded();
  const LentParameters floats = Lend(kRange, false), bfloats = Lend(kRange, true);
  Step(kRange);
  Step({kBegin + 5, kBegin + 4200});
  EXPECT_NE(Parameters(), before);
  EXPECT_THAT(floats.parameters.floats(), ElementsAreArray(before));
  EXPECT_THAT(bfloats.parameters.bfloats(), ElementsAreArray(rounded_before));
}

// Whether a step rounds what it writes or the next loan does: the same bits, of part of the segment as well.
TEST_F(SegmentTest, ALoanIsWhatTheLastStepLeft) {
  for (int steps_between_loans : {0, 1, 1, 2, 1, 3, 0, 1}) {
    for (int step = 0; step < steps_between_loans; ++step) {
      Step({kBegin + 100, kBegin + 4500});
      EXPECT_THAT(Lend(kRange, false).parameters.floats(), ElementsAreArray(Parameters()));
    }
    EXPECT_THAT(Lend(kRange, true).parameters.bfloats(), ElementsAreArray(Rounded()));
    const std::vector<uint16_t> rounded = Rounded();
    EXPECT_THAT(Lend({kBegin + 4000, kBegin + 4100}, true).parameters.bfloats(),
                ElementsAreArray(absl::MakeConstSpan(rounded).subspan(4000, 100)));
  }
}

TEST(ParameterShardLend, ComesInSegmentsAndRefusesForeignKeys) {
  constexpr int64_t kSegment = ParameterShard::kSegmentElements;
  const auto shard = IntegerShard(2 * kSegment + 10);
  ASSERT_TRUE(shard->ApplyChunk({1, 1, 1, 0}, 1000, std::vector<float>(kSegment, -3.f)).ok());
  const KeyRange keys{1000 + kSegment - 7, 1000 + 2 * kSegment + 10};
  for (const bool bfloat16 : {false, true}) {
    const auto lent = shard->Lend(keys, bfloat16);
    ASSERT_TRUE(lent.ok()) << lent.status();
    ASSERT_EQ(lent->size(), 3);
    EXPECT_EQ((*lent)[0].parameters.size(), 7);
    EXPECT_EQ((*lent)[1].parameters.size(), kSegment);
    EXPECT_EQ((*lent)[2].parameters.size(), 10);
    if (bfloat16) {
      EXPECT_THAT((*lent)[0].parameters.bfloats(), Each(ToBfloat16(3)));
      EXPECT_THAT((*lent)[2].parameters.bfloats(), Each(0));
    } else {
      EXPECT_THAT((*lent)[0].parameters.floats(), Each(3));
      EXPECT_THAT((*lent)[2].parameters.floats(), Each(0));
    }
    const absl::Status refused = shard->Lend({999, 1001}, bfloat16).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kOutOfRange);
    EXPECT_THAT(refused.message(), HasSubstr("keys [999, 1001) to read"));
  }
}

}  // namespace
}  // namespace downpour
