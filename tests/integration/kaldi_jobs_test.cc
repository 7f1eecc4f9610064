// Where on the data's way: before it; workers as jobs of Kaldi's `$cmd JOB=1:N LOG COMMAND...`: whole runs of
// the real programs whose workers are started so.
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/child_process.h"
#include "tests/testing/processes.h"
#include "tests/testing/wait_for.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// What Kaldi's run.pl and slurm.pl have in common: every JOB in log and command becomes the job's number, also
// inside of words; an argument without blanks reaches bash as it is, others in double quotes; both streams go
// to the log; code 0 if all jobs ended with 0. slurm.pl's jobs see no environment but PATH.
constexpr char kCommand[] = R"(#!/bin/bash
range=${1#*=} log=$2
shift 2
line=
for argument; do
  if [[ $argument == *[[:space:]]* ]]; then line+="\"$argument\" "; else line+="$argument "; fi
done
for ((job = ${range%:*}; job <= ${range#*:}; ++job)); do
  env -i PATH="$PATH" bash -c "( ${line//JOB/$job}) >${log//JOB/$job} 2>&1" &
  jobs+=($!)
done
failed=0
for job in "${jobs[@]}"; do wait "$job" || failed=1; done
exit $failed
)";

class KaldiJobs : public Processes {
 protected:
  void SetUp() override {
    Processes::SetUp();
    updates_ = kEnoughToLearn;
    std::ofstream(folder_ + "/cmd") << kCommand;
    fs::permissions(folder_ + "/cmd", fs::perms::owner_all);
    StartCoordinator();
    for (const int shard : {0, 1}) shards_.push_back(StartShard(shard));
    evaluator_ = StartEvaluator();
  }
  std::unique_ptr<ChildProcess> Command(const std::string& jobs, std::vector<std::string> command) const {
    command.insert(command.begin(), {folder_ + "/cmd", "JOB=" + jobs, folder_ + "/worker.JOB.log"});
    return std::make_unique<ChildProcess>(command, folder_ + "/cmd.out");
  }
  std::string Log(int job) const { return FileText(absl::StrCat(folder_, "/worker.", job, ".log")); }
};

TEST_F(KaldiJobs, ProgramsOfTheirOwn) {
  const auto jobs = Command("1:3", {ProgramPath("downpour-worker"), "--coordinator=" + address_, "--verbose",
                                    "--log_file=" + folder_ + "/own.JOB.log"});
  EXPECT_EQ(jobs->Wait(), 0) << jobs->Output() << Log(1);
  ExpectFinishedWell();
  EXPECT_THAT(Log(3), HasSubstr("joined"));
  EXPECT_THAT(FileText(folder_ + "/own.3.log"), HasSubstr("joined"));
}

// Jobs that a queue starts when the run is over, as run.pl does with more jobs than cores, end well too.
TEST_F(KaldiJobs, JobsThatFindTheRunByItsFolder) {
  std::ofstream(run_dir_ + "/coordinator_address") << address_ << "\n";
  const std::vector<std::string> worker = {"env", absl::StrCat("DOWNPOUR_BIN=", DOWNPOUR_PROGRAM_DIR),
                                           absl::StrCat(DOWNPOUR_SOURCE_DIR, "/deploy/slurm/workers.sbatch"),
                                           run_dir_, "--verbose"};
  const auto jobs = Command("1:2", worker);
  EXPECT_EQ(jobs->Wait(), 0) << jobs->Output() << Log(1);
  ExpectFinishedWell();
  EXPECT_THAT(Log(2), HasSubstr("joined"));
  std::ofstream(run_dir_ + "/coordinator_address") << "finished\n";
  const auto late = Command("3:9", worker);
  EXPECT_EQ(late->Wait(), 0) << late->Output() << Log(9);
}

TEST_F(KaldiJobs, AFailedJobFailsTheCommand) {
  const auto jobs = Command("1:1", {ProgramPath("downpour-worker"), "--coordinator=" + address_,
                                    "--data.train_dir=" + folder_ + "/nowhere"});
  EXPECT_EQ(jobs->Wait(), 1);
  EXPECT_THAT(Log(1), HasSubstr("nowhere"));
}

}  // namespace
}  // namespace downpour
