// Where on the data's way: guards the processes of a run: those whose state is lost refuse to begin anew, and
// say what is missing and what to do.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "common/program/run_program.h"
#include "tests/testing/processes.h"
#include "tests/testing/wait_for.h"

namespace downpour {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class LostState : public Processes {
 protected:
  void RemoveCheckpoint(const std::string& name) const {
    const std::string path = folder_ + "/run/checkpoints/" + name;
    std::filesystem::remove(path);
    std::filesystem::remove(path + ".previous");
  }
};

TEST_F(LostState, AShardIsRefusedUnlessToldToBeginWithInitialParameters) {
  StartAll();
  WaitForUpdates(20);
  shards_[1]->KillAndWait();
  RemoveCheckpoint("shard-1.ckpt");
  const auto refused = StartShard(1);
  EXPECT_EQ(refused->Wait(), kExitUsage);
  EXPECT_THAT(refused->Output(),
              AllOf(HasSubstr("shard-1.ckpt"), HasSubstr("updates"), HasSubstr("--initial_parameters")));
  const int64_t before = Status().updates();
  shards_[1] = Start("downpour-server", {"--coordinator=" + address_, "--shard=1", "--initial_parameters",
                                         "--state_dir=" + folder_ + "/run/checkpoints"});
  WaitForUpdates(before + 100);
}

TEST_F(LostState, ACoordinatorIsRefusedUnlessToldToGoOnFromItsLog) {
  StartAll();
  WaitForUpdates(600);
  const std::string csv = run_dir_ + "/frame_accuracy.csv";
  const auto lines_of = [&] {
    const std::string text = FileText(csv);
    return std::count(text.begin(), text.end(), '\n');
  };
  ASSERT_TRUE(WaitFor([&] { return lines_of() > 2; }));  // header and two
  coordinator_->KillAndWait();
  RemoveCheckpoint("coordinator.ckpt");
  const std::string lines = FileText(csv);
  std::vector<std::string> arguments = Settings();
  arguments.push_back("--run_dir=" + run_dir_);
  const auto refused = Start("downpour-coordinator", arguments);
  EXPECT_EQ(refused->Wait(), kExitUsage);
  EXPECT_THAT(refused->Output(), AllOf(HasSubstr("coordinator.ckpt"), HasSubstr("run_id"),
                                       HasSubstr("--restart"), HasSubstr("--from_log")));
  EXPECT_EQ(FileText(csv), lines);
  updates_ = kEnoughToLearn;
  more_settings_ = {"--from_log"};
  StartCoordinator();
  ExpectFinishedWell();
  EXPECT_EQ(FileText(csv).substr(0, lines.size()), lines);
}

// With programs that note how they are called. The coordinator dies once.
TEST_F(LostState, DeployLocalThrowsARunAwayOnceAndPassesTheFlagsOn) {
  const std::string bin = folder_ + "/bin", calls = folder_ + "/calls",
                    description = folder_ + "/a.textproto";
  std::filesystem::create_directories(bin);
  std::ofstream(description) << "name: 'a'\n";
  for (const std::string name : {"coordinator", "server", "worker", "evaluator"}) {
    const std::string path = bin + "/downpour-" + name;
    std::ofstream(path) << "#!/bin/bash\necho \"" << name << " $*\" >>" << calls << R"(
for a; do
  [[ $a != --run_dir=* ]] || printf 'cluster {\n  shards: 1\n  replicas: 1\n  standbys: 0\n}\n' >"${a#*=}/run.textproto"
  [[ $a != --port_file=* ]] || echo 127.0.0.1:1 >"${a#*=}"
done
[[ $* != *--restart* ]] || { sleep 0.5; exit 1; }
)";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  ChildProcess local(
      {"/usr/bin/env", "DOWNPOUR_BIN=" + bin, std::string(DOWNPOUR_SOURCE_DIR) + "/deploy/local", description,
       "--run_dir=" + run_dir_, "--restart", "--initial_parameters"},
      folder_ + "/local.out");
  EXPECT_EQ(local.Wait(), 0) << local.Output();
  EXPECT_THAT(local.Output(), HasSubstr("coordinator died with exit code 1; starting it again"));
  int restarts = 0, coordinators = 0;
  for (const absl::string_view line : absl::StrSplit(FileText(calls), '\n')) {
    coordinators += absl::StartsWith(line, "coordinator ");
    restarts += absl::StrContains(line, "--restart");
    EXPECT_EQ(absl::StrContains(line, "--initial_parameters"), absl::StartsWith(line, "server ")) << line;
  }
  EXPECT_EQ(coordinators, 2);
  EXPECT_EQ(restarts, 1);
}

}  // namespace
}  // namespace downpour
