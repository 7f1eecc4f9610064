// Where on the data's way: guards deploy/in_process/: a virtual run that is interrupted at any event ends
// with the same bits.
#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/virtual_run.h"
#include "tests/testing/wait_for.h"

namespace downpour {
namespace {

constexpr int64_t kToTheEnd = -1;

std::string CheckpointPath() { return ::testing::TempDir() + "/virtual_cluster_resume_test.ckpt"; }

// Stops the run after every `events_a_piece` events, and each time resumes it from its checkpoint.
VirtualRunResult RunInPieces(const RunDescription& description, int64_t events_a_piece, int* pieces) {
  VirtualRunResult whole;
  VirtualRunOptions options;
  options.checkpoint_path = CheckpointPath();
  options.stop_at_event = events_a_piece;
  std::filesystem::remove(options.checkpoint_path);
  VirtualClusterSnapshot snapshot;
  for (*pieces = 1;; ++*pieces) {
    options.threads = 1 + *pieces % 3;
    VirtualRunResult piece = RunVirtually(description, options);
    whole.lines.insert(whole.lines.end(), piece.lines.begin(), piece.lines.end());
    whole.parameters = piece.parameters;
    whole.status = piece.status;
    if (!absl::IsCancelled(piece.status)) return whole;
    auto read = ReadVirtualCluster(options.checkpoint_path);
    EXPECT_TRUE(read.ok()) << read.status();
    if (!read.ok()) return whole;
    snapshot = *std::move(read);
    options.resume_from = &snapshot;
  }
}

// The description run in pieces ends with the bits of an uninterrupted run, which are not those of the run
// `other`. `setting` stands in messages.
void ExpectResumes(const RunDescription& description, const VirtualRunResult& other, int setting) {
  int pieces = 0;
  const VirtualRunResult whole = RunVirtually(description);
  EXPECT_EQ(whole.status, absl::OkStatus()) << setting;
  EXPECT_EQ(RunInPieces(description, 37, &pieces), whole) << setting;
  EXPECT_NE(whole.parameters, other.parameters) << setting;
}

class VirtualClusterResumeTest : public ::testing::TestWithParam<int> {};

TEST_P(VirtualClusterResumeTest, EndsWithTheSameBitsAsAnUninterruptedRun) {
  RunDescription description = SyntheticRun();
  VirtualClockDescription& times = *description.mutable_virtual_clock();
  times.set_bandwidth_bytes_per_s(
      2000);  // transfers take as long as computing, so that events of all kinds are pending
  times.set_straggler_probability(0.2);
  for (const auto& [n_push, n_fetch] : {std::pair(1, 1), std::pair(3, 1), std::pair(2, 4)}) {
    description.mutable_cluster()->set_n_push(n_push);
    description.mutable_cluster()->set_n_fetch(n_fetch);
    int pieces = 0;
    const VirtualRunResult in_pieces = RunInPieces(description, GetParam(), &pieces);
    EXPECT_GT(pieces, 2);
    EXPECT_EQ(in_pieces, RunVirtually(description)) << "n_push " << n_push << ", n_fetch " << n_fetch;
  }
}

INSTANTIATE_TEST_SUITE_P(EventsAPiece, VirtualClusterResumeTest, ::testing::Values(13, 50, 101, 257));

TEST(VirtualClusterResumeTest, PushesOfSeveralPlanesResumeToo) {
  RunDescription description = SyntheticRun();
  const VirtualRunResult other = RunVirtually(description);
  description.mutable_virtual_clock()->set_bandwidth_bytes_per_s(2000);
  description.mutable_optimizer()->set_curvature_every(3);
  for (const auto rule : {OptimizerDescription::DIAGONAL_HESSIAN, OptimizerDescription::VSGD}) {
    for (const auto wire : {ClusterDescription::FLOAT32, ClusterDescription::BFLOAT16}) {
      description.mutable_optimizer()->set_kind(rule);
      description.mutable_cluster()->set_wire(wire);
      ExpectResumes(description, other, rule);
    }
  }
}

TEST(VirtualClusterResumeTest, NoiseOfEveryKindResumesToo) {
  RunDescription description = SyntheticRun();
  NoiseDescription& noise = *description.mutable_noise();
  noise.set_gradient_sigma(0.5);
  noise.set_label_share(0.2);
  noise.set_push_drop_share(0.2);
  noise.set_push_delay_share(0.3);
  noise.set_push_repeat_share(0.4);
  noise.set_adversary_share(0.25);
  noise.set_slow_share(0.5);
  description.mutable_virtual_clock()->set_shard_bytes_per_s(5000);
  int pieces = 0;
  EXPECT_EQ(RunInPieces(description, 7, &pieces), RunVirtually(description));
  EXPECT_GT(pieces, 20);
}

TEST(VirtualClusterResumeTest, Bfloat16ResumesToo) {
  RunDescription description = SyntheticRun();
  const VirtualRunResult exact = RunVirtually(description);
  description.mutable_cluster()->set_wire(ClusterDescription::BFLOAT16);
  int pieces = 0;
  const VirtualRunResult rounded = RunVirtually(description);
  EXPECT_EQ(RunInPieces(description, 37, &pieces), rounded);
  EXPECT_NE(rounded.parameters, exact.parameters);
}

TEST(VirtualClusterResumeTest, CompressedGradientsResumeToo) {
  for (const auto compression :
       {ClusterDescription::EIGHT_BIT, ClusterDescription::ONE_BIT, ClusterDescription::TOP_K}) {
    RunDescription description = SyntheticRun();
    const VirtualRunResult exact = RunVirtually(description);
    description.mutable_cluster()->set_gradient_compression(compression);
    description.mutable_cluster()->set_top_k_share(0.1f);
    ExpectResumes(description, exact, compression);
  }
}

TEST(VirtualClusterResumeTest, WarmStartResumesToo) {
  RunDescription description = SyntheticRun();
  description.mutable_cluster()->set_warm_start_updates(30);
  int pieces = 0;
  const VirtualRunResult by_its_own_rule = RunVirtually(description);
  EXPECT_EQ(RunInPieces(description, 37, &pieces), by_its_own_rule);
  OptimizerDescription& warm_start = *description.mutable_cluster()->mutable_warm_start_optimizer();
  warm_start.set_kind(OptimizerDescription::MOMENTUM);
  description.mutable_optimizer()->set_staleness_exponent(0.5);
  ExpectResumes(description, by_its_own_rule, warm_start.kind());
}

TEST(VirtualClusterResumeTest, ReplicasThatTheWarmStartKeepsWaitingTakeNoMemory) {
  RunDescription description = SyntheticRun();
  description.mutable_cluster()->set_warm_start_updates(30);
  VirtualRunOptions options;
  options.checkpoint_path = CheckpointPath();
  options.stop_at_event = 60;
  ASSERT_EQ(RunVirtually(description, options).status.code(), absl::StatusCode::kCancelled);
  const absl::StatusOr<VirtualClusterSnapshot> stopped = ReadVirtualCluster(options.checkpoint_path);
  ASSERT_EQ(stopped.status(), absl::OkStatus());
  size_t with_parameters = 0;
  for (const auto& replica : stopped->replicas) with_parameters += replica.parameters.empty() ? 0 : 1;
  EXPECT_EQ(with_parameters, 1);
}

TEST(VirtualClusterResumeTest, SchedulesResumeToo) {
  RunDescription description = SyntheticRun();
  description.mutable_optimizer()->set_epsilon(1);  // such long steps that some evaluation sees no lower loss
  const VirtualRunResult constant = RunVirtually(description);
  description.mutable_evaluation()->set_every_updates(1);
  ScheduleDescription& schedule = *description.mutable_optimizer()->mutable_schedule();
  for (const auto kind : {ScheduleDescription::COSINE, ScheduleDescription::PLATEAU}) {
    schedule.set_kind(kind);
    if (kind == ScheduleDescription::COSINE) schedule.set_epochs(1);
    ExpectResumes(description, constant, kind);
  }
}

TEST(VirtualClusterResumeTest, CompensationResumesToo) {
  RunDescription description = SyntheticRun();
  const VirtualRunResult without = RunVirtually(description);
  for (const auto compensation : {OptimizerDescription::DELAY, OptimizerDescription::GAP}) {
    description.mutable_optimizer()->set_compensation(compensation);
    description.mutable_cluster()->set_wire(compensation == OptimizerDescription::GAP
                                                ? ClusterDescription::BFLOAT16
                                                : ClusterDescription::FLOAT32);
    ExpectResumes(description, without, compensation);
  }
}

TEST(VirtualClusterResumeTest, ReplicasThatWaitForEachOtherResumeToo) {
  for (const auto consistency : {ClusterDescription::BOUNDED, ClusterDescription::SYNCHRONOUS}) {
    RunDescription description = SyntheticRun();
    const VirtualRunResult asynchronous = RunVirtually(description);
    description.mutable_cluster()->set_consistency(consistency);
    description.mutable_cluster()->set_staleness_bound(1);
    description.mutable_cluster()->set_backup_replicas(1);
    description.mutable_cluster()->set_warm_start_updates(10);
    description.mutable_noise()->set_slow_share(0.25);
    description.mutable_virtual_clock()->set_bandwidth_bytes_per_s(2000);
    int pieces = 0;
    const VirtualRunResult whole = RunVirtually(description);
    EXPECT_EQ(RunInPieces(description, 13, &pieces), whole) << consistency;
    EXPECT_GT(pieces, 20);
    EXPECT_NE(whole.parameters, asynchronous.parameters);
  }
}

TEST(VirtualClusterResumeTest, AFinishedRunDoesNothingAndALargerBudgetGoesOn) {
  RunDescription description = SyntheticRun();
  VirtualRunOptions options;
  options.checkpoint_path = CheckpointPath();
  const VirtualRunResult first = RunVirtually(description, options);
  ASSERT_EQ(first.status, absl::OkStatus());
  auto snapshot = ReadVirtualCluster(options.checkpoint_path);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_TRUE(snapshot->header.finished());
  options.resume_from = &*snapshot;
  const VirtualRunResult again = RunVirtually(description, options);
  EXPECT_EQ(again.parameters, first.parameters);
  EXPECT_TRUE(again.lines.empty());

  description.mutable_budget()->set_updates(150);
  const VirtualRunResult longer = RunVirtually(description, options);
  ASSERT_EQ(longer.status, absl::OkStatus());
  EXPECT_EQ(longer.records.back().point.updates(), 150);
}

TEST(VirtualClusterResumeTest, RefusesTheCheckpointOfAnotherRunOrOtherDataAndNamesTheDifference) {
  RunDescription description = SyntheticRun();
  VirtualRunOptions options;
  options.checkpoint_path = CheckpointPath();
  options.stop_at_event = 20;
  ASSERT_TRUE(absl::IsCancelled(RunVirtually(description, options).status));
  auto snapshot = ReadVirtualCluster(options.checkpoint_path);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  options.resume_from = &*snapshot;
  options.stop_at_event = kToTheEnd;

  description.mutable_cluster()->set_replicas(5);
  const absl::Status other_run = RunVirtually(description, options).status;
  EXPECT_EQ(other_run.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other_run.message()), ::testing::HasSubstr("replicas"));

