// Where on the data's way: inside the shard; a range in pieces gets the bits of the whole.
#include <cmath>
#include <cstring>
#include <vector>

#include "common/random.h"
#include "gtest/gtest.h"
#include "server/optimizer/optimizer.h"

namespace downpour {
namespace {

constexpr size_t kElements = 1531;

struct Memory {
  std::vector<float> parameters;
  std::vector<std::vector<float>> state;
  friend bool operator==(const Memory& a, const Memory& b) {
    const auto same = [](const std::vector<float>& x, const std::vector<float>& y) {
      return std::memcmp(x.data(), y.data(), x.size() * sizeof(float)) == 0;
    };
    bool equal = same(a.parameters, b.parameters);
    for (size_t k = 0; k < a.state.size(); ++k) equal &= same(a.state[k], b.state[k]);
    return equal;
  }
};

void Apply(const Optimizer& optimizer, const UpdateStep& step, const std::vector<float>& gradient,
           size_t begin, size_t end, Memory* memory) {
  std::vector<float*> state;
  for (std::vector<float>& vector : memory->state) state.push_back(vector.data() + begin);
  optimizer.Apply(step, absl::MakeConstSpan(gradient).subspan(begin, end - begin),
                  absl::MakeSpan(memory->parameters).subspan(begin, end - begin), state);
}

class OptimizerSplit : public ::testing::TestWithParam<OptimizerDescription::Kind> {};

void ExpectPiecesGiveTheBitsOfTheWhole(const OptimizerDescription& description, const WarmStart& warm_start) {
  const auto optimizer = *Optimizer::Create(description, warm_start);
  Random random(7);
  Memory whole{std::vector<float>(kElements), {}};
  whole.state.assign(optimizer->state_names().size(), std::vector<float>(kElements));
  for (float& parameter : whole.parameters) parameter = static_cast<float>(random.Normal());
  Memory pieces = whole;
  std::vector<float> gradient(kElements);
  for (int t = 0; t < 300; ++t) {
    // All magnitudes, and exact zeros.
    for (float& g : gradient) {
      g = random.Below(8) == 0
              ? 0.f
              : static_cast<float>(random.Normal() * std::pow(10, 40 * random.Uniform() - 20));
    }
    const UpdateStep step = StepOf(description, t + 1, t % 2 == 0 ? 0 : random.Below(300));
    Apply(*optimizer, step, gradient, 0, kElements, &whole);
    for (size_t begin = 0; begin < kElements;) {
      const size_t end =
          std::min<size_t>(kElements, begin + 1 + random.Below(random.Below(4) == 0 ? 500 : 40));
      Apply(*optimizer, step, gradient, begin, end, &pieces);
      begin = end;
    }
    ASSERT_EQ(whole, pieces) << "step " << t;
  }
}

TEST_P(OptimizerSplit, PiecesGiveTheBitsOfTheWhole) {
  OptimizerDescription description;
  description.set_kind(GetParam());
  description.set_staleness_exponent(0.5);
  ExpectPiecesGiveTheBitsOfTheWhole(description, {});
}

TEST_P(OptimizerSplit, AlsoWhereTheWarmStartHasThisRule) {
  WarmStart warm_start;
  warm_start.mutable_optimizer()->set_kind(GetParam());
  warm_start.set_updates(150);
  ExpectPiecesGiveTheBitsOfTheWhole({}, warm_start);
}

INSTANTIATE_TEST_SUITE_P(Rules, OptimizerSplit,
                         ::testing::Values(OptimizerDescription::SGD, OptimizerDescription::MOMENTUM,
                                           OptimizerDescription::ADAGRAD, OptimizerDescription::WINDOWED,
                                           OptimizerDescription::ADADELTA),
                         [](const auto& info) { return OptimizerDescription::Kind_Name(info.param); });

}  // namespace
}  // namespace downpour
