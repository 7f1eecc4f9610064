// Where on the data's way: guards coordinator and shards together: synchronous rounds go on and meet again
// after replicas have died at any point and after all servers have been restored from older checkpoints.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "common/random.h"
#include "tests/testing/coordinator_cluster.h"
#include "tests/testing/integer_shard.h"

namespace downpour {
namespace {

constexpr int kReplicas = 5;
constexpr int64_t kElements = 10;

class RoundsTest : public CoordinatorTest, public ::testing::WithParamInterface<int> {
 protected:
  enum class Next { kReport, kFetch, kPushToFirst, kPushToSecond };
  struct Replica {
    FakeReplica reporter;
    Next next = Next::kReport;
    PushHeader header = {};
    std::vector<uint64_t> fetched = {0, 0};
    int late_shards = 0;
  };

  RoundsTest() {
    description_.mutable_cluster()->set_consistency(ClusterDescription::SYNCHRONOUS);
    description_.mutable_cluster()->set_replicas(kReplicas);
    description_.mutable_cluster()->set_backup_replicas(GetParam());
    description_.mutable_budget()->set_updates(1'000'000);
    Start(description_);
    for (int shard = 0; shard < 2; ++shard)
      shards_.push_back(IntegerShard(kElements, {.rounds = RoundsOf(description_.cluster())}));
    for (int i = 0; i < kReplicas; ++i) replicas_.push_back(NewReplica());
  }

  Replica NewReplica() {
    Replica replica{Join()};
    replica.header.replica_id = replica.reporter.report.replica_id();
    replica.header.incarnation = replica.reporter.report.incarnation();
    return replica;
  }

  // False if a restored coordinator has given its id to another: it begins anew.
  bool Push(Replica& replica, int shard) {
    replica.header.fetched_version = replica.fetched[shard];
    const std::vector<float> gradient(kElements, 1);
    const auto outcome = shards_[shard]->ApplyChunk(replica.header, 1000, gradient);
    if (absl::IsAborted(outcome.status())) {
      replica = NewReplica();
      return false;
    }
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    replica.late_shards += outcome->late ? 1 : 0;
    late_pushes_ += outcome->late ? 1 : 0;
    return true;
  }

  // What the replica does next. All but a report that is told to wait gets it further.
  void Step(Replica& replica) {
    switch (replica.next) {
      case Next::kReport: {
        const auto reply = replica.reporter.Report(*coordinator);
        if (!reply.ok()) {
          replica = NewReplica();
        } else if (reply->directive() == ReportReply::CONTINUE) {
          replica.next = Next::kFetch;
        }
        return;
      }
      case Next::kFetch:
        for (int shard = 0; shard < 2; ++shard) replica.fetched[shard] = shards_[shard]->version();
        ++replica.header.sequence;
        replica.late_shards = 0;
        replica.next = Next::kPushToFirst;
        return;
      case Next::kPushToFirst:
        if (Push(replica, 0)) replica.next = Next::kPushToSecond;
        return;
      case Next::kPushToSecond:
        if (!Push(replica, 1)) return;
        if (replica.late_shards < 2) {
          replica.reporter.Push(1);
        } else {
          replica.reporter.AddMinibatch().set_pushes_late(replica.reporter.report.pushes_late() + 1);
        }
        replica.next = Next::kReport;
        return;
    }
  }

  void RestoreShard(size_t shard, const ShardSnapshot& snapshot) {
    ParameterShard::Options options;
    options.run = shards_[shard]->run();
    options.range = shards_[shard]->range();
    options.optimizer = snapshot.header.optimizer();
    options.rounds = RoundsOf(description_.cluster());
    shards_[shard] = *ParameterShard::Restore(options, snapshot);
  }

  // Each replica takes one step, as all of them take about the same time.
  void Tick() {
    clock.Advance(absl::Seconds(2));
    for (Replica& replica : replicas_) Step(replica);
    coordinator->RemoveDeadReplicas();
  }

  RunDescription description_ = SmallRun();
  std::vector<std::shared_ptr<ParameterShard>> shards_;
  std::vector<Replica> replicas_;
  int late_pushes_ = 0;  // counted once for each shard
};

TEST_P(RoundsTest, GoOnAndMeetAgainAfterFaultsOfEveryKind) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    CoordinatorCheckpoint old_coordinator = coordinator->Checkpoint();
    ShardSnapshot old_shard = shards_[0]->Snapshot();
    for (int step = 0; step < 400; ++step) {
      clock.Advance(absl::Milliseconds(1));  // so that a restored coordinator gives out no incarnation again
      const uint64_t choice = random.Below(40);
      Replica& replica = replicas_[random.Below(replicas_.size())];
      if (choice == 0) replica = NewReplica();  // died anywhere; the old one is found dead later
      if (choice == 1) RestoreShard(0, old_shard);
      if (choice == 2) coordinator = *Coordinator::Restore(OptionsFor(description_), old_coordinator);
      if (choice == 3) old_coordinator = coordinator->Checkpoint();
      if (choice == 4) old_shard = shards_[0]->Snapshot();
      if (choice > 4) Step(replica);
    }
    for (int tick = 0; tick < 100; ++tick) Tick();
    ASSERT_EQ(Status().live_replicas(), kReplicas);
    const std::vector<uint64_t> before = {shards_[0]->version(), shards_[1]->version()};
    late_pushes_ = 0;
    for (int tick = 0; tick < 40; ++tick) Tick();
    // A round takes five ticks: report, fetch, two pushes, and the report that is told of the round's end.
    for (int shard = 0; shard < 2; ++shard)
      EXPECT_GE(shards_[shard]->version() - before[shard], 7 * (kReplicas - GetParam())) << "shard " << shard;
    if (GetParam() == 0) {
      EXPECT_EQ(late_pushes_, 0);
    }
  }
}

TEST_P(RoundsTest, GoOnWithFewerReplicasThanARoundNeeds) {
  replicas_.erase(replicas_.begin() + 2, replicas_.end());
  for (int tick = 0; tick < 40; ++tick) Tick();
  ASSERT_EQ(Status().live_replicas(), 2);
  const uint64_t before = shards_[1]->version();
  late_pushes_ = 0;
  for (int tick = 0; tick < 120; ++tick) Tick();
  EXPECT_GE(shards_[1]->version() - before, 6 * (kReplicas - GetParam()));
  EXPECT_EQ(late_pushes_, 0) << "no more go on than the round lacks pushes";
}

INSTANTIATE_TEST_SUITE_P(Backups, RoundsTest, ::testing::Values(0, 2));

}  // namespace
}  // namespace downpour