  auto data = std::make_shared<RunData>(*SyntheticRunData());
  data->train = SyntheticDataset(40, 50, kSyntheticClasses, /*seed=*/99);
  data->summary = Summarize(*data->train, data->normalization, kSyntheticClasses);
  options.data = data;
  const absl::Status other_data = RunVirtually(SyntheticRun(), options).status;
  EXPECT_EQ(other_data.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other_data.message()), ::testing::HasSubstr("fingerprint"));
}

// A run on three threads that writes a checkpoint every few events, by a clock that advances by 50 ms each
// time it is read.
class PeriodicCheckpointTest : public ::testing::Test {
 protected:
  PeriodicCheckpointTest() {
    description_.mutable_checkpoint()->set_every_s(0.2);
    options_.threads = 3;
    options_.wall_clock = &clock_;
    options_.checkpoint_path = CheckpointPath();
    std::filesystem::remove(CheckpointPath());
  }

  RunDescription description_ = SyntheticRun();
  FakeClock clock_{absl::UnixEpoch(), absl::Milliseconds(50)};
  VirtualRunOptions options_;
};

// As after kill -9: resumes from files that were written while the run went on and threads computed ahead
// of it.
TEST_F(PeriodicCheckpointTest, GoesOnWithTheSameBitsFromAnyOfThem) {
  std::vector<std::string> copies;
  int64_t next_copy = 30;
  options_.at_event = [&](int64_t event) {
    const auto written = [] { return std::filesystem::exists(CheckpointPath()); };
    if (event < next_copy || !WaitFor(written, absl::Milliseconds(50))) return;
    copies.push_back(absl::StrCat(CheckpointPath(), ".", event));
    std::filesystem::rename(CheckpointPath(), copies.back());
    next_copy = event + 50;
  };
  const VirtualRunResult whole = RunVirtually(description_, options_);
  ASSERT_EQ(whole.status, absl::OkStatus());
  EXPECT_EQ(whole, RunVirtually(SyntheticRun())) << "writing checkpoints changes the run";
  ASSERT_GT(copies.size(), 5);
  std::set<int64_t> updates;
  for (const std::string& copy : copies) {
    const auto snapshot = ReadVirtualCluster(copy);
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    ASSERT_FALSE(snapshot->header.finished());
    updates.insert(snapshot->header.coordinator().updates());
    const VirtualRunResult rest = RunVirtually(SyntheticRun(), {.threads = 2, .resume_from = &*snapshot});
    ASSERT_EQ(rest.status, absl::OkStatus());
    EXPECT_EQ(rest.parameters, whole.parameters) << copy;
    ASSERT_THAT(rest.lines.size(), ::testing::AllOf(::testing::Ge(1u), ::testing::Le(whole.lines.size())));
    EXPECT_TRUE(std::equal(rest.lines.rbegin(), rest.lines.rend(), whole.lines.rbegin())) << copy;
  }
  EXPECT_GT(updates.size(), 3) << "all copies are of the same moment";
}

