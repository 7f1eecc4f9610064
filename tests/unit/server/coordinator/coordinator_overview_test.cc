// Where on the data's way: the coordinator; what it tells those who watch, and the same as metrics.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include "server/coordinator/coordinator_metrics.h"
#include "tests/testing/coordinator_cluster.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CoordinatorOverview : public CoordinatorTest {
 protected:
  Overview Now() { return *coordinator->GetOverview({}); }
  std::string Metrics() {
    MetricFamilies families;
    AddRunMetrics(Now(), coordinator->Staleness(), &wall_clock, &families);
    return prometheus::TextSerializer().Serialize(families.families());
  }
};

TEST_F(CoordinatorOverview, HasEachReplicaWithWhatItHasDone) {
  Start(SmallRun());
  FakeReplica a = Join("one"), b = Join("two");
  a.Push(2, 3).Push(1, 9).Report(*coordinator).IgnoreError();
  clock.Advance(absl::Seconds(4));
  b.Push(1).report.set_pushes_rejected(2);
  b.Report(*coordinator).IgnoreError();
  const Overview overview = Now();
  EXPECT_EQ(overview.run_id(), "run-1");
  EXPECT_EQ(overview.status().updates(), 4);
  EXPECT_EQ(overview.replica_timeout_s(), 30);
  ASSERT_EQ(overview.replicas_size(), 2);
  EXPECT_EQ(overview.replicas(0).host(), "one");
  EXPECT_EQ(overview.replicas(0).silent_s(), 4);
  EXPECT_EQ(overview.replicas(0).pushes_applied(), 3);
  EXPECT_EQ(overview.replicas(0).frames(), 30);
  EXPECT_EQ(overview.replicas(0).staleness_mean(), 5);
  EXPECT_EQ(overview.replicas(1).silent_s(), 0);
  EXPECT_EQ(overview.replicas(1).pushes_rejected(), 2);
}

TEST_F(CoordinatorOverview, SaysWhoIsGoneAndWhyTheLatestFirst) {
  Start(SmallRun());
  FakeReplica a = Join("one"), b = Join("two");
  LeaveRequest leave;
  leave.set_replica_id(a.report.replica_id());
  leave.set_incarnation(a.report.incarnation());
  ASSERT_TRUE(coordinator->Leave(leave).ok());
  clock.Advance(absl::Seconds(31));
  coordinator->RemoveDeadReplicas();
  const Overview overview = Now();
  EXPECT_EQ(overview.replicas_size(), 0);
  ASSERT_EQ(overview.gone_size(), 2);
  EXPECT_EQ(overview.gone(0).host(), "two");
  EXPECT_EQ(overview.gone(0).why(), "taken for dead");
  EXPECT_EQ(overview.gone(0).gone_s(), 0);
  EXPECT_EQ(overview.gone(1).why(), "left");
  EXPECT_EQ(overview.gone(1).gone_s(), 31);
  for (int i = 0; i < 30; ++i) Join();
  clock.Advance(absl::Seconds(31));
  coordinator->RemoveDeadReplicas();
  EXPECT_EQ(Now().gone_size(), 20);
}

TEST_F(CoordinatorOverview, PassesOnWhatAShardSaysOfItself) {
  Create(SmallRun());
  coordinator->Join(SmallJoin("host")).IgnoreError();
  RegisterShardRequest request;
  request.set_address("127.0.0.1:7200");
  request.set_folder(7);
  RegisterShardReply registered = *coordinator->RegisterShard(request);
  EXPECT_FALSE(Now().shards(0).has_activity());
  request.set_shard(registered.shard());
  request.set_view(registered.view());
  request.mutable_activity()->set_version(12);
  request.mutable_activity()->set_bytes_received(1000);
  ASSERT_TRUE(coordinator->RegisterShard(request).ok());
  clock.Advance(absl::Seconds(6));
  coordinator->LookForLostShards();
  ASSERT_EQ(Now().shards_size(), 1);
  EXPECT_EQ(Now().shards(0).address(), "127.0.0.1:7200");
  EXPECT_EQ(Now().shards(0).silent_s(), 6);
  EXPECT_TRUE(Now().shards(0).lost());
  EXPECT_EQ(Now().shards(0).activity().version(), 12);
  EXPECT_THAT(Metrics(), HasSubstr("\ndownpour_lost_shards 1\n"));
}

TEST_F(CoordinatorOverview, NamesTheStandbyAndCountsTheShardsThatLackOne) {
  RunDescription description = SmallRun();
  description.mutable_cluster()->set_standbys(1);
  Create(description);
  coordinator->Join(SmallJoin("host")).IgnoreError();
  RegisterShardRequest primary, standby;
  primary.set_shard(0);
  primary.set_address("127.0.0.1:7200");
  primary.set_server(1);
  standby = primary;
  standby.set_address("127.0.0.1:7201");
  standby.set_folder(7);
  standby.set_server(2);
  standby.set_follows(true);
  ASSERT_TRUE(coordinator->RegisterShard(primary).ok());
  ASSERT_TRUE(coordinator->RegisterShard(standby).ok());
  EXPECT_THAT(Metrics(), HasSubstr("\ndownpour_shards_without_standby 1\n"));
  primary.set_view(1);
  primary.set_ready(2);
  ASSERT_TRUE(coordinator->RegisterShard(primary).ok());
  EXPECT_EQ(Now().shards(0).standby(), "127.0.0.1:7201");
  EXPECT_TRUE(Now().status().shards(0).has_standby());
  EXPECT_THAT(Metrics(), HasSubstr("\ndownpour_shards_without_standby 0\n"));
}

TEST_F(CoordinatorOverview, ARestoredCoordinatorStillKnowsTheHosts) {
  Start(SmallRun());
  Join("one");
  const auto restored = *Coordinator::Restore(OptionsFor(SmallRun()), coordinator->Checkpoint());
  EXPECT_EQ(restored->GetOverview({})->replicas(0).host(), "one");
}

TEST_F(CoordinatorOverview, MetricsHaveTheRunsNumbersAndNoLabelAReplica) {
  Start(SmallRun());
  FakeReplica a = Join("node-1");
  a.Push(1, 0).Push(2, 3).Push(1, 100'000).Report(*coordinator).IgnoreError();
  wall_clock.Advance(absl::Seconds(50));
  const std::string metrics = Metrics();
  EXPECT_THAT(metrics, HasSubstr("\ndownpour_updates_total 4\n"));
  EXPECT_THAT(metrics, HasSubstr("\ndownpour_frames_total 40\n"));
  EXPECT_THAT(metrics, HasSubstr("\ndownpour_live_replicas 1\n"));
  EXPECT_THAT(metrics, HasSubstr("\ndownpour_push_staleness_updates_bucket{le=\"0\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("\ndownpour_push_staleness_updates_bucket{le=\"2\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("\ndownpour_push_staleness_updates_bucket{le=\"4\"} 3\n"));
  EXPECT_THAT(metrics, HasSubstr("\ndownpour_push_staleness_updates_bucket{le=\"+Inf\"} 4\n"));
  EXPECT_THAT(metrics, HasSubstr("\ndownpour_last_update_timestamp_seconds 1000\n"));
  EXPECT_THAT(metrics, Not(HasSubstr("node-1")));
}

}  // namespace
}  // namespace downpour
