// Where on the data's way: deploy/plan, before a run; what it says of the disk against a run of processes.
// (Its updates a second are held against the simulated cluster in unit/deploy/plan/.)
#include "deploy/plan/plan.h"

#include "common/program/run_description.h"
#include "gmock/gmock.h"
#include "tests/testing/processes.h"

namespace downpour {
namespace {

class PlanOfProcesses : public Processes {};

TEST_F(PlanOfProcesses, HasTheSizeOfTheirCheckpoints) {
  cluster_shards_ = 3;
  updates_ = 300;
  more_settings_ = {"--network.hidden_width=[150,150]", absl::StrCat("--data.classes=", kToyClasses)};
  StartAll({0, 1, 2});
  ASSERT_EQ(coordinator_->Wait(), 0) << coordinator_->Output();
  for (const auto& shard : shards_) ASSERT_EQ(shard->Wait(), 0) << shard->Output();

  const auto description = ReadRunDescription(run_dir_ + "/run.textproto");
  ASSERT_TRUE(description.ok()) << description.status();
  constexpr int kToyFeatures = 8;
  const auto plan = MakePlan(*description, 5 * kToyFeatures,
                             {.workers = 4, .worker_bytes_per_s = 1e9, .shard_bytes_per_s = 1e9});
  ASSERT_TRUE(plan.ok()) << plan.status();
  for (int shard = 0; shard < 3; ++shard) {
    for (const char* generation : {"", ".previous"}) {
      const std::string file = absl::StrCat(run_dir_, "/checkpoints/shard-", shard, ".ckpt", generation);
      const auto bytes = static_cast<double>(std::filesystem::file_size(file));
      EXPECT_NEAR(bytes, plan->shard_disk / 3, 2048) << file << ": the ledger and the names are beside it";
    }
  }
}

}  // namespace
}  // namespace downpour
