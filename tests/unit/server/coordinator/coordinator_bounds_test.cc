// Where on the data's way: the coordinator; messages that no honest process sends, from one with a bug or
// from a stranger. They are refused, and the run goes on as if they had not come.
#include <cmath>
#include <functional>
#include <limits>

#include "tests/testing/coordinator_cluster.h"

namespace downpour {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST_F(CoordinatorTest, AReportAddsNoMoreThanAReplicaCanHaveDoneSinceItsLast) {
  Start(SmallRun());
  FakeReplica replica = Join();
  ASSERT_TRUE(replica.Push(3).Report(*coordinator).ok());
  const std::string before = coordinator->Checkpoint().SerializeAsString();
  const auto expect_refused = [&](const std::function<void(ReportRequest&)>& change,
                                  const std::string& text) {
    FakeReplica other = replica;
    change(other.AddMinibatch());
    EXPECT_THAT(other.Report(*coordinator), FailsWith(kInvalid, text));
    EXPECT_EQ(coordinator->Checkpoint().SerializeAsString(), before) << text;
  };
  const int64_t huge = int64_t{1} << 50;
  expect_refused([&](ReportRequest& report) { report.set_pushes_applied(huge); }, "pushes of 1 minibatches");
  expect_refused([&](ReportRequest& report) { report.set_pushes_rejected(4); }, "adds 4 pushes");
  expect_refused([&](ReportRequest& report) { report.set_pushes_late(4); }, "want at most 3");
  expect_refused([&](ReportRequest& report) { report.set_minibatches(huge); }, "minibatches of 10 frames");
  expect_refused([&](ReportRequest& report) { report.set_frames(30 + 101); }, "want 2 to 101");
  expect_refused(
      [&](ReportRequest& report) {
        report.set_frames(30 + 1101);  // an epoch has 1,000, and a minibatch 100
        report.set_minibatches(3 + 12);
      },
      "adds 1101 frames, want at most 1100");
  expect_refused(
      [&](ReportRequest& report) {
        report.set_report(huge);
        report.set_pushes_applied(3 + 4);
        report.set_frames(30 + 40);
        report.set_minibatches(3 + 4);
      },
      "adds 4 pushes");
  expect_refused([&](ReportRequest& report) { report.set_loss_sum(-1e9); }, "loss_sum");
  expect_refused([&](ReportRequest& report) { report.set_loss_sum(1e300); }, "loss_sum");
  expect_refused([&](ReportRequest& report) { report.set_loss_sum(std::nan("")); }, "adds nan to loss_sum");
  expect_refused([&](ReportRequest& report) { report.add_staleness(7); }, "1 values of staleness");
  EXPECT_TRUE(replica.Push(1).Report(*coordinator).ok()) << "the honest replica goes on";
}

// One step of a replica with noise, whose push carries two minibatches: the second is dropped, the first is
// pushed, and pushed once more.
TEST_F(CoordinatorTest, TheMostThatAReplicaDoesBetweenTwoReportsIsTaken) {
  Start(SmallRun());
  FakeReplica replica = Join();
  replica.AddMinibatch();
  replica.AddMinibatch().set_pushes_rejected(1);
  replica.report.set_pushes_applied(2);
  replica.report.add_staleness(0);
  replica.report.add_staleness(1);
  replica.report.set_loss_sum(-1e-6);  // rounding
  EXPECT_TRUE(replica.Report(*coordinator).ok());
  replica.report.set_minibatches(2 + 11);  // a whole epoch and what was left of a minibatch
  replica.report.set_frames(20 + 1099);
  EXPECT_TRUE(replica.Report(*coordinator).ok());
}

TEST_F(CoordinatorTest, ReportsLostInARestartAreMadeUpForByTheNextOne) {
  Start(SmallRun());
  FakeReplica replica = Join();
  const CoordinatorCheckpoint checkpoint = coordinator->Checkpoint();
  ASSERT_TRUE(replica.Push(20).Report(*coordinator).ok());
  coordinator = Coordinator::Restore(OptionsFor(SmallRun()), checkpoint).value();
  ASSERT_TRUE(replica.Push(1).Report(*coordinator).ok());
  EXPECT_EQ(Status().updates(), 21);

  FakeReplica stranger = replica;
  stranger.AddMinibatch().set_report(1000);
  stranger.report.set_pushes_applied(21 + 4);
  EXPECT_THAT(stranger.Report(*coordinator), FailsWith(kInvalid, "adds 4 pushes"));
  EXPECT_TRUE(replica.Push(1).Report(*coordinator).ok());
}

TEST_F(CoordinatorTest, AReplicaOfWhichTooMuchWasLostJoinsAgain) {
  Start(SmallRun());
  FakeReplica replica = Join();
  coordinator = Coordinator::Restore(OptionsFor(SmallRun()), coordinator->Checkpoint()).value();
  replica.report.set_report(1'000'000);
  replica.report.set_minibatches(200'000);
  replica.report.set_frames(2'000'000);
  replica.report.set_pushes_applied(200'000);
  EXPECT_THAT(replica.Report(*coordinator), FailsWith(absl::StatusCode::kNotFound, "join again"));
  EXPECT_EQ(Status().updates(), 0);
}

TEST_F(CoordinatorTest, EvaluationResultsThatNoTestSetGivesAreRefused) {
  RunDescription description = SmallRun();
  description.mutable_evaluation()->set_max_frames(200);
  Start(description);
  ASSERT_EQ(coordinator->NextEvaluation({})->directive(), NextEvaluationReply::EVALUATE);
  const auto expect_refused = [&](const std::function<void(TestSetResult&)>& change,
                                  const std::string& text) {
    for (const bool human : {false, true}) {
      EvaluationResult result;
      result.mutable_test()->set_frames(100);
      TestSetResult& changed = human ? *result.mutable_test_human() : *result.mutable_test();
      changed.set_frames(100);
      changed.set_correct(50);
      changed.set_nonsilence_frames(80);
      change(changed);
      EXPECT_THAT(coordinator->RecordEvaluation(result),
                  FailsWith(kInvalid, (human ? "test_human." : "test.") + text));
    }
  };
  expect_refused([](TestSetResult& test) { test.set_correct(101); }, "correct is 101, want 0 to 100");
  expect_refused([](TestSetResult& test) { test.set_correct(-1); }, "correct is -1");
  expect_refused([](TestSetResult& test) { test.set_frames(201); }, "frames is 201, want 0 to 200");
  expect_refused([](TestSetResult& test) { test.set_nonsilence_frames(101); }, "nonsilence_frames is 101");
  expect_refused([](TestSetResult& test) { test.set_nonsilence_correct(51); }, "nonsilence_correct is 51");
  expect_refused([](TestSetResult& test) { test.set_loss_sum(std::nan("")); }, "loss_sum is nan");
  expect_refused([](TestSetResult& test) { test.set_loss_sum(HUGE_VAL); }, "loss_sum is inf");
  expect_refused([](TestSetResult& test) { test.set_loss_sum(-1); }, "loss_sum is -1");
  EXPECT_TRUE(observer.records.empty());

  EvaluationResult diverged;
  diverged.mutable_test()->set_frames(100);
  EXPECT_TRUE(coordinator->RecordEvaluation(diverged).ok());
  EXPECT_EQ(observer.records.size(), 1u);
}

TEST_F(CoordinatorTest, NamesAreNoLongerThanAHostNameCanBe) {
  Start(SmallRun());
  JoinRequest request = SmallJoin(std::string(256, 'h'));
  EXPECT_TRUE(coordinator->Join(request).ok());
  request.set_host(std::string(3'900'000, 'h'));
  EXPECT_THAT(coordinator->Join(request), FailsWith(kInvalid, "host has 3900000 bytes, want at most 256"));
  request = SmallJoin("host");
  request.set_run_id(std::string(300, 'r'));
  EXPECT_THAT(coordinator->Join(request), FailsWith(kInvalid, "run_id has 300 bytes"));
  RegisterShardRequest shard;
  shard.set_shard(0);
  shard.set_address(std::string(300, 'a'));
  EXPECT_THAT(coordinator->RegisterShard(shard), FailsWith(kInvalid, "address has 300 bytes"));
  EXPECT_EQ(Status().live_replicas(), 1);
}

TEST_F(CoordinatorTest, TheClusterTakesNoMoreReplicasThanItsBound) {
  Coordinator::Options options = OptionsFor(SmallRun());
  options.max_replicas = 2;
  Start(SmallRun());
  coordinator = Coordinator::Restore(options, coordinator->Checkpoint()).value();
  FakeReplica first = Join(), second = Join();
  EXPECT_THAT(coordinator->Join(SmallJoin("host")),
              FailsWith(absl::StatusCode::kResourceExhausted, "has 2 replicas"));
  LeaveRequest leave;
  leave.set_replica_id(first.report.replica_id());
  leave.set_incarnation(first.report.incarnation());
  ASSERT_TRUE(coordinator->Leave(leave).ok());
  EXPECT_TRUE(coordinator->Join(SmallJoin("host")).ok());
}

TEST_F(CoordinatorTest, AReplicaThatTakesSlicesAndFinishesNoneJoinsAgain) {
  RunDescription description = SmallRun();
  Start(description);
  FakeReplica hoarder = Join(), other = Join();
  for (int64_t slice = 0; slice < DataSlices::kMostLeases; ++slice)
    ASSERT_TRUE(hoarder.Report(*coordinator, true).value().has_slice());
  EXPECT_TRUE(hoarder.Report(*coordinator).ok()) << "it wants no more";
  EXPECT_THAT(hoarder.Report(*coordinator, true),
              FailsWith(absl::StatusCode::kNotFound, "64 slices unfinished: join again"));
  EXPECT_EQ(Status().live_replicas(), 1);
  EXPECT_EQ(other.Report(*coordinator, true).value().slice().index(), 0) << "its slices are dealt again";
  for (int slice = 0; slice < 65; ++slice) other.report.add_finished();
  EXPECT_THAT(other.Report(*coordinator), FailsWith(kInvalid, "finished has 65 slices, want at most 64"));
}

TEST_F(CoordinatorTest, ADataSummaryThatNoDataSetHasFixesNothing) {
  Create(SmallRun());
  const auto expect_refused = [&](const std::function<void(DataSummary&)>& change, const std::string& text) {
    JoinRequest request = SmallJoin("stranger");
    change(*request.mutable_data());
    EXPECT_THAT(coordinator->Join(request), FailsWith(kInvalid, text));
    EXPECT_FALSE(coordinator->Describe({}).value().has_data()) << text;
  };
  const int32_t huge = std::numeric_limits<int32_t>::max();
  expect_refused([&](DataSummary& data) { data.set_input_dim(huge); }, "input_dim is 2147483647");
  expect_refused([&](DataSummary& data) { data.set_classes(huge); }, "classes is 2147483647");
  expect_refused([&](DataSummary& data) { data.set_utterances(int64_t{1} << 40); }, "utterances is");
  expect_refused([&](DataSummary& data) { data.set_frames(int64_t{1} << 60); }, "frames is");
  expect_refused([&](DataSummary& data) { data.mutable_feature_mean()->Resize(1 << 17, 0); }, "131072");
  expect_refused([&](DataSummary& data) { data.add_feature_stddev(1); },
                 "size of feature_stddev is 1, want 0");
  expect_refused(
      [&](DataSummary& data) {
        data.add_feature_mean(std::nanf(""));
        data.add_feature_stddev(1);
      },
      "feature 0 has mean nan");
}

}  // namespace
}  // namespace downpour
