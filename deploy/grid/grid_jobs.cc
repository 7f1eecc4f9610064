// Where on the data's way: deploy/grid, during the runs; spawns processes, passes Ctrl-C on, waits for all.
#include "deploy/grid/grid_jobs.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/file/file.h"
#include "common/program/interrupt.h"
#include "common/program/run_program.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

constexpr absl::Duration kPollInterval = absl::Milliseconds(100);

// posix_spawn blocks signals until the new program has its own handlers, so that no SIGINT is lost.
absl::StatusOr<pid_t> Spawn(const GridJob& job) {
  std::vector<char*> arguments;
  for (const std::string& argument : job.command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, job.log.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                   0644);
  posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, arguments[0], &files, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error == 0) return pid;
  return absl::InternalError(
      absl::StrCat("cannot start ", job.command[0], " with log ", job.log, ": ", std::strerror(error)));
}

absl::Status StatusOf(const GridJob& job, int wait_status) {
  if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) return absl::OkStatus();
  const std::string text =
      absl::StrCat(job.name, " failed with ",
                   WIFEXITED(wait_status) ? absl::StrCat("exit code ", WEXITSTATUS(wait_status))
                                          : absl::StrCat("signal ", WTERMSIG(wait_status)),
                   "; its log ", job.log, " ends with\n", absl::StrJoin(LastLines(job.log, 3), "\n"));
  if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == kExitUsage)
    return absl::FailedPreconditionError(text);
  return absl::InternalError(text);
}

}  // namespace

absl::Status RunGridJobs(const std::vector<GridJob>& jobs, int at_once, const GridJobEvents& events,
                         Clock* clock) {
  struct Running {
    size_t job;
    pid_t pid;
  };
  std::vector<Running> running;
  size_t next = 0;
  bool told = false;
  absl::Status failure;
  for (;;) {
    if (Interrupted() && !told) {
      told = true;
      for (const Running& process : running) kill(-process.pid, SIGINT);
    }
    while (!told && failure.ok() && next < jobs.size() && running.size() < static_cast<size_t>(at_once)) {
      const absl::StatusOr<pid_t> pid = Spawn(jobs[next]);
      failure.Update(pid.status());
      if (pid.ok()) running.push_back({next++, *pid});
    }
    if (running.empty()) break;
    std::vector<size_t> indices;
    indices.reserve(running.size());
    for (const Running& process : running) indices.push_back(process.job);
    events.waiting(indices, failure);
    clock->SleepFor(kPollInterval);
    std::erase_if(running, [&](const Running& process) {
      int wait_status = 0;
      if (waitpid(process.pid, &wait_status, WNOHANG) != process.pid) return false;
      absl::Status end = StatusOf(jobs[process.job], wait_status);
      if (end.ok()) end = events.finished(process.job);
      if (!told) failure.Update(end);
      return true;
    });
  }
  if (!told) return failure;
  return absl::CancelledError(absl::StrCat(failure.message(), failure.ok() ? "" : "\n",
                                           "stopped; the same command goes on from here"));
}

std::vector<std::string> LastLines(const std::string& log, size_t count) {
  const std::vector<std::string> lines =
      absl::StrSplit(ReadFile(log).value_or(""), absl::ByAnyChar("\r\n"), absl::SkipWhitespace());
  return {lines.end() - static_cast<int64_t>(std::min(count, lines.size())), lines.end()};
}

}  // namespace downpour
