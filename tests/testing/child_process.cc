// Where on the data's way: forks, runs the program in a process group of its own, and asks for its end now
// and then.
#include "tests/testing/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "common/check.h"

namespace downpour {

ChildProcess::ChildProcess(const std::vector<std::string>& command, const std::string& log) : log_(log) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_ = fork();
  DOWNPOUR_CHECK(pid_ >= 0);
  if (pid_ > 0) return;
  setpgid(0, 0);
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execv(arguments[0], arguments.data());
  _exit(127);
}

ChildProcess::~ChildProcess() { KillAndWait(); }

void ChildProcess::Signal(int signal) {
  if (exit_code_ < 0) kill(pid_, signal);
}

void ChildProcess::KillAndWait() {
  if (exit_code_ >= 0) return;
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL);
  Wait();
}

int ChildProcess::Wait(absl::Duration timeout) {
  WaitFor(
      [this] {
        int status = 0;
        if (exit_code_ < 0 && waitpid(pid_, &status, WNOHANG) == pid_) {
          exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        return exit_code_ >= 0;
      },
      timeout);
  return exit_code_;
}

std::string ChildProcess::Output() const { return FileText(log_); }

std::string FileText(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace downpour
