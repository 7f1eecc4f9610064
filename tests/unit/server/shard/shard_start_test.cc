// Where on the data's way: before the shard; which one a server takes up, and from what it starts.
#include "server/shard/shard_start.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "common/layout/network_layout.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/shard/checkpointer.h"
#include "spdlog/sinks/ostream_sink.h"
#include "spdlog/spdlog.h"

namespace downpour {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ShardStartTest : public ::testing::Test {
 protected:
  ShardStartTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }

  void Touch(const std::string& name) const { std::ofstream(folder_ + "/" + name) << "x"; }

  const std::string folder_ = ::testing::TempDir() + "/shard_start_test_" +
                              ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(ShardStartTest, AClaimIsForOneProcess) {
  const auto claim = ClaimShard(folder_, 3);
  ASSERT_TRUE(claim.ok()) << claim.status();
  EXPECT_EQ(ClaimShard(folder_, 3).status(),
            absl::AbortedError("another process serves shard 3 from " + folder_));
  EXPECT_TRUE(ClaimShard(folder_, 4).ok());
  EXPECT_EQ(ClaimShard(folder_ + "/none", 3).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ShardStartTest, WhoIsToldNoIndexTakesUpACheckpointThatNobodyServes) {
  for (const char* name : {"coordinator.ckpt", "shard-.ckpt", "shard-x.ckpt", "shard-1.ckpt.partial"})
    Touch(name);
  EXPECT_FALSE(ClaimShardLeft(folder_)->has_value());
  Touch("shard-2.ckpt");
  Touch("shard-10.ckpt");
  const auto first = ClaimShardLeft(folder_);
  const auto second = ClaimShardLeft(folder_);
  ASSERT_TRUE(first->has_value() && second->has_value());
  EXPECT_EQ((*first)->shard, 2u);
  EXPECT_EQ((*second)->shard, 10u);
  EXPECT_FALSE(ClaimShardLeft(folder_)->has_value());
}

TEST_F(ShardStartTest, WhoIsToldNoIndexComesBackToTheShardThatItServedBeforeAnyCheckpoint) {
  { EXPECT_TRUE(ClaimShard(folder_, 3).ok()); }
  const auto claim = ClaimShardLeft(folder_);
  ASSERT_TRUE(claim->has_value());
  EXPECT_EQ((*claim)->shard, 3u);
  EXPECT_FALSE(ClaimShardLeft(folder_)->has_value());
}

RegisterShardReply Registered(int64_t updates) {
  RegisterShardReply reply;
  reply.mutable_data()->set_input_dim(3);
  reply.mutable_data()->set_classes(5);
  reply.mutable_description()->mutable_cluster()->set_shards(2);
  reply.mutable_run()->set_run_id("run-1");
  reply.mutable_run()->set_layout_fingerprint(NetworkLayout({}, 3, 5)->fingerprint());
  reply.set_shard(1);
  reply.set_updates(updates);
  return reply;
}

TEST_F(ShardStartTest, ANewShardHasACheckpointAtOnce) {
  const auto created = StartShard(Registered(0), folder_);
  ASSERT_TRUE(created.ok()) << created.status();
  const auto restored = StartShard(Registered(700), folder_);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ((*restored)->Snapshot().parameters, (*created)->Snapshot().parameters);
}

TEST_F(ShardStartTest, AShardWhoseCheckpointIsLostIsRefusedUnlessTold) {
  const std::string path = ShardCheckpointPath(folder_, 1);
  const absl::Status refused = StartShard(Registered(700), folder_).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr(path), HasSubstr("700 updates"), HasSubstr("--initial_parameters")));
  EXPECT_FALSE(std::filesystem::exists(path)) << "the next start would not be refused";

  std::ostringstream log;
  spdlog::default_logger()->sinks().push_back(std::make_shared<spdlog::sinks::ostream_sink_mt>(log));
  const auto told = StartShard(Registered(700), folder_, LostState::kInitialParameters);
  spdlog::default_logger()->sinks().pop_back();
  EXPECT_TRUE(told.ok()) << told.status();
  EXPECT_THAT(log.str(), HasSubstr("in a run of 700 updates, so it begins with initial parameters"));
}

TEST_F(ShardStartTest, AShardGetsTheWarmStartAndTheSchedulesLengthInUpdates) {
  RunDescription description = Registered(0).description();
  description.mutable_cluster()->set_minibatch(100);
  description.mutable_cluster()->set_n_push(2);
  description.mutable_cluster()->set_warm_start_updates(30);
  description.mutable_cluster()->mutable_warm_start_optimizer()->set_kind(OptimizerDescription::SGD);
  description.mutable_optimizer()->mutable_schedule()->set_kind(ScheduleDescription::COSINE);
  description.mutable_optimizer()->mutable_schedule()->set_epochs(1.5);
  DataSummary data = Registered(0).data();
  data.set_frames(10'010);
  const ParameterShard::Options options = ShardOptions(description, "run-1", data)->at(1);
  EXPECT_EQ(options.warm_start.updates(), 30);
  EXPECT_EQ(options.warm_start.optimizer().kind(), OptimizerDescription::SGD);
  EXPECT_EQ(options.optimizer.schedule().updates(), 76);  // 15,015 frames, 200 in each update
  EXPECT_TRUE(ParameterShard::Create(options, std::vector<float>(options.range.size())).ok());
  description.mutable_cluster()->set_warm_start_updates(0);
  EXPECT_FALSE(ShardOptions(description, "run-1", data)->at(1).warm_start.has_optimizer());
}

TEST_F(ShardStartTest, AShardThatNoMemoryCanHoldIsRefused) {
  RegisterShardReply reply = Registered(0);
  for (int layer = 0; layer < 2; ++layer)
    reply.mutable_description()->mutable_network()->add_hidden_width(900000);
  reply.mutable_run()->set_layout_fingerprint(
      NetworkLayout(reply.description().network(), 3, 5)->fingerprint());
  const absl::Status status = StartShard(reply, folder_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  // Half of 8.1e11 parameters, each with the two averages of ADADELTA.
  EXPECT_THAT(std::string(status.message()), HasSubstr("shard 1 needs at least 4526.3 GiB of memory"));
}

TEST_F(ShardStartTest, AShardThatTheRunDoesNotHaveIsRefused) {
  RegisterShardReply reply = Registered(0);
  reply.set_shard(2);
  const absl::Status status = StartShard(reply, folder_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("shard 2, want one of its 2"));
}

}  // namespace
}  // namespace downpour
