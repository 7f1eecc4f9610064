// Where on the data's way: the coordinator; how a run comes together: its data, its shards, its replicas.
#include <cmath>

#include "common/layout/network_layout.h"
#include "tests/testing/coordinator_cluster.h"

namespace downpour {
namespace {

TEST_F(CoordinatorTest, WithoutARunIdThereIsNoCoordinator) {
  EXPECT_THAT(Coordinator::Create({SmallRun(), "", &clock, &wall_clock, nullptr}),
              FailsWith(absl::StatusCode::kInvalidArgument, "run_id"));
}

TEST_F(CoordinatorTest, DescribesTheRunBeforeAndAfterItsDataIsKnown) {
  Create(SmallRun());
  DescribeReply reply = coordinator->Describe({}).value();
  EXPECT_EQ(reply.run_id(), "run-1");
  EXPECT_EQ(reply.description().cluster().shards(), 2);
  EXPECT_FALSE(reply.has_data());
  EXPECT_EQ(Status().phase(), RunStatus::WAITING);
  coordinator->Join(SmallJoin("host")).IgnoreError();
  reply = coordinator->Describe({}).value();
  EXPECT_EQ(reply.data().fingerprint(), 0xfeedu);
  ASSERT_EQ(observer.summaries.size(), 1u);
  EXPECT_EQ(observer.summaries[0].frames(), 1000);
}

TEST_F(CoordinatorTest, ShardsWaitForTheDataAndReplicasForTheShards) {
  Create(SmallRun());
  EXPECT_THAT(coordinator->RegisterShard({}),
              FailsWith(absl::StatusCode::kUnavailable, "no replica has joined"));
  EXPECT_THAT(coordinator->Join(SmallJoin("host")),
              FailsWith(absl::StatusCode::kUnavailable, "0 of 2 shards"));
  EXPECT_EQ(coordinator->RegisterShard({}).value().shard(), 0u);
  EXPECT_THAT(coordinator->Join(SmallJoin("host")),
              FailsWith(absl::StatusCode::kUnavailable, "1 of 2 shards"));
  EXPECT_EQ(coordinator->RegisterShard({}).value().shard(), 1u);
  const JoinReply joined = coordinator->Join(SmallJoin("host")).value();
  EXPECT_EQ(joined.replica_id(), 1u);
  EXPECT_GE(joined.incarnation(), 1u);
  EXPECT_EQ(joined.shards_size(), 2);
  EXPECT_EQ(joined.run().run_id(), "run-1");
  EXPECT_EQ(joined.run().layout_fingerprint(),
            NetworkLayout(SmallRun().network(), 6, 4).value().fingerprint());
  EXPECT_EQ(Status().phase(), RunStatus::TRAINING);
  EXPECT_EQ(Status().live_replicas(), 1);
}

TEST_F(CoordinatorTest, AShardGetsTheIndexItWantsOrTheLowestFreeOne) {
  Start(SmallRun());
  RegisterShardRequest request;
  request.set_address("a:1");
  EXPECT_THAT(coordinator->RegisterShard(request),
              FailsWith(absl::StatusCode::kFailedPrecondition, "all 2 shards of the run are registered"));
  request.set_shard(2);
  EXPECT_THAT(coordinator->RegisterShard(request),
              FailsWith(absl::StatusCode::kInvalidArgument, "shard is 2, want 0 to 1"));
  request.set_shard(1);
  EXPECT_EQ(coordinator->RegisterShard(request).value().shard(), 1u);
  EXPECT_EQ(coordinator->Join(SmallJoin("host")).value().shards(1).address(), "a:1");
  request.set_address("b:2");
  EXPECT_EQ(coordinator->RegisterShard(request).value().shard(), 1u);
  EXPECT_EQ(coordinator->Join(SmallJoin("host")).value().shards(1).address(), "b:2");
  request.clear_shard();  // the same server again
  EXPECT_EQ(coordinator->RegisterShard(request).value().shard(), 1u);
}

TEST_F(CoordinatorTest, ShardsAreToldWhichReplicasHaveJoined) {
  Start(SmallRun());
  RegisterShardRequest request;
  request.set_shard(1);
  EXPECT_EQ(coordinator->RegisterShard(request).value().last_replica_id(), 0u);
  Join();
  const JoinReply joined = coordinator->Join(SmallJoin("host")).value();
  const RegisterShardReply reply = coordinator->RegisterShard(request).value();
  EXPECT_EQ(reply.last_replica_id(), joined.replica_id());
  EXPECT_EQ(reply.last_incarnation(), joined.incarnation());
}

TEST_F(CoordinatorTest, AShardIsToldItsViewWhenTheCheckpointThatHasItIsWritten) {
  Coordinator::Options options = OptionsFor(SmallRun());
  options.checkpointed = true;
  coordinator = Coordinator::Create(options).value();
  coordinator->Join(SmallJoin("host")).IgnoreError();
  RegisterShardRequest request;
  request.set_shard(1);
  request.set_address("a:1");
  request.set_folder(77);
  EXPECT_THAT(coordinator->RegisterShard(request),
              FailsWith(absl::StatusCode::kUnavailable, "which is not on disk yet"));
  const CoordinatorCheckpoint checkpoint = coordinator->Checkpoint();
  coordinator->CheckpointWritten(checkpoint);
  EXPECT_EQ(coordinator->RegisterShard(request).value().view(), 1u);
  coordinator = Coordinator::Restore(options, checkpoint).value();
  request.set_view(1);
  EXPECT_EQ(coordinator->RegisterShard(request).value().view(), 1u);
}

TEST_F(CoordinatorTest, ReplicasOfOtherDataOrRunAreTurnedAway) {
  Start(SmallRun());
  const auto expect_refused = [&](const JoinRequest& request, const std::string& text) {
    EXPECT_THAT(coordinator->Join(request), FailsWith(absl::StatusCode::kFailedPrecondition, text));
  };
  JoinRequest request = SmallJoin("host");
  request.mutable_data()->set_input_dim(7);
  expect_refused(request, "input_dim is 7, want 6");
  request = SmallJoin("host");
  request.mutable_data()->set_classes(5);
  expect_refused(request, "classes is 5, want 4");
  request = SmallJoin("host");
  request.mutable_data()->set_fingerprint(1);
  expect_refused(request, "fingerprint is 1, want 65261");
  request = SmallJoin("host");
  request.set_run_id("run-2");
  expect_refused(request, "run_id is 'run-2', want 'run-1'");
  request.set_run_id("run-1");
  EXPECT_TRUE(coordinator->Join(request).ok());
  EXPECT_EQ(Status().live_replicas(), 1);
}

TEST_F(CoordinatorTest, DataThatNoRunCanBeMadeOfFixesNothing) {
  RunDescription description = SmallRun();
  description.mutable_data()->set_classes(8000);
  Create(description);
  EXPECT_THAT(coordinator->Join(SmallJoin("host")),
              FailsWith(absl::StatusCode::kFailedPrecondition, "classes is 4, want 8000"));
  Create(SmallRun());
  JoinRequest request = SmallJoin("host");
  request.mutable_data()->set_utterances(0);
  EXPECT_EQ(coordinator->Join(request).status().code(), absl::StatusCode::kInvalidArgument);
  request = SmallJoin("host");
  request.mutable_data()->set_input_dim(0);
  EXPECT_EQ(coordinator->Join(request).status().code(), absl::StatusCode::kInvalidArgument);
  request.clear_data();
  EXPECT_EQ(coordinator->Join(request).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(coordinator->Describe({}).value().has_data());
  EXPECT_TRUE(observer.summaries.empty());
}

TEST_F(CoordinatorTest, AnEvaluatorsDataFixesNothing) {
  Create(SmallRun());
  JoinRequest request = SmallJoin("stranger");
  request.mutable_data()->set_classes(1 << 20);
  request.set_evaluator(true);
  EXPECT_THAT(coordinator->Join(request), FailsWith(absl::StatusCode::kUnavailable, "no replica has joined"));
  EXPECT_FALSE(coordinator->Describe({}).value().has_data());
  EXPECT_THAT(coordinator->Join(SmallJoin("host")),
              FailsWith(absl::StatusCode::kUnavailable, "0 of 2 shards"));
  EXPECT_EQ(coordinator->Describe({}).value().data().classes(), 4);
  EXPECT_THAT(coordinator->Join(request), FailsWith(absl::StatusCode::kFailedPrecondition, "classes"));
}

TEST_F(CoordinatorTest, AnEvaluatorNeedsNoDataAndIsNoReplica) {
  Start(SmallRun());
  JoinRequest request;
  request.set_evaluator(true);
  const JoinReply joined = coordinator->Join(request).value();
  EXPECT_EQ(joined.shards_size(), 2);
  EXPECT_EQ(joined.data().frames(), 1000);
  EXPECT_EQ(Status().live_replicas(), 0);
}

TEST_F(CoordinatorTest, AShardOfAnotherRunIsTurnedAwayAndItsAddressForgotten) {
  Start(SmallRun());
  RegisterShardRequest request;
  request.set_shard(1);
  request.set_run_id("run-0");
  request.set_address("a:1");
  EXPECT_THAT(coordinator->RegisterShard(request),
              FailsWith(absl::StatusCode::kFailedPrecondition, "run_id is 'run-0'"));
  EXPECT_EQ(coordinator->Join(SmallJoin("host")).value().shards(1).address(), "");
  request.set_run_id("run-1");
  Join().Push(3).Report(*coordinator).IgnoreError();
  EXPECT_EQ(coordinator->RegisterShard(request).value().updates(), 3);
}

TEST_F(CoordinatorTest, NormalisationMayDifferByRoundingOnly) {
  Create(SmallRun());
  JoinRequest request = SmallJoin("host");
  request.mutable_data()->add_feature_mean(-8);
  request.mutable_data()->add_feature_stddev(2);
  EXPECT_THAT(coordinator->Join(request), FailsWith(absl::StatusCode::kUnavailable, "0 of 2 shards"));
  request.mutable_data()->set_feature_mean(0, -8.001f);
  request.mutable_data()->set_feature_stddev(0, 2.001f);
  EXPECT_THAT(coordinator->Join(request), FailsWith(absl::StatusCode::kUnavailable, "0 of 2 shards"));
  request.mutable_data()->set_feature_stddev(0, 2.1f);
  EXPECT_THAT(coordinator->Join(request),
              FailsWith(absl::StatusCode::kFailedPrecondition, "feature_stddev[0] is 2.1"));
  request.mutable_data()->set_feature_mean(0, std::nanf(""));
  EXPECT_THAT(coordinator->Join(request),
              FailsWith(absl::StatusCode::kFailedPrecondition, "feature_mean[0] is nan"));
  EXPECT_THAT(coordinator->Join(SmallJoin("host")),
              FailsWith(absl::StatusCode::kFailedPrecondition, "feature_mean has 0 dimensions"));
}

TEST_F(CoordinatorTest, AReplicaThatComesBackIsAnotherAndGetsTheSliceOfTheDeadOne) {
  Start(SmallRun());
  FakeReplica first = Join();
  const DataSlice slice = first.Report(*coordinator, true).value().slice();
  clock.Advance(absl::Seconds(31));
  coordinator->RemoveDeadReplicas();
  FakeReplica second = Join();
  EXPECT_GT(second.report.replica_id(), first.report.replica_id());
  EXPECT_GT(second.report.incarnation(), first.report.incarnation());
  EXPECT_EQ(Status().live_replicas(), 1);
  EXPECT_THAT(first.Push(1).Report(*coordinator), FailsWith(absl::StatusCode::kNotFound, "join again"));
  EXPECT_EQ(Status().updates(), 0);
  EXPECT_EQ(second.Report(*coordinator, true).value().slice().index(), slice.index());
}

TEST_F(CoordinatorTest, IncarnationsGrowAlsoIfTheCoordinatorForgetsSome) {
  clock.Set(absl::FromUnixSeconds(1'000'000));
  Start(SmallRun());
  const CoordinatorCheckpoint before = coordinator->Checkpoint();
  const uint64_t lost = Join().report.incarnation();
  clock.Advance(absl::Milliseconds(1));
  coordinator = Coordinator::Restore(OptionsFor(SmallRun()), before).value();
  EXPECT_GT(Join().report.incarnation(), lost);
}

}  // namespace
}  // namespace downpour
