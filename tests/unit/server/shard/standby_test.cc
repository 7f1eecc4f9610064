// Where on the data's way: the shard; its standby has the same bits, whatever is pushed in whatever order.
#include <google/protobuf/util/message_differencer.h>

#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/program/update_rules.h"
#include "common/random.h"
#include "common/tensor/bfloat16.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/shard/followed_shard.h"
#include "server/shard/shard_feed.h"

namespace downpour {
namespace {

constexpr KeyRange kRange{1000, 1900};
constexpr uint64_t kFollower = 7;
constexpr int kReplicas = 6;

ParameterShard::Options OptionsWith(OptimizerDescription::Kind kind) {
  ParameterShard::Options options;
  options.layout = *ParameterLayout::Create({{"weights", {kRange.end}}});
  options.run = {"run", options.layout.fingerprint()};
  options.range = kRange;
  options.optimizer.set_kind(kind);
  options.optimizer.set_staleness_exponent(0.5);
  options.optimizer.set_curvature_every(3);
  options.optimizer.mutable_schedule()->set_kind(ScheduleDescription::EXPONENTIAL);
  options.optimizer.mutable_schedule()->set_updates(5000);
  options.warm_start.set_updates(40);
  options.warm_start.mutable_optimizer()->set_kind(OptimizerDescription::SGD);
  options.segment_elements = 128;  // eight, the last of them short
  return options;
}

// Pushes of one replica after the other: whole, in odd chunks, in segments, broken off, not finite.
class Pusher {
 public:
  Pusher(uint64_t replica, const OptimizerDescription& optimizer, ParameterShard* shard)
      : replica_(replica), optimizer_(optimizer), shard_(shard), random_(replica) {}

  void PushOnce() {
    const PushHeader header{replica_, 1, ++sequence_, static_cast<uint64_t>(random_.Uniform() * 50)};
    std::vector<std::vector<float>> planes(PlanesOfPush(optimizer_, sequence_),
                                           std::vector<float>(kRange.size()));
    std::vector<float>& gradient = planes[0];
    for (float& element : gradient) element = static_cast<float>(random_.Uniform() - 0.5);
    for (size_t plane = 1; plane < planes.size(); ++plane) {
      for (float& element : planes[plane]) element = static_cast<float>(random_.Uniform());
    }
    const double kind = random_.Uniform();
    if (kind < 0.05) gradient[static_cast<size_t>(random_.Uniform() * kRange.size())] = NAN;
    const int64_t stop = kind > 0.9 ? static_cast<int64_t>(random_.Uniform() * kRange.size()) : kRange.size();
    if (kind < 0.4) return PushSegments(header, planes, stop);
    PushPlanes floats(gradient);
    std::vector<uint16_t> rounded(gradient.size());
    ToBfloat16(gradient, absl::MakeSpan(rounded));
    PushPlanes bfloats(TensorView(absl::MakeConstSpan(rounded)));
    for (size_t plane = 1; plane < planes.size(); ++plane) {
      floats.Add(planes[plane]);
      bfloats.Add(planes[plane]);
    }
    PushChunks(header, kind < 0.7 ? floats : bfloats, stop);
  }

 private:
  void PushChunks(const PushHeader& header, const PushPlanes& planes, int64_t stop) {
    for (int64_t begin = 0, end; begin < stop; begin = end) {
      end = std::min(stop, begin + 1 + static_cast<int64_t>(random_.Uniform() * 300));
      if (!shard_->ApplyChunk(header, kRange.begin + begin, planes.Part({begin, end})).ok()) return;
    }
  }
  void PushSegments(const PushHeader& header, const std::vector<std::vector<float>>& planes, int64_t stop) {
    const auto read = [&](size_t plane, int64_t begin, absl::Span<float> copy) {
      std::copy_n(&planes[plane][begin - kRange.begin], copy.size(), copy.begin());
    };
    const ParallelFor with_threads = [](int64_t n, const std::function<void(int64_t)>& f) {
      std::atomic<int64_t> next = 0;
      const auto work = [&] {
        for (int64_t i; (i = next++) < n;) f(i);
      };
      std::thread other(work);
      work();
      other.join();
    };
    const KeyRange keys{kRange.begin, kRange.begin + stop};
    shard_->ApplySegments(header, keys, planes.size(), read, with_threads).IgnoreError();
  }

