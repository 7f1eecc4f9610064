// Where on the data's way: guards the programs of deploy/ as a user starts them: they train, draw and export,
// and are stopped, killed, called wrongly and run on a full disk.
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/program/run_program.h"
#include "deploy/in_process/virtual_cluster_checkpoint.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/child_process.h"
#include "tests/testing/toy_corpus.h"
#include "tests/testing/training_run.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Outcome {
  int code = -1;
  std::string output;  // both streams
};

std::string Path(const std::string& program) { return absl::StrCat(DOWNPOUR_PROGRAM_DIR, "/", program); }

// Runs the command to its end.
Outcome Call(const std::vector<std::string>& command) {
  const std::string log = ::testing::TempDir() + "log";
  fs::remove(log);
  ChildProcess process(command, log);
  const int code = process.Wait();
  return {code, process.Output()};
}

class Programs : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    WriteToyCorpus(folder_ + "/train", 60, 1);
    WriteToyCorpus(folder_ + "/test", 20, 2);
  }

  // A command that trains on the toy corpus.
  std::vector<std::string> Train(const std::string& run, int updates,
                                 std::vector<std::string> more = {}) const {
    std::vector<std::string> command = {Path("downpour-train"),
                                        "--run_dir=" + Run(run),
                                        absl::StrCat("--data.train_dir=", folder_, "/train"),
                                        absl::StrCat("--data.test_dir=", folder_, "/test"),
                                        "--data.left_context=2",
                                        "--data.right_context=2",
                                        "--data.slice_frames=200",
                                        "--network.hidden_width=[16]",
                                        "--cluster.replicas=4",
                                        "--cluster.minibatch=10",
                                        absl::StrCat("--budget.updates=", updates),
                                        absl::StrCat("--evaluation.every_updates=", updates / 10),
                                        "--threads=2"};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }
  std::string Run(const std::string& name) const { return absl::StrCat(folder_, "/", name); }

  void ExpectTrained(const std::vector<std::string>& command) const {
    const Outcome outcome = Call(command);
    EXPECT_EQ(outcome.code, 0) << outcome.output;
  }

  // Starts `command`, waits until it has written a checkpoint, and sends it the signal.
  Outcome StopOnceCheckpointed(const std::vector<std::string>& command, const std::string& checkpoint,
                               int signal) const {
    ChildProcess process(command, folder_ + "/log");
    EXPECT_TRUE(WaitFor([&] { return fs::exists(checkpoint) || process.Wait(absl::ZeroDuration()) >= 0; }));
    process.Signal(signal);
    const int code = process.Wait();
    return {code, process.Output()};
  }

  // Exports the run and reads the file's parameters, without its header.
  std::string ExportedTensors(const std::string& run) const {
    const std::string path = Run(run) + ".safetensors";
    const Outcome outcome = Call({Path("downpour-export"), "--run_dir=" + Run(run), "--out=" + path});
    EXPECT_EQ(outcome.code, 0) << outcome.output;
    const std::string bytes = FileText(path);
    uint64_t header = 0;
    if (bytes.size() < sizeof(header)) return "";
    std::memcpy(&header, bytes.data(), sizeof(header));
    return bytes.substr(sizeof(header) + header);
  }
  Curve CurveWithoutWallTime(const std::string& run) const {
    Curve curve = ReadCurve(Run(run));
    for (auto& line : curve) line.erase("wall_s");
    return curve;
  }

  const std::string folder_ = ::testing::TempDir() + "programs";
};

TEST_F(Programs, ANetworkThatNoMemoryCanHoldIsRefusedWithItsSize) {
  std::vector<std::string> command = Train("huge", 10);
  std::replace(command.begin(), command.end(), std::string("--network.hidden_width=[16]"),
               std::string("--network.hidden_width=[300000,300000]"));
  const Outcome outcome = Call(command);
  EXPECT_EQ(outcome.code, kExitUsage) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("parameters and 4 replicas needs at least"), HasSubstr("GiB")));
}

