// Where on the data's way: guards deploy/corpus/: tasks run in processes of their own, and their failures and
// signals are reported.
#include "deploy/corpus/forked_tasks.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// Gives out the tasks 0 to count - 1.
struct Tasks {
  explicit Tasks(int count) {
    tasks.next = [this, count]() -> std::optional<int> {
      return dealt < count ? std::optional(dealt++) : std::nullopt;
    };
    tasks.run = [](int) { return absl::OkStatus(); };
    tasks.finished = [this](int task) {
      finished.push_back(task);
      return absl::OkStatus();
    };
  }
  absl::Status Run(int jobs) { return RunForked(tasks, jobs, Clock::Real()); }

  ForkedTasks tasks;
  int dealt = 0;
  std::vector<int> finished;
};

TEST(ForkedTasksTest, RunsEveryTaskOnceInAProcessOfItsOwn) {
  const std::string folder = ::testing::TempDir() + "/forked";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  int here = 0;
  const pid_t parent = getpid();
  Tasks all(5);
  all.tasks.run = [&](int task) {
    ++here;
    std::ofstream(absl::StrCat(folder, "/", task, "-", here, "-", getppid() == parent)) << "x";
    return absl::OkStatus();
  };
  ASSERT_TRUE(all.Run(2).ok());
  EXPECT_EQ(here, 0) << "tasks must not change this process";
  std::vector<std::string> files;
  for (const auto& file : std::filesystem::directory_iterator(folder))
    files.push_back(file.path().filename().string());
  EXPECT_THAT(files, UnorderedElementsAre("0-1-1", "1-1-1", "2-1-1", "3-1-1", "4-1-1"));
  EXPECT_THAT(all.finished, UnorderedElementsAre(0, 1, 2, 3, 4));
}

TEST(ForkedTasksTest, AsksAgainForTasksWhenOneHasFinished) {
  Tasks chain(0);
  int made = 0;
  chain.tasks.next = [&]() -> std::optional<int> {
    // Each task but the first is given out only after the one before it has finished.
    return made < 4 && static_cast<int>(chain.finished.size()) == made ? std::optional(made++) : std::nullopt;
  };
  ASSERT_TRUE(chain.Run(3).ok());
  EXPECT_EQ(chain.finished, (std::vector<int>{0, 1, 2, 3}));
}

TEST(ForkedTasksTest, HandsBackATasksErrorAndKillsTheOthers) {
  const std::string pipe = ::testing::TempDir() + "/never";
  std::filesystem::remove(pipe);
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  Tasks two(2);
  two.tasks.run = [&](int task) -> absl::Status {
    if (task == 1) return absl::ResourceExhaustedError("disk full: /there");
    std::ifstream blocks_for_ever(pipe);
    return absl::OkStatus();
  };
  const absl::Status status = two.Run(2);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "disk full: /there");
}

TEST(ForkedTasksTest, SaysThatATasksProcessDied) {
  Tasks one(1);
  one.tasks.run = [](int) {
    raise(SIGKILL);
    return absl::OkStatus();
  };
  const absl::Status status = one.Run(2);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("signal 9"));
}

TEST(ForkedTasksTest, ALibraryThatEndsTheProcessIsNoInterruption) {
  for (const int exit_code : {0, 1}) {
    Tasks one(1);
    one.tasks.run = [exit_code](int) -> absl::Status { _exit(exit_code); };
    const absl::Status status = one.Run(2);
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_EQ(status.message(), absl::StrCat("the process of task 0 ended with exit code ", exit_code));
  }
}

}  // namespace
}  // namespace downpour
