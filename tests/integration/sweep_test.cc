// Where on the data's way: the whole of it, for each run of a small grid: trained with two seeds,
// interrupted, gone on with, and drawn.
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/program/run_program.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/child_process.h"
#include "tests/testing/toy_corpus.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class Sweep : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    WriteToyCorpus(folder_ + "/train", 60, 1);
    WriteToyCorpus(folder_ + "/test", 20, 2);
    std::ofstream(folder_ + "/run.textproto")
        << "data { train_dir: '" << folder_ << "/train' test_dir: '" << folder_ << "/test'"
        << R"(
  left_context: 2 right_context: 2 slice_frames: 200 }
network { hidden_width: 16 }
cluster { minibatch: 10 }
budget { updates: 20000 }
evaluation { every_updates: 2000 })";
    std::ofstream(folder_ + "/grid.textproto") << "base: '" << folder_ << "/run.textproto'"
                                               << R"(
set: "checkpoint.every_s=0.05"
dimension { name: "replicas" field: "cluster.replicas" value: [{ name: "1" }, { name: "4" }] }
seed: [1, 2])";
  }
  std::vector<std::string> Command(const std::string& out, std::vector<std::string> more = {}) const {
    std::vector<std::string> command = {absl::StrCat(DOWNPOUR_PROGRAM_DIR, "/downpour-sweep"),
                                        folder_ + "/grid.textproto",
                                        absl::StrCat("--out=", folder_, "/", out)};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }
  void ExpectMade(const std::vector<std::string>& command) const {
    ChildProcess process(command, folder_ + "/log");
    EXPECT_EQ(process.Wait(), 0) << process.Output();
  }
  std::string Text(const std::string& path) const { return FileText(folder_ + "/" + path); }

  const std::string folder_ = ::testing::TempDir() + "sweep";
};

TEST_F(Sweep, StoppedAtCtrlCGoesOnToTheSameNumbers) {
  const std::vector<std::string> command = Command("stopped", {"--jobs=1"});
  ChildProcess process(command, folder_ + "/log");
  EXPECT_TRUE(WaitFor([&] { return fs::exists(folder_ + "/stopped/1-seed1/checkpoints/cluster.ckpt"); }));
  process.Signal(SIGINT);
  EXPECT_EQ(process.Wait(), kExitInterrupted) << process.Output();
  EXPECT_FALSE(fs::exists(folder_ + "/stopped/4-seed2")) << "begun after Ctrl-C";

  ExpectMade(command);
  EXPECT_THAT(Text("stopped/1-seed1.log"), HasSubstr("Resuming the run"));
  ExpectMade(Command("whole"));
  const std::string csv = Text("stopped/sweep.csv");
  EXPECT_EQ(csv, Text("whole/sweep.csv"));
  const std::vector<std::string> lines = absl::StrSplit(csv, '\n', absl::SkipEmpty());
  ASSERT_THAT(lines, SizeIs(5));
  EXPECT_TRUE(absl::StartsWith(lines[2], "4,1,0.")) << csv;
  EXPECT_TRUE(absl::StartsWith(lines[3], "1,2,0.")) << csv;
  EXPECT_THAT(Text("stopped/report.html"), HasSubstr(" % to "));

  // Nothing is left to do, until a seed is added.
  const fs::file_time_type made = fs::last_write_time(folder_ + "/stopped/4-seed2.log");
  ExpectMade(Command("stopped", {"--seeds=2,3", "--only=replicas=4"}));
  EXPECT_EQ(fs::last_write_time(folder_ + "/stopped/4-seed2.log"), made);
  EXPECT_TRUE(fs::exists(folder_ + "/stopped/4-seed3/finished.textproto"));
}

