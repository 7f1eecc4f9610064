// Where on the data's way: common/program, during a run; the line that a terminal shows, at first and as more
// is known.
#include "common/program/run_status.h"

#include <gtest/gtest.h>

namespace downpour {
namespace {

TEST(DescribeStatus, SaysWhatIsKnown) {
  RunStatus status;
  status.set_shards_registered(1);
  EXPECT_EQ(DescribeStatus(status), "0 updates  epoch 0.00  0 replicas  1 shards");
  status.set_phase(RunStatus::TRAINING);
  status.set_updates(1000);
  status.set_epoch(0.154);
  status.set_live_replicas(20);
  status.set_train_loss(5.8006);
  EXPECT_EQ(DescribeStatus(status), "1000 updates  epoch 0.15  20 replicas  train loss 5.801");
  status.mutable_last_evaluation()->mutable_test()->set_frames(1000);
  status.mutable_last_evaluation()->mutable_test()->set_correct(76);
  EXPECT_EQ(DescribeStatus(status),
            "1000 updates  epoch 0.15  20 replicas  train loss 5.801  test frame accuracy 7.60%");
  status.clear_last_evaluation();
  status.set_pushes_late(7);
  EXPECT_EQ(DescribeStatus(status), "1000 updates  epoch 0.15  20 replicas  7 late pushes  train loss 5.801");
  status.clear_pushes_late();
  status.add_shards()->set_silent_s(0.5);
  ShardLiveness* lost = status.add_shards();
  lost->set_shard(1);
  lost->set_silent_s(7.8);
  lost->set_lost(true);
  EXPECT_EQ(DescribeStatus(status),
            "1000 updates  epoch 0.15  20 replicas  shard 1 LOST for 8 s  train loss 5.801");
}

}  // namespace
}  // namespace downpour
