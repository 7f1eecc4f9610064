// Where on the data's way: parameters at rest; shards re-cut have the same bits, go on training, and have
// each push at most once.
#include "server/shard/recut.h"

#include <bit>
#include <filesystem>
#include <numeric>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "common/layout/shard_map.h"
#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/shard/checkpointer.h"
#include "server/shard/shard_start.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kKeys = 101;

using Shards = std::vector<std::unique_ptr<ParameterShard>>;

ParameterShard::Options OptionsFor(OptimizerDescription::Kind kind, int shard, int shards) {
  ParameterShard::Options options;
  options.layout = *ParameterLayout::Create({{"weights", {10, 10}}, {"bias", {1}}});
  options.run = {"run-1", options.layout.fingerprint()};
  options.shard = static_cast<uint32_t>(shard);
  options.range = ShardMap::Create(kKeys, shards)->range(shard);
  options.optimizer.set_kind(kind);
  if (kind == OptimizerDescription::SGD) options.optimizer.set_learning_rate(1);
  return options;
}

Shards NewShards(OptimizerDescription::Kind kind, int shards) {
  Shards made;
  for (int shard = 0; shard < shards; ++shard) {
    ParameterShard::Options options = OptionsFor(kind, shard, shards);
    const std::vector<float> initial(options.range.size());
    made.push_back(ParameterShard::Create(std::move(options), initial).value());
  }
  return made;
}

std::vector<ShardSnapshot> SnapshotsOf(const Shards& shards) {
  std::vector<ShardSnapshot> snapshots;
  for (const auto& shard : shards) snapshots.push_back(shard->Snapshot());
  return snapshots;
}

Shards Restored(OptimizerDescription::Kind kind, const std::vector<ShardSnapshot>& snapshots) {
  Shards shards;
  const auto count = static_cast<int>(snapshots.size());
  for (int shard = 0; shard < count; ++shard)
    shards.push_back(ParameterShard::Restore(OptionsFor(kind, shard, count), snapshots[shard]).value());
  return shards;
}

Shards RecutTo(OptimizerDescription::Kind kind, const Shards& shards, int count) {
  return Restored(kind, Recut(SnapshotsOf(shards), count).value());
}

// The bits of all parameters, then of each state vector, by key.
std::vector<uint32_t> Bits(const std::vector<ShardSnapshot>& shards) {
  std::vector<uint32_t> bits;
  for (size_t vector = 0; vector <= shards[0].state.size(); ++vector) {
    for (const ShardSnapshot& shard : shards) {
      for (const float value : vector == 0 ? shard.parameters : shard.state[vector - 1])
        bits.push_back(std::bit_cast<uint32_t>(value));
    }
  }
  return bits;
}

void PushToAll(const Shards& shards, const PushHeader& header, const std::vector<float>& gradient) {
  for (const auto& shard : shards) {
    const KeyRange range = shard->range();
    ASSERT_TRUE(
        shard->ApplyChunk(header, range.begin, absl::MakeSpan(gradient).subspan(range.begin, range.size()))
            .ok());
  }
}

std::vector<float> Normal(Random* random) {
  std::vector<float> values(kKeys);
  for (float& value : values) value = static_cast<float>(random->Normal());
  return values;
}

TEST(Recut, EveryBitOfParametersAndStateStaysFromOneToTwoToThreeToOne) {
  Random random(1);
  Shards shards = NewShards(OptimizerDescription::ADADELTA, 1);
  for (uint64_t sequence = 1; sequence <= 20; ++sequence)
    PushToAll(shards, {1, 1, sequence}, Normal(&random));
  const std::vector<uint32_t> before = Bits(SnapshotsOf(shards));
  for (const int count : {2, 3, 1}) {
    shards = RecutTo(OptimizerDescription::ADADELTA, shards, count);
    ASSERT_EQ(shards.size(), count);
    EXPECT_EQ(Bits(SnapshotsOf(shards)), before) << count;
    for (const auto& shard : shards) EXPECT_EQ(shard->version(), 20);
  }
}