  const uint64_t replica_;
  const OptimizerDescription optimizer_;
  ParameterShard* const shard_;
  Random random_;
  uint64_t sequence_ = 0;
};

class Standby : public ::testing::TestWithParam<OptimizerDescription::Kind> {};

TEST_P(Standby, HasThePrimarysBitsAfterThousandsOfPushes) {
  const ParameterShard::Options options = OptionsWith(GetParam());
  const std::shared_ptr<ParameterShard> primary =
      *ParameterShard::Create(options, std::vector<float>(kRange.size(), 0.1F));
  std::atomic<int> pushed = 0;
  constexpr int kPushes = 600;  // of each replica
  std::vector<std::thread> replicas;
  for (uint64_t replica = 1; replica <= kReplicas; ++replica) {
    replicas.emplace_back([&, replica] {
      Pusher pusher(replica, options.optimizer, primary.get());
      for (int i = 0; i < kPushes; ++i, ++pushed) pusher.PushOnce();
    });
  }
  while (pushed < kPushes) std::this_thread::yield();  // it follows in the middle of things
  primary->log().Expect(kFollower);
  const absl::StatusOr<std::unique_ptr<ShardFeed>> feed = ShardFeed::Create(primary, kFollower);
  ASSERT_TRUE(feed.ok()) << feed.status();
  FollowedShard standby(options);
  const auto follow = [&] {
    const auto message = (*feed)->Next(/*wait=*/false);
    EXPECT_TRUE(message.ok()) << message.status();
    if (!message.ok() || *message == nullptr) return false;
    const absl::Status taken = standby.Take((*message)->fields, (*message)->payload);
    EXPECT_EQ(taken, absl::OkStatus());
    if (standby.shard() != nullptr) (*feed)->Applied(standby.applied());
    return taken.ok();
  };
  while (pushed < kReplicas * kPushes && !HasFailure()) follow();
  for (std::thread& replica : replicas) replica.join();
  while (follow()) {
  }
  EXPECT_EQ(primary->log().AwaitSafe(), absl::OkStatus());

  ShardSnapshot wanted = primary->Snapshot(), seen = standby.shard()->Snapshot();
  EXPECT_GT(wanted.header.version(), kPushes);
  EXPECT_GT(wanted.header.pushes_partial(), 0);
  EXPECT_GT(wanted.header.pushes_rejected(), 0);
  wanted.header.clear_pushes_duplicate();
  seen.header.clear_pushes_duplicate();
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(seen.header, wanted.header))
      << seen.header.ShortDebugString() << "\n"
      << wanted.header.ShortDebugString();
  EXPECT_EQ(seen.parameters, wanted.parameters);
  EXPECT_EQ(seen.state, wanted.state);
}

INSTANTIATE_TEST_SUITE_P(Rules, Standby,
                         ::testing::Values(OptimizerDescription::ADADELTA, OptimizerDescription::ADAGRAD,
                                           OptimizerDescription::MOMENTUM, OptimizerDescription::SGD,
                                           OptimizerDescription::DIAGONAL_HESSIAN,
                                           OptimizerDescription::VSGD),
                         [](const auto& info) { return OptimizerDescription::Kind_Name(info.param); });

TEST(StandbyChanges, AShardThatNoMemoryCanHoldIsNotFollowed) {
  ParameterShard::Options options = OptionsWith(OptimizerDescription::ADADELTA);
  options.range = {0, int64_t{1} << 50};
  FollowedShard followed(options);
  ShardCheckpoint header;
  header.set_shard(1);
  const std::string bytes = header.SerializeAsString();
  FollowReply first;
  first.set_header_bytes(bytes.size());
  const absl::Status refused = followed.Take(first, bytes);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("the standby of shard 0"));
}

TEST(StandbyChanges, RefusesAChangeThatDoesNotFollow) {
  const ParameterShard::Options options = OptionsWith(OptimizerDescription::SGD);
  const auto standby = *ParameterShard::Create(options, std::vector<float>(kRange.size()));
  const std::vector<float> gradient(100, 1);
  ShardChange change;
  change.set_replica_id(1);
  change.set_begin(kRange.begin);
  EXPECT_TRUE(absl::IsDataLoss(standby->Follow(change, gradient))) << "no push of the replica has begun";
  ShardChange begun;
  begun.mutable_begun()->set_replica_id(1);
  begun.mutable_begun()->set_next_key(kRange.begin);
  EXPECT_TRUE(absl::IsDataLoss(standby->Follow(begun, {}))) << "sequence 0";
  begun.mutable_begun()->set_sequence(1);
  EXPECT_EQ(standby->Follow(begun, {}), absl::OkStatus());
  change.set_begin(kRange.begin + 1);
  EXPECT_TRUE(absl::IsDataLoss(standby->Follow(change, gradient))) << "a gap";
  change.set_begin(kRange.begin);
  EXPECT_TRUE(absl::IsDataLoss(standby->Follow(change, std::vector<float>(129, 1)))) << "two segments";
  EXPECT_TRUE(absl::IsDataLoss(standby->Follow(change, {}))) << "no gradient";
  change.set_planes(2);
  EXPECT_TRUE(absl::IsDataLoss(standby->Follow(change, gradient))) << "two planes";
  change.clear_planes();
  EXPECT_EQ(standby->Follow(change, gradient), absl::OkStatus());
}

}  // namespace
}  // namespace downpour
