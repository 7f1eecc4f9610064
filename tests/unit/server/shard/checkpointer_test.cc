// Where on the data's way: beside the shard; what is saved is what is loaded.
#include "server/shard/checkpointer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/program/update_rules.h"
#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

constexpr KeyRange kRange{10, 147};

ParameterShard::Options OptionsFor(OptimizerDescription::Kind kind, uint32_t shard = 0) {
  ParameterShard::Options options;
  options.layout = *ParameterLayout::Create({{"layer0/weights", {19, 10}}, {"layer0/bias", {10}}});
  options.run = {"run-1", options.layout.fingerprint()};
  options.shard = shard;
  options.range = kRange;
  options.optimizer.set_kind(kind);
  return options;
}

std::vector<float> Normal(Random* random) {
  std::vector<float> values(kRange.size());
  for (float& value : values) value = static_cast<float>(random->Normal());
  return values;
}

// As many planes as the shard's rule wants, all alike.
PushPlanes Planes(const ParameterShard& shard, const std::vector<float>& gradient) {
  PushPlanes planes(gradient);
  while (static_cast<int>(planes.size()) < kUpdateRules[shard.Snapshot().header.optimizer().kind()].planes)
    planes.Add(gradient);
  return planes;
}

void PushTo(ParameterShard* shard, uint64_t sequence, const std::vector<float>& gradient) {
  ASSERT_TRUE(shard->ApplyChunk({1, 1, sequence, 0}, kRange.begin, Planes(*shard, gradient)).ok());
}

// A shard that has learnt a little, and has a push half applied.
std::unique_ptr<ParameterShard> TrainedShard(OptimizerDescription::Kind kind, uint32_t index = 0) {
  Random random(index);
  auto shard = *ParameterShard::Create(OptionsFor(kind, index), Normal(&random));
  for (uint64_t sequence = 1; sequence <= 20; ++sequence) PushTo(shard.get(), sequence, Normal(&random));
  const std::vector<float> two = {1, 2};
  EXPECT_TRUE(shard->ApplyChunk({2, 1, 1, 0}, kRange.begin, Planes(*shard, two)).ok());
  return shard;
}

std::vector<uint32_t> BitsOf(const std::vector<float>& values) {
  std::vector<uint32_t> bits;
  for (float value : values) bits.push_back(std::bit_cast<uint32_t>(value));
  return bits;
}

void ExpectEqual(const ShardSnapshot& a, const ShardSnapshot& b) {
  EXPECT_EQ(a.header.SerializeAsString(), b.header.SerializeAsString());
  EXPECT_EQ(BitsOf(a.parameters), BitsOf(b.parameters));
  ASSERT_EQ(a.state.size(), b.state.size());
  for (size_t i = 0; i < a.state.size(); ++i) EXPECT_EQ(BitsOf(a.state[i]), BitsOf(b.state[i]));
}

std::string TestPath(const std::string& name) {
  const std::string directory = ::testing::TempDir() + "/checkpointer_test." + std::to_string(getpid());
  std::filesystem::create_directories(directory);
  return directory + "/" + name;
}

class CheckpointOfRule : public ::testing::TestWithParam<OptimizerDescription::Kind> {};

TEST_P(CheckpointOfRule, SaveLoadStepEqualsAnUninterruptedStep) {
  const auto uninterrupted = TrainedShard(GetParam());
  const std::string path = TestPath("resume.ckpt");
  ASSERT_TRUE(SaveShardSnapshot(path, uninterrupted->Snapshot()).ok());
  const auto loaded = LoadShardSnapshot(path);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ExpectEqual(*loaded, uninterrupted->Snapshot());
  const auto resumed = *ParameterShard::Restore(OptionsFor(GetParam()), *loaded);
  Random random(99);
  for (uint64_t sequence = 21; sequence < 30; ++sequence) {
    const std::vector<float> gradient = Normal(&random);
    PushTo(uninterrupted.get(), sequence, gradient);
    PushTo(resumed.get(), sequence, gradient);
  }
  ExpectEqual(resumed->Snapshot(), uninterrupted->Snapshot());
}

INSTANTIATE_TEST_SUITE_P(Rules, CheckpointOfRule,
                         ::testing::Values(OptimizerDescription::SGD, OptimizerDescription::MOMENTUM,
                                           OptimizerDescription::ADAGRAD, OptimizerDescription::WINDOWED,
                                           OptimizerDescription::ADADELTA,
                                           OptimizerDescription::DIAGONAL_HESSIAN,
                                           OptimizerDescription::VSGD),
                         [](const auto& info) { return OptimizerDescription::Kind_Name(info.param); });

TEST(ShardSections, OneFileHoldsSeveralShards) {
  const ShardSnapshot first = TrainedShard(OptimizerDescription::ADADELTA, 0)->Snapshot();
  const ShardSnapshot second = TrainedShard(OptimizerDescription::ADADELTA, 1)->Snapshot();
  CheckpointFile file;
  AddSections(first, "shard0/", &file);
  AddSections(second, "shard1/", &file);
  ExpectEqual(*SnapshotFromSections(file, "shard0/", first.header), first);
  ExpectEqual(*SnapshotFromSections(file, "shard1/", second.header), second);
}