TEST(Recut, TrainingGoesOnWithTheBitsOfARunThatWasNeverCut) {
  Random random(2);
  Shards whole = NewShards(OptimizerDescription::ADADELTA, 2);
  Shards cut = NewShards(OptimizerDescription::ADADELTA, 2);
  uint64_t sequence = 0;
  for (const int count : {3, 5, 1, 2}) {
    for (int push = 0; push < 7; ++push) {
      const std::vector<float> gradient = Normal(&random);
      const PushHeader header{1, 1, ++sequence};
      PushToAll(whole, header, gradient);
      PushToAll(cut, header, gradient);
    }
    cut = RecutTo(OptimizerDescription::ADADELTA, cut, count);
    EXPECT_EQ(Bits(SnapshotsOf(cut)), Bits(SnapshotsOf(whole)));
  }
  EXPECT_EQ(cut[0]->version(), 28);
}

TEST(Recut, WhomAnyOfItsOldShardsHasForgottenANewShardDoesNotTrust) {
  std::vector<ShardSnapshot> old = SnapshotsOf(NewShards(OptimizerDescription::SGD, 2));
  old[0].header.set_forgotten_incarnation(5);
  old[1].header.set_forgotten_incarnation(9);
  EXPECT_EQ(Recut(old, 1)->front().header.forgotten_incarnation(), 9);
}

TEST(Recut, RefusesWhatAreNotAllShardsOfOneRun) {
  std::vector<ShardSnapshot> shards = SnapshotsOf(NewShards(OptimizerDescription::ADADELTA, 3));
  EXPECT_EQ(Recut(shards, 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Recut(shards, kKeys + 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Recut({}, 2).status().code(), absl::StatusCode::kFailedPrecondition);
  const auto refusal = [](const std::vector<ShardSnapshot>& old) {
    return std::string(Recut(old, 2).status().message());
  };
  EXPECT_THAT(refusal({shards[0], shards[2]}), HasSubstr("shard 1 has keys [67, 101)"));
  EXPECT_THAT(refusal({shards[0], shards[1]}), HasSubstr("end at key 67, want all of the run's, to key 101"));
  shards[1].header.mutable_run()->set_run_id("other");
  EXPECT_THAT(refusal(shards), HasSubstr("of run 'other'"));
}

// Gradients are powers of 4, one for each push, and a learning rate of 1 makes a parameter the sum of those
// that its key has got: it tells how often it got each.
class ExactlyOnceOracle {
 public:
  explicit ExactlyOnceOracle(uint64_t seed) : random_(seed) { Join(); }

  // Pushes to some of the shards, in any order, perhaps only a part of its keys.
  void Push() {
    const PushHeader header{1, incarnation_, ++sequence_};
    const int bit = pushes_++;
    bool whole = true;
    std::vector<uint32_t> order(shards_.size());
    std::iota(order.begin(), order.end(), 0);
    random_.Shuffle(absl::MakeSpan(order));
    for (const uint32_t shard : order) {
      const KeyRange range = shards_[shard]->range();
      const bool all = random_.Uniform() < 0.7;
      const auto size = all ? range.size() : static_cast<int64_t>(random_.Uniform() * range.size());
      whole = whole && all;
      Deliver(header, bit, {range.begin, range.begin + size});
      if (!all) break;  // a replica that gives up here
    }
    if (whole) acknowledged_.push_back(bit);
    last_ = {header, bit};
  }

  void Recut(int count) {
    shards_ = RecutTo(OptimizerDescription::SGD, shards_, count);
    // A message of the last push that was still under way: to all keys of the new shards.
    for (const auto& shard : shards_) Deliver(last_.first, last_.second, shard->range());
    Join();
  }

  void Check() const {
    for (const ShardSnapshot& shard : SnapshotsOf(shards_)) {
      for (size_t i = 0; i < shard.parameters.size(); ++i) {
        auto got = static_cast<int64_t>(-shard.parameters[i]);
        for (int bit = 0; bit < pushes_; ++bit, got /= 4) {
          ASSERT_LE(got % 4, 1) << "push " << bit << " twice at key " << shard.header.begin() + i;
          if (!absl::c_linear_search(acknowledged_, bit)) continue;
          ASSERT_EQ(got % 4, 1) << "push " << bit << " lost at key " << shard.header.begin() + i;
        }
      }
    }
  }

 private:
  // A replica joins anew after the shards were re-cut.
  void Join() {
    ++incarnation_;
    sequence_ = 0;
  }

  void Deliver(const PushHeader& header, int bit, KeyRange keys) {
    const std::vector<float> gradient(keys.size(), static_cast<float>(int64_t{1} << 2 * bit));
    for (const auto& shard : shards_) {
      if (shard->range().Contains(keys) && keys.size() > 0)
        shard->ApplyChunk(header, keys.begin, gradient).IgnoreError();
    }
  }

  Random random_;
  Shards shards_ = NewShards(OptimizerDescription::SGD, 2);
  uint64_t incarnation_ = 0;
  uint64_t sequence_ = 0;
  int pushes_ = 0;
  std::vector<int> acknowledged_;
  std::pair<PushHeader, int> last_;
};

TEST(Recut, NoKeyGetsAPushTwiceAndNoAcknowledgedPushIsLost) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    ExactlyOnceOracle oracle(seed);
    for (const int count : {3, 1, 4}) {
      for (int push = 0; push < 3; ++push) oracle.Push();
      oracle.Recut(count);
    }
    oracle.Push();
    oracle.Check();
    if (::testing::Test::HasFatalFailure()) return;
  }
}