// The disk counts as full while `.partial` is a link to /dev/full. Each failed write removes the link.
TEST_F(PeriodicCheckpointTest, OnAFullDiskIsLeftOutAndTheLastGoodOneStays) {
  const std::string partial = CheckpointPath() + ".partial";
  const auto fill_disk = [&] {
    std::error_code taken;  // by a write that is under way
    std::filesystem::create_symlink("/dev/full", partial, taken);
    return !taken;
  };
  int links = 0;
  options_.at_event = [&](int64_t event) {
    if (event < 100 || event > 300) return;
    EXPECT_TRUE(WaitFor([] { return std::filesystem::exists(CheckpointPath()); }));
    EXPECT_TRUE(ReadVirtualCluster(CheckpointPath()).ok()) << "at event " << event;
    if (event == 300) {
      std::filesystem::remove(partial);
    } else if (!std::filesystem::is_symlink(partial)) {
      links += WaitFor(fill_disk);
    } else if (event % 20 == 0) {
      // Gives a write that may be under way the time to fail.
      WaitFor([&] { return !std::filesystem::is_symlink(partial); }, absl::Milliseconds(100));
    }
  };
  const VirtualRunResult run = RunVirtually(description_, options_);
  EXPECT_EQ(run, RunVirtually(SyntheticRun())) << "a full disk changes the run";
  EXPECT_GT(links, 1) << "no write has failed";
  const auto last = ReadVirtualCluster(CheckpointPath());
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_TRUE(last->header.finished());
}

