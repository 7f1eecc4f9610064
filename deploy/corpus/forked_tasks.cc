// Where on the data's way: forks a process for each task; its status comes through a pipe.
#include "deploy/corpus/forked_tasks.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/file/file_descriptor.h"
#include "common/program/interrupt.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

constexpr absl::Duration kPollInterval = absl::Milliseconds(10);
constexpr size_t kMostMessageBytes = 4000;  // a pipe holds more, so that no child waits for its reader

struct Child {
  pid_t pid = -1;
  FileDescriptor outcome;  // read end of the pipe for its status
  int task = 0;
};

// Writes the task's status to `outcome`: its int32 code, then its message. The exit code cannot tell it,
// because a library may end the process with any code.
[[noreturn]] void RunInChild(const ForkedTasks& tasks, int task, pid_t parent, int outcome) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  const absl::Status status = tasks.run(task);
  const int32_t code = static_cast<int32_t>(status.code());
  std::string record(reinterpret_cast<const char*>(&code), sizeof(code));
  absl::StrAppend(&record, status.message().substr(0, kMostMessageBytes));
  const bool written = write(outcome, record.data(), record.size()) == static_cast<ssize_t>(record.size());
  // Not exit(): buffers and static objects belong to the parent.
  _exit(written ? 0 : 1);
}

absl::StatusOr<Child> Fork(const ForkedTasks& tasks, int task) {
  int ends[2];
  if (pipe(ends) != 0)
    return absl::UnavailableError(absl::StrCat("no pipe for a process: ", std::strerror(errno)));
  FileDescriptor read_end(ends[0]);
  const FileDescriptor write_end(ends[1]);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) RunInChild(tasks, task, parent, write_end.get());
  if (pid > 0) return Child{pid, std::move(read_end), task};
  return absl::UnavailableError(absl::StrCat("no new process: ", std::strerror(errno)));
}

absl::Status StatusOf(const Child& child, int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    return absl::InternalError(
        absl::StrCat("the process of task ", child.task, " was ended by signal ", WTERMSIG(wait_status)));
  }
  int32_t code = 0;
  char record[sizeof(code) + kMostMessageBytes];
  const ssize_t got = read(child.outcome.get(), record, sizeof(record));
  if (WEXITSTATUS(wait_status) != 0 || got < static_cast<ssize_t>(sizeof(code))) {
    return absl::InternalError(
        absl::StrCat("the process of task ", child.task, " ended with exit code ", WEXITSTATUS(wait_status)));
  }
  std::memcpy(&code, record, sizeof(code));
  return absl::Status(static_cast<absl::StatusCode>(code),
                      absl::string_view(record + sizeof(code), got - sizeof(code)));
}

}  // namespace

absl::Status RunForked(const ForkedTasks& tasks, int jobs, Clock* clock) {
  std::vector<Child> children;
  absl::Cleanup kill_children = [&] {
    for (const Child& child : children) {
      kill(child.pid, SIGKILL);
      waitpid(child.pid, nullptr, 0);
    }
  };
  for (;;) {
    if (Interrupted()) return absl::CancelledError("interrupted");
    while (static_cast<int>(children.size()) < jobs) {
      const std::optional<int> task = tasks.next();
      if (!task.has_value()) break;
      ASSIGN_OR_RETURN(children.emplace_back(), Fork(tasks, *task));
    }
    if (children.empty()) return absl::OkStatus();
    clock->SleepFor(kPollInterval);
    for (size_t i = 0; i < children.size();) {
      int wait_status = 0;
      if (waitpid(children[i].pid, &wait_status, WNOHANG) == 0) {
        ++i;
        continue;
      }
      const Child child = std::move(children[i]);
      children.erase(children.begin() + static_cast<int64_t>(i));
      RETURN_IF_ERROR(StatusOf(child, wait_status));
      RETURN_IF_ERROR(tasks.finished(child.task));
    }
  }
}

}  // namespace downpour