TEST_F(Programs, TrainTwiceThenDrawBothInOneSelfContainedPage) {
  for (const std::string kind : {"ADADELTA", "ADAGRAD"}) {
    ExpectTrained(
        Train(kind, 400,
              {"--name=the " + kind + " run", "--optimizer.kind=" + kind, "--optimizer.learning_rate=0.1"}));
    EXPECT_GT(std::stod(ReadCurve(Run(kind)).back().at("test_frame_accuracy")), 0.5);  // guessing: 0.2
  }
  const Outcome report = Call({Path("downpour-report"), Run("ADADELTA"), Run("ADAGRAD")});
  EXPECT_EQ(report.code, 0) << report.output;
  const std::string html = FileText(Run("report.html")), svg = FileText(Run("report.svg"));
  EXPECT_THAT(svg, AllOf(HasSubstr("<svg"), HasSubstr("</svg>")));
  for (const std::string& text : {report.output, html, svg}) {
    EXPECT_THAT(text, AllOf(HasSubstr("the ADADELTA run"), HasSubstr("the ADAGRAD run")));
  }
  EXPECT_THAT(report.output, AllOf(HasSubstr("report.html"), HasSubstr("report.svg")));
  // The page must have nothing that a browser would fetch.
  std::smatch match;
  const std::regex fetched(
      R"re(<(script|link|img|iframe)[^>]*(src|href)\s*=|@import|url\(\s*["']?(?!#|data:))re");
  EXPECT_FALSE(std::regex_search(html, match, fetched)) << match.str();
}

TEST_F(Programs, ExportGivesTheParametersOfTheCheckpoint) {
  ExpectTrained(Train("run", 100));
  const auto cluster = ReadVirtualCluster(Run("run") + "/checkpoints/cluster.ckpt");
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  std::string wanted;
  for (const ShardSnapshot& shard : cluster->shards) {
    wanted.append(reinterpret_cast<const char*>(shard.parameters.data()), shard.parameters.size() * 4);
  }
  ASSERT_EQ(wanted.size(), 4 * (5 * 8 * 16 + 16 + 16 * 5 + 5));
  const std::string exported = ExportedTensors("run");
  ASSERT_EQ(exported.size(), wanted.size() + 2 * 8 * 4) << "mean and standard deviation come after them";
  EXPECT_EQ(exported.substr(0, wanted.size()), wanted);
}

TEST_F(Programs, TrainingStopsAtCtrlCAndTheSameCommandGoesOn) {
  const std::vector<std::string> command = Train("run", 40000, {"--checkpoint.every_s=0.05"});
  const Outcome stopped = StopOnceCheckpointed(command, Run("run") + "/checkpoints/cluster.ckpt", SIGINT);
  EXPECT_EQ(stopped.code, kExitInterrupted) << stopped.output;
  EXPECT_THAT(stopped.output, HasSubstr("the same command goes on"));
  const Outcome resumed = Call(command);
  EXPECT_EQ(resumed.code, 0) << resumed.output;
  EXPECT_THAT(resumed.output, HasSubstr("Resuming the run in " + Run("run")));
  EXPECT_EQ(ReadCurve(Run("run")).back().at("updates"), "40000");
}

TEST_F(Programs, KilledVirtualRunEndsAsAnUninterruptedOneBitForBit) {
  const std::vector<std::string> command = Train("killed", 40000, {"--checkpoint.every_s=0.05"});
  const std::string checkpoint = Run("killed") + "/checkpoints/cluster.ckpt";
  for (int kills = 0; kills < 2; ++kills) {
    ASSERT_EQ(StopOnceCheckpointed(command, checkpoint, SIGKILL).code, 128 + SIGKILL);
    ASSERT_TRUE(fs::exists(checkpoint));
    EXPECT_TRUE(ReadVirtualCluster(checkpoint).ok());
  }
  ExpectTrained(command);
  ExpectTrained(Train("whole", 40000));
  EXPECT_EQ(CurveWithoutWallTime("killed"), CurveWithoutWallTime("whole"));
  EXPECT_EQ(CurveWithoutWallTime("whole").size(), 11u);
  EXPECT_EQ(ExportedTensors("killed"), ExportedTensors("whole"));
}

TEST_F(Programs, KilledWallRunGoesOnFromItsCheckpoints) {
  const std::vector<std::string> command =
      Train("run", 40000,
            {"--cluster.clock=WALL", "--checkpoint.every_s=0.05", "--optimizer.kind=ADAGRAD",
             "--optimizer.learning_rate=0.05"});
  const std::string checkpoint = Run("run") + "/checkpoints/shard-1.ckpt";
  ASSERT_EQ(StopOnceCheckpointed(command, checkpoint, SIGKILL).code, 128 + SIGKILL);
  const Outcome resumed = Call(command);
  EXPECT_EQ(resumed.code, 0) << resumed.output;
  EXPECT_THAT(resumed.output, HasSubstr("Resuming the run"));
  const Curve curve = ReadCurve(Run("run"));
  for (size_t i = 1; i < curve.size(); ++i) {
    EXPECT_GT(std::stoll(curve[i].at("updates")), std::stoll(curve[i - 1].at("updates"))) << "line " << i;
  }
  EXPECT_GE(std::stoll(curve.back().at("updates")), 40000);
  EXPECT_GT(std::stod(curve.back().at("test_frame_accuracy")), 0.8);
}

TEST_F(Programs, FullDiskAtTheLastCheckpointIsAnErrorAndLosesNothing) {
  ExpectTrained(Train("run", 100));
  const std::string before = ExportedTensors("run");
  const std::string checkpoint = Run("run") + "/checkpoints/cluster.ckpt";
  fs::create_symlink("/dev/full", checkpoint + ".partial");
  const Outcome full = Call(Train("run", 200));
  EXPECT_EQ(full.code, kExitFailed) << full.output;
  EXPECT_THAT(full.output, AllOf(HasSubstr(checkpoint), HasSubstr("No space left on device")));
  EXPECT_EQ(ExportedTensors("run"), before);
  ExpectTrained(Train("run", 200));
  EXPECT_EQ(ReadCurve(Run("run")).back().at("updates"), "200");
}

TEST_F(Programs, UnknownKeyIsFoundByLineAndColumn) {
  const std::string path = folder_ + "/run.textproto";
  std::ofstream(path) << "name: \"x\"\nnetwork {\n  hidden_widht: 5\n}\n";
  for (const std::string program : {"downpour-train", "downpour-coordinator"}) {
    const Outcome outcome = Call({Path(program), path, "--run_dir=" + Run("run")});
    EXPECT_EQ(outcome.code, kExitUsage) << program;
    EXPECT_THAT(outcome.output, AllOf(HasSubstr(path + ":3:3: "), HasSubstr("hidden_widht")));
  }
}

TEST_F(Programs, ConflictingFlagsAreRefused) {
  for (const std::vector<std::string>& flags : std::vector<std::vector<std::string>>{
           {"--seed=1", "--seed=2"}, {"--quiet", "--verbose"}, {"--run_dir=a", "--run_dir=b"}}) {
    const Outcome outcome = Call(Train("run", 100, flags));
    EXPECT_EQ(outcome.code, kExitUsage) << outcome.output;
    const auto name = [](const std::string& flag) { return flag.substr(0, flag.find('=')); };
    EXPECT_THAT(outcome.output, AllOf(HasSubstr(name(flags[0])), HasSubstr(name(flags[1]))));
  }
  EXPECT_FALSE(fs::exists(Run("run") + "/frame_accuracy.csv")) << "one of them has trained";
}

TEST_F(Programs, FolderInsteadOfARunDescriptionIsAClearError) {
  const Outcome outcome = Call({Path("downpour-train"), folder_, "--run_dir=" + Run("run")});
  EXPECT_THAT(outcome.code, ::testing::AnyOf(kExitFailed, kExitUsage)) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr(folder_));
}