TEST(VirtualClusterResumeTest, AFullDiskAtTheEndIsReportedAndTheLastGoodCheckpointGoesOn) {
  VirtualRunOptions options;
  options.checkpoint_path = CheckpointPath();
  options.stop_at_event = 60;
  ASSERT_TRUE(absl::IsCancelled(RunVirtually(SyntheticRun(), options).status));
  for (const bool full : {true, false}) {
    const auto good = ReadVirtualCluster(options.checkpoint_path);
    ASSERT_TRUE(good.ok()) << good.status();
    EXPECT_FALSE(good->header.finished());
    if (full) std::filesystem::create_symlink("/dev/full", options.checkpoint_path + ".partial");
    options.resume_from = &*good;
    options.stop_at_event = kToTheEnd;
    const VirtualRunResult end = RunVirtually(SyntheticRun(), options);
    EXPECT_EQ(end.status.code(), full ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kOk)
        << end.status;
    EXPECT_THAT(std::string(end.status.message()), ::testing::HasSubstr(full ? options.checkpoint_path : ""));
    EXPECT_EQ(end.parameters, RunVirtually(SyntheticRun()).parameters);
  }
}

TEST(VirtualClusterResumeTest, ALastCheckpointThatCannotBeWrittenIsReported) {
  VirtualRunOptions options;
  options.checkpoint_path = "/nonexistent/cluster.ckpt";
  options.stop_at_event = 20;
  const absl::Status status = RunVirtually(SyntheticRun(), options).status;
  EXPECT_FALSE(status.ok() || absl::IsCancelled(status)) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(options.checkpoint_path));
}

}  // namespace
}  // namespace downpour