TEST_F(Sweep, AnotherRunInAFolderIsRefusedBeforeAnyIsMade) {
  ExpectMade(Command("out", {"--budget.updates=100", "--seeds=1"}));
  for (const std::string other : {"--network.hidden_width=[8]", "--budget.updates=50"}) {
    ChildProcess process(Command("out", {other}), folder_ + "/log");
    EXPECT_EQ(process.Wait(), kExitUsage);
    EXPECT_THAT(process.Output(), HasSubstr("/out/1-seed1 holds "));
    EXPECT_FALSE(fs::exists(folder_ + "/out/1-seed2"));
  }
  ExpectMade(Command("out", {"--budget.updates=200", "--seeds=1"}));
  EXPECT_THAT(Text("out/sweep.csv"), HasSubstr(",200,"));
  ExpectMade(Command("out", {"--budget.updates=50", "--seeds=1", "--restart"}));
  EXPECT_THAT(Text("out/sweep.csv"), HasSubstr(",50,"));
}

TEST_F(Sweep, RunsTheCommandsOfAnScpFileOnlyWhereAFlagAllowsThem) {
  std::string scp;
  for (const absl::string_view line : absl::StrSplit(Text("train/feats.scp"), '\n', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> entry = absl::StrSplit(line, ' ');
    int64_t offset = 0;
    ASSERT_TRUE(absl::SimpleAtoi(absl::StripPrefix(entry.second, "feats.ark:"), &offset)) << line;
    absl::StrAppend(&scp, entry.first, " tail -c +", offset + 1, " '", folder_, "/train/feats.ark' |\n");
  }
  std::ofstream(folder_ + "/train/feats.scp") << scp;
  std::vector<std::string> command =
      Command("out", {"--only=replicas=1", "--seeds=1", "--budget.updates=100"});
  ChildProcess refused(command, folder_ + "/log");
  EXPECT_EQ(refused.Wait(), kExitUsage);
  EXPECT_THAT(refused.Output(), HasSubstr("--allow_commands"));
  command.push_back("--allow_commands");
  ExpectMade(command);
}

// With a `docker` that only writes down what it is told.
TEST_F(Sweep, OnComposeEachRunIsAStackOfContainers) {
  fs::create_directories(folder_ + "/path");
  std::ofstream(folder_ + "/path/docker") << "#!/bin/bash\ncd " << folder_ << R"(
case $* in
  "compose up")
    echo "up ${ALLOW_COMMANDS:+with commands }$WORKERS $RUN_NAME $SETTINGS" >>calls
    mkdir "$RUNS_DIR/$RUN_NAME"
    echo updates >"$RUNS_DIR/$RUN_NAME/frame_accuracy.csv" ;;
  "compose ps -aq coordinator") echo its_id ;;
  inspect*its_id) [[ -e code ]] && cat code || echo 0 ;;
  "compose down") echo down >>calls ;;
esac)";
  fs::permissions(folder_ + "/path/docker", fs::perms::owner_all);
  std::vector<std::string> command = {"/usr/bin/env",
                                      absl::StrCat("PATH=", folder_, "/path:", getenv("PATH")),
                                      "SETTINGS=--cluster.n_push=2"};
  for (const std::string& argument : Command("out", {"--on=compose", "--seeds=5"}))
    command.push_back(argument);
  ExpectMade(command);
  EXPECT_EQ(Text("calls"),
            "up 1 1-seed5 --checkpoint.every_s=0.05 --seed=5 --cluster.replicas=1 --name=1-seed5 "
            "--cluster.n_push=2\ndown\n"
            "up 4 4-seed5 --checkpoint.every_s=0.05 --seed=5 --cluster.replicas=4 --name=4-seed5 "
            "--cluster.n_push=2\ndown\n");
  EXPECT_TRUE(fs::exists(folder_ + "/out/report.html"));

  std::ofstream(folder_ + "/code") << 2;
  command.insert(command.end(), {"--only=replicas=9", "--allow_commands"});
  ChildProcess refused(command, folder_ + "/log");
  EXPECT_EQ(refused.Wait(), kExitUsage) << "the coordinator's exit code";
  EXPECT_THAT(refused.Output(), HasSubstr("9-seed5 failed with exit code 2"));
  EXPECT_THAT(Text("calls"), HasSubstr("up with commands 9 9-seed5 "));
}

}  // namespace
}  // namespace downpour
