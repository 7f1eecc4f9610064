// Where on the data's way: the live page; rows, speeds and marks of replicas and shards.
#include "deploy/dashboard/cluster_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Four replicas, of which the third is slow and the fourth silent, and two shards, of which one is lost.
Overview Answer(int64_t frames) {
  Overview overview;
  overview.set_replica_timeout_s(30);
  overview.mutable_status()->set_updates(10 * frames);
  for (int i = 1; i <= 4; ++i) {
    ReplicaOverview* replica = overview.add_replicas();
    replica->set_replica_id(i);
    replica->set_host(absl::StrCat("node-", 9 - i));
    replica->set_silent_s(i == 4 ? 20 : 0.25);
    replica->set_frames(i == 3 ? frames / 10 : frames);
    replica->set_staleness_mean(2.5 * i);
  }
  for (int i = 0; i < 2; ++i) {
    ShardOverview* shard = overview.add_shards();
    shard->set_shard(i);
    shard->set_address("127.0.0.1:7200");
    shard->set_lost(i == 1);
    shard->mutable_activity()->set_version(5 * frames);
    shard->mutable_activity()->set_bytes_received(1'000'000 * frames);
    shard->mutable_activity()->set_checkpoint_age_s(i == 0 ? 4 : -1);
  }
  return overview;
}

std::string NoLink(absl::string_view) { return "/"; }

class ClusterTables : public ::testing::Test {
 protected:
  const Overview before_ = Answer(100), now_ = Answer(200);
  const ClusterNow cluster_{now_, &before_, absl::Seconds(4)};
};

TEST_F(ClusterTables, AReplicasSpeedIsThatBetweenTwoAnswers) {
  const std::string table = ReplicaTable(cluster_, ReplicaOrder::kId, NoLink);
  EXPECT_THAT(table, HasSubstr("<tr class=\"works\"><td>1</td><td>node-8</td><td>25</td><td>0.2 s</td>"
                               "<td>2.5</td><td>0</td><td>works</td></tr>"));
  EXPECT_THAT(table, HasSubstr("<tr class=\"slow\"><td>3</td>"));
  EXPECT_THAT(table, HasSubstr("<tr class=\"silent\"><td>4</td>"));
}

TEST_F(ClusterTables, WithoutAnOlderAnswerThereIsNoSpeedAndNobodyIsSlow) {
  const std::string table = ReplicaTable({now_}, ReplicaOrder::kId, NoLink);
  EXPECT_THAT(table, HasSubstr("<td>node-8</td><td>–</td>"));
  EXPECT_THAT(table, Not(HasSubstr("class=\"slow\"")));
}

TEST_F(ClusterTables, RowsComeInTheOrderThatIsAskedFor) {
  const auto first = [&](const char* order) {
    const std::string table = ReplicaTable(cluster_, ReplicaOrderFrom(order), NoLink);
    return table.substr(table.find("<td>") + 4, 1);
  };
  EXPECT_EQ(first("id"), "1");
  EXPECT_EQ(first("host"), "4");
  EXPECT_EQ(first("speed"), "3");
  EXPECT_EQ(first("silence"), "4");
  EXPECT_EQ(first("staleness"), "4");
  EXPECT_EQ(first("nonsense"), "1");
}

TEST_F(ClusterTables, TheSummaryCountsStatesAndNamesTheGone) {
  Overview now = now_;
  GoneReplica* gone = now.add_gone();
  gone->set_replica_id(17);
  gone->set_host("<b>");
  gone->set_why("taken for dead");
  gone->set_gone_s(3);
  const std::string summary = ClusterSummary({now, &before_, absl::Seconds(4)});
  EXPECT_THAT(summary, HasSubstr("2,000 updates"));
  EXPECT_THAT(summary, HasSubstr("250 updates a second"));
  EXPECT_THAT(summary, HasSubstr("4 replicas: 2 at work, 1 slow, 1 silent."));
  EXPECT_THAT(summary, HasSubstr("replica 17 on &lt;b&gt;: taken for dead, 3 s ago"));
}

TEST_F(ClusterTables, ShardsHaveSpeedsAndTheAgeOfTheirCheckpoints) {
  const std::string table = ShardTable(cluster_);
  EXPECT_THAT(table, HasSubstr("<td>125</td><td>25</td>"));
  EXPECT_THAT(table, HasSubstr("<td>4 s ago</td>"));
  EXPECT_THAT(table, HasSubstr("<td>lost</td>"));
}

TEST_F(ClusterTables, ATimeThatCannotBeIsNotShown) {
  Overview now = now_;
  now.mutable_shards(0)->mutable_activity()->set_checkpoint_age_s(1e300);
  now.mutable_replicas(0)->set_silent_s(NAN);
  EXPECT_THAT(ShardTable({now}), HasSubstr("<td>– ago</td>"));
  EXPECT_THAT(ReplicaTable({now}, ReplicaOrder::kId, NoLink),
              HasSubstr("<td>node-8</td><td>–</td><td>–</td>"));
}

// A shard's server that has started anew counts its bytes from 0.
TEST_F(ClusterTables, ACounterThatBeganAnewHasNoSpeed) {
  EXPECT_THAT(ShardTable({before_, &now_, absl::Seconds(4)}), HasSubstr("<td>–</td><td>–</td>"));
}

}  // namespace
}  // namespace downpour
