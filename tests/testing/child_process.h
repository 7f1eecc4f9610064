// Where on the data's way: for tests of the programs: one program as a user starts it, which a test may
// signal and kill.
#ifndef DOWNPOUR_TESTS_TESTING_CHILD_PROCESS_H_
#define DOWNPOUR_TESTS_TESTING_CHILD_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/testing/wait_for.h"

namespace downpour {

// Its destructor kills the process and its process group if it still runs. Not thread-safe.
class ChildProcess {
 public:
  // command[0] is the program's path. Both output streams are appended to `log`.
  ChildProcess(const std::vector<std::string>& command, const std::string& log);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal);
  void KillAndWait();  // SIGKILL
  // Returns the exit code; 128 + the signal if a signal ended it; -1 if it still runs after `timeout`.
  int Wait(absl::Duration timeout = absl::Seconds(120));
  // What it, and those before it with the same log, have written.
  std::string Output() const;

 private:
  const std::string log_;
  pid_t pid_ = 0;
  int exit_code_ = -1;
};

// The whole file; empty if there is none.
std::string FileText(const std::string& path);

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_CHILD_PROCESS_H_
