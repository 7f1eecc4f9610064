// Where on the data's way: common/program, around every program; from main's arguments to its exit code.
#ifndef DOWNPOUR_COMMON_PROGRAM_RUN_PROGRAM_H_
#define DOWNPOUR_COMMON_PROGRAM_RUN_PROGRAM_H_

#include "common/program/command_line.h"

namespace downpour {

// Exit codes of every program, besides 0 for success.
inline constexpr int kExitFailed = 1;  // the same command may succeed another time
inline constexpr int kExitUsage = 2;   // only other flags, another run description or other data can help
inline constexpr int kExitInterrupted = 130;  // stopped by Ctrl-C, SIGTERM or SIGHUP

struct Program {
  // What it takes besides flags: a run description file and settings, any number of paths, or nothing.
  enum Arguments { kRunDescription, kPaths, kNothing };

  const char* name;   // as it is called, e.g. "downpour-train"
  const char* usage;  // what --help prints first
  absl::Status (*run)(const CommandLine& command_line);
  Arguments arguments = kRunDescription;
  bool looks_at_interrupts = true;  // `run` ends soon after Interrupted(); otherwise Ctrl-C ends the process
};

// For main to return: parses the arguments, runs the program, and prints "name: message" to stderr unless its
// status is OK. Returns kExitInterrupted for CANCELLED; kExitUsage for INVALID_ARGUMENT, NOT_FOUND,
// FAILED_PRECONDITION, OUT_OF_RANGE, DATA_LOSS, UNIMPLEMENTED, PERMISSION_DENIED and UNAUTHENTICATED;
// kExitFailed for other errors, and where there is no memory left.
int RunProgram(int argc, char** argv, const Program& program);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_RUN_PROGRAM_H_