class Program : public ::testing::TestWithParam<const char*> {
 protected:
  Outcome CallWith(const std::string& argument) const { return Call({Path(GetParam()), argument}); }
  // downpour-corpus is built only if its libraries are installed.
  bool built() const { return fs::exists(Path(GetParam())); }
};

TEST_P(Program, ExplainsItselfInProse) {
  if (!built()) GTEST_SKIP() << GetParam() << " is not built";
  const Outcome help = CallWith("--help");
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.output, ::testing::MatchesRegex("[A-Z][a-z]+ [a-z](.|\n)*"))
      << "does not begin with prose";
  EXPECT_THAT(help.output, AllOf(HasSubstr("Flags:"), HasSubstr("\n  --"), HasSubstr(GetParam())));
}

TEST_P(Program, RefusesAnUnknownFlag) {
  if (!built()) GTEST_SKIP() << GetParam() << " is not built";
  const Outcome refused = CallWith("--no_such_flag=1");
  EXPECT_EQ(refused.code, kExitUsage);
  EXPECT_THAT(refused.output, AllOf(StartsWith(absl::StrCat(GetParam(), ": ")), HasSubstr("--no_such_flag")));
}

INSTANTIATE_TEST_SUITE_P(All, Program,
                         ::testing::Values("downpour-train", "downpour-sweep", "downpour-report",
                                           "downpour-export", "downpour-corpus", "downpour-coordinator",
                                           "downpour-server", "downpour-worker", "downpour-evaluator"),
                         [](const auto& info) {
                           const std::string name = info.param;
                           return name.substr(name.find('-') + 1);
                         });

}  // namespace
}  // namespace downpour
