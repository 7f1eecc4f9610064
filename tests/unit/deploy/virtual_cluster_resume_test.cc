// Where on the data's way: all of it, in virtual time: interrupted at any event, a run ends with the same
// bits.
#include <filesystem>
#include <string>

#include "common/checkpoint_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/virtual_run.h"

namespace downpour {
namespace {

constexpr int64_t kToTheEnd = -1;

std::string CheckpointPath() { return ::testing::TempDir() + "/virtual_cluster_resume_test.ckpt"; }

// Runs with a stop after every so many events, each time resuming from the file the stop has left.
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

class VirtualClusterResumeTest : public ::testing::TestWithParam<int> {};

TEST_P(VirtualClusterResumeTest, EndsWithTheSameBitsAsAnUninterruptedRun) {
  RunDescription description = SyntheticRun();
  VirtualClockDescription& times = *description.mutable_virtual_clock();
  times.set_bandwidth_bytes_per_s(
      2000);  // transfers as long as computing, so that all kinds of events are pending
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

TEST(VirtualClusterResumeTest, WarmStartResumesToo) {
  RunDescription description = SyntheticRun();
  description.mutable_cluster()->set_warm_start_updates(30);
  int pieces = 0;
  EXPECT_EQ(RunInPieces(description, 37, &pieces), RunVirtually(description));
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
