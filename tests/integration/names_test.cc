// Where on the data's way: the whole of it; names and paths of any bytes, from the data to the exported network.
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/file/file.h"
#include "common/printable.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/child_process.h"
#include "tests/testing/toy_corpus.h"

namespace downpour {
namespace {

// What shells, awk, globs, XML, JSON, textprotos and Kaldi's scp files each have a meaning for; a byte that is
// no UTF-8; and 300 more, which is longer than the coordinator takes as a run's id.
const std::string kName = "a b'\"$(x);=[*]{\\\n\t<&>:1 |\xFF\xC3\xA9";
const std::string kLongName = kName + std::string(300, 'n');

class Names : public ::testing::Test {
 protected:
  Names() : folder_(absl::StrCat(::testing::TempDir(), "/names_", getpid(), "/", kName)) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    WriteToyCorpus(folder_ + "/train", 30, 1);
    WriteToyCorpus(folder_ + "/test", 10, 2);
    EXPECT_TRUE(
        ReplaceFile(folder_ + "/my run", {"network { hidden_width: 16 } cluster { replicas: 2 shards: 3 }"})
            .ok());
  }
  ~Names() override { std::filesystem::remove_all(folder_); }

  void Run(std::vector<std::string> command) {
    ChildProcess process(command, ::testing::TempDir() + "/names_output");
    EXPECT_EQ(process.Wait(), 0) << command[0] << ": " << process.Output();
    output_ = process.Output();
  }
  std::vector<std::string> Training(const std::string& program, const std::string& run_dir,
                                    int updates) const {
    return {program,
            folder_ + "/my run",
            "--name=" + kLongName,
            "--run_dir=" + run_dir,
            absl::StrCat("--data.train_dir=", folder_, "/train"),
            absl::StrCat("--data.test_dir=", folder_, "/test"),
            "--data.left_context=2",
            "--cluster.minibatch=10",
            absl::StrCat("--budget.updates=", updates)};
  }
  // Exports the run's network and draws it; both files are valid UTF-8.
  void ExportAndDraw(const std::string& run_dir) {
    Run({Program("downpour-export"), "--run_dir=" + run_dir, "--out=" + folder_ + "/model"});
    const std::string model = ReadFile(folder_ + "/model").value_or("");
    const std::string header = model.substr(8, model.find("\"run_id\"") - 8);
    EXPECT_EQ(Printable(header), header);
    EXPECT_THAT(header, ::testing::HasSubstr("\\\\xff\xC3\xA9nnn"));
    Run({Program("downpour-report"), "--out=" + folder_ + "/report.html", run_dir});
    for (const char* page : {"/report.html", "/report.svg"}) {
      const std::string text = ReadFile(folder_ + page).value_or("");
      EXPECT_THAT(text, ::testing::HasSubstr("\\xff\xC3\xA9nnn")) << page;
      EXPECT_FALSE(absl::StrContains(text, "\xFF")) << page;
    }
  }
  static std::string Program(const std::string& name) {
    return absl::StrCat(DOWNPOUR_PROGRAM_DIR, "/", name);
  }

  const std::string folder_;
  std::string output_;
};

TEST_F(Names, OfAnyBytesTrainResumeExportAndDraw) {
  const std::string run_dir = folder_ + "/the run";
  Run(Training(Program("downpour-train"), run_dir, 50));
  Run(Training(Program("downpour-train"), run_dir, 100));
  EXPECT_THAT(output_, ::testing::HasSubstr("Resuming"));
  const std::string run_id = ReadFile(run_dir + "/run_id").value_or("");
  EXPECT_EQ(Printable(run_id.substr(0, run_id.size() - 1)) + "\n", run_id) << "one line";
  ExportAndDraw(run_dir);
}

TEST_F(Names, OfAnyBytesWorkForARunOfProcesses) {
  const std::string local = absl::StrCat(DOWNPOUR_SOURCE_DIR, "/deploy/local");
  // The run folders' names begin like an option, and look like an assignment to awk; the second is resumed.
  const std::vector<std::pair<std::string, int>> runs = {{"-x", 100}, {"x=y", 100}, {"x=y", 200}};
  for (const auto& [run_dir, updates] : runs) {
    std::vector<std::string> command = Training(local, run_dir, updates);
    command.insert(command.begin(), {"/bin/bash", "-c", "cd \"$1\" && DOWNPOUR_BIN=$2 exec \"${@:3}\"",
                                     "names", folder_, DOWNPOUR_PROGRAM_DIR});
    Run(command);
  }
  ExportAndDraw(folder_ + "/-x");
  ExportAndDraw(folder_ + "/x=y");
}

}  // namespace
}  // namespace downpour