class RecutCheckpointsTest : public ::testing::Test {
 protected:
  RecutCheckpointsTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    Random random(3);
    const Shards shards = NewShards(OptimizerDescription::ADADELTA, 3);
    for (uint64_t sequence = 1; sequence <= 5; ++sequence)
      PushToAll(shards, {1, 1, sequence}, Normal(&random));
    Save(folder_, SnapshotsOf(shards));
    Save(folder_, SnapshotsOf(shards));
    bits_ = Bits(SnapshotsOf(shards));
  }

  static void Save(const std::string& folder, const std::vector<ShardSnapshot>& shards) {
    for (const ShardSnapshot& shard : shards)
      ASSERT_TRUE(SaveShardSnapshot(ShardCheckpointPath(folder, shard.header.shard()), shard).ok());
  }
  std::vector<ShardSnapshot> Load() const {
    std::vector<ShardSnapshot> shards;
    for (uint32_t k = 0; CheckpointExists(ShardCheckpointPath(folder_, k)); ++k)
      shards.push_back(LoadShardSnapshot(ShardCheckpointPath(folder_, k)).value());
    return shards;
  }

  const std::string folder_ =
      ::testing::TempDir() + "/recut_test_" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
  std::vector<uint32_t> bits_;
};

TEST_F(RecutCheckpointsTest, FilesAreThoseOfTheNewShardsOnly) {
  for (const int count : {2, 2, 5, 1}) {
    ASSERT_EQ(RecutCheckpoints(folder_, count), absl::OkStatus());
    EXPECT_EQ(Load().size(), count);
    EXPECT_EQ(Bits(Load()), bits_);
  }
}

TEST_F(RecutCheckpointsTest, AServerAtWorkOrAMissingShardIsRefusedAndNothingChanges) {
  {
    const auto claim = ClaimShard(folder_, 1);
    EXPECT_THAT(std::string(RecutCheckpoints(folder_, 2).message()),
                HasSubstr("another process serves shard 1"));
  }
  for (const std::string& path : {ShardCheckpointPath(folder_, 2), ShardCheckpointPath(folder_, 0)}) {
    std::filesystem::remove(path);
    std::filesystem::remove(PreviousGeneration(path));
    EXPECT_EQ(RecutCheckpoints(folder_, 2).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_TRUE(CheckpointExists(ShardCheckpointPath(folder_, 1)));
  }
}

// As after a crash at any of the steps in which the new files take the old ones' places.
TEST_F(RecutCheckpointsTest, ACrashInTheMiddleIsFinishedByTheNextCall) {
  for (int moved = 0; moved <= 2; ++moved) {
    const std::string ready = folder_ + "/recut-2";
    std::filesystem::create_directories(ready);
    Save(ready, Recut(Load(), 2).value());
    for (int shard = 0; shard < moved; ++shard) {
      std::filesystem::remove(PreviousGeneration(ShardCheckpointPath(folder_, shard)));
      std::filesystem::rename(ShardCheckpointPath(ready, shard), ShardCheckpointPath(folder_, shard));
    }
    ASSERT_EQ(RecutCheckpoints(folder_, 2), absl::OkStatus());
    EXPECT_EQ(Load().size(), 2);
    EXPECT_EQ(Bits(Load()), bits_) << moved << " moved";
    ASSERT_EQ(RecutCheckpoints(folder_, 3), absl::OkStatus());
  }
  std::filesystem::create_directories(folder_ + "/recut.partial");  // before any of them
  ASSERT_EQ(RecutCheckpoints(folder_, 4), absl::OkStatus());
  EXPECT_EQ(Bits(Load()), bits_);
}

}  // namespace
}  // namespace downpour