TEST(ShardSections, HeaderAndSectionsMustFit) {
  const auto shard = TrainedShard(OptimizerDescription::ADADELTA);
  const ShardSnapshot good = shard->Snapshot();
  CheckpointFile file;
  AddSections(good, "", &file);
  const auto expect_lost = [&file](const ShardCheckpoint& header, const std::string& message) {
    const auto snapshot = SnapshotFromSections(file, "", header);
    EXPECT_EQ(snapshot.status().code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(snapshot.status().message()), HasSubstr(message));
  };
  ShardCheckpoint header = good.header;
  header.set_end(header.end() + 1);
  expect_lost(header, "'parameters' has 137 float32, want 138");
  header.set_end(uint64_t{1} << 62 | header.end());  // times 4 it would wrap
  expect_lost(header, "'parameters' has 137 float32");
  header.set_end(header.begin());
  expect_lost(header, "want begin < end");
  header = good.header;
  header.mutable_optimizer()->set_rho(2);
  expect_lost(header, "optimizer.rho is 2");
  header = good.header;
  file.sections.pop_back();
  expect_lost(header, "no section 'E[dx^2]'");
}

TEST(LoadShardSnapshot, NamesTheFileAndWhatIsWrong) {
  EXPECT_EQ(LoadShardSnapshot(TestPath("none.ckpt")).status().code(), absl::StatusCode::kNotFound);
  const std::string path = TestPath("no_header.ckpt");
  ASSERT_TRUE(
      WriteCheckpointFile(
          path,
          {.kind = "downpour.ShardCheckpoint", .header = "\x0a\xff", .sections = {}, .storage = nullptr})
          .ok());
  EXPECT_EQ(LoadShardSnapshot(path).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(LoadShardSnapshot(path).status().message()), HasSubstr(path));
}

TEST(Checkpointer, WritesNowAndNothingByItselfWithoutAnInterval) {
  const auto shard = TrainedShard(OptimizerDescription::ADAGRAD);
  const std::string path = ShardCheckpointPath(TestPath(""), 7);
  EXPECT_THAT(path, HasSubstr("/shard-7.ckpt"));
  {
    Checkpointer checkpointer(shard.get(), path, absl::InfiniteDuration());
    EXPECT_FALSE(std::filesystem::exists(path));
    ASSERT_TRUE(checkpointer.CheckpointNow().ok());
  }
  ExpectEqual(*LoadShardSnapshot(path), shard->Snapshot());
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
}

// Waits until `path` holds a checkpoint of at least `version`.
bool EventuallyHolds(const std::string& path, uint64_t version) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < deadline) {
    const auto snapshot = LoadShardSnapshot(path);
    if (snapshot.ok() && snapshot->header.version() >= version) return true;
    std::this_thread::yield();
  }
  return false;
}

TEST(Checkpointer, WritesAgainAndAgainWhileTheShardLearns) {
  const auto shard = TrainedShard(OptimizerDescription::ADADELTA);
  const std::string path = TestPath("periodic.ckpt");
  Checkpointer checkpointer(shard.get(), path, absl::Milliseconds(1));
  ASSERT_TRUE(EventuallyHolds(path, 20));
  Random random(3);
  for (uint64_t sequence = 21; sequence <= 40; ++sequence) PushTo(shard.get(), sequence, Normal(&random));
  EXPECT_TRUE(EventuallyHolds(path, 40));
}

TEST(Checkpointer, AFullDiskLeavesTheLastGoodCheckpoint) {
  const auto shard = TrainedShard(OptimizerDescription::ADADELTA);
  const std::string path = TestPath("full.ckpt");
  Checkpointer checkpointer(shard.get(), path, absl::InfiniteDuration());
  ASSERT_TRUE(checkpointer.CheckpointNow().ok());
  const ShardSnapshot good = shard->Snapshot();
  PushTo(shard.get(), 21, std::vector<float>(kRange.size(), 1.f));
  std::filesystem::create_symlink("/dev/full", path + ".partial");  // where it writes to first
  EXPECT_EQ(checkpointer.CheckpointNow().code(), absl::StatusCode::kResourceExhausted);
  ExpectEqual(*LoadShardSnapshot(path), good);
  EXPECT_TRUE(checkpointer.CheckpointNow().ok());
  ExpectEqual(*LoadShardSnapshot(path), shard->Snapshot());
}

TEST(Checkpointer, AWriteThatHangsDoesNotHoldUpPushesAndFetches) {
  ParameterShard::Options options = OptionsFor(OptimizerDescription::ADADELTA);
  options.range = {0, 100000};  // more than a pipe holds
  const auto shard = *ParameterShard::Create(options, std::vector<float>(options.range.size()));
  const std::string path = TestPath("hangs.ckpt");
  ASSERT_EQ(mkfifo((path + ".partial").c_str(), 0600), 0);
  Checkpointer checkpointer(shard.get(), path, absl::InfiniteDuration());
  std::atomic<bool> returned = false;
  std::thread writer([&] {
    EXPECT_FALSE(checkpointer.CheckpointNow().ok());  // a pipe cannot be synced
    returned = true;
  });
  std::ifstream pipe(path + ".partial");  // opens once the writer does
  std::vector<float> parameters(options.range.size(), 1.f);
  EXPECT_TRUE(shard->ApplyChunk({1, 1, 1, 0}, 0, parameters).ok());
  EXPECT_TRUE(shard->Read(options.range, absl::MakeSpan(parameters)).ok());
  EXPECT_FALSE(returned);
  pipe.ignore(std::numeric_limits<std::streamsize>::max());
  writer.join();
}

TEST(Checkpointer, AFailedWriteIsTriedAgain) {
  const auto shard = TrainedShard(OptimizerDescription::ADADELTA);
  const std::string directory = TestPath("comes_later");
  std::filesystem::remove_all(directory);
  const std::string path = ShardCheckpointPath(directory, 0);
  Checkpointer checkpointer(shard.get(), path, absl::Milliseconds(1));
  EXPECT_EQ(checkpointer.CheckpointNow().code(), absl::StatusCode::kUnavailable);
  std::filesystem::create_directory(directory);
  EXPECT_TRUE(EventuallyHolds(path, 20));
}

}  // namespace
}  // namespace downpour
