// Where on the data's way: common/program, around every program; from main's arguments to its exit code.
#ifndef DOWNPOUR_COMMON_PROGRAM_RUN_PROGRAM_H_
#define DOWNPOUR_COMMON_PROGRAM_RUN_PROGRAM_H_

#include "absl/status/status.h"
#include "common/program/command_line.h"

namespace downpour {

struct Program {
  // What it takes besides flags: a file with a run description and settings of its fields, any number of
  // paths, or nothing.
  enum Arguments { kRunDescription, kPaths, kNothing };

  const char* name;   // as it is called, e.g. "downpour-train"
  const char* usage;  // what --help prints first
  absl::Status (*run)(const CommandLine& command_line);
  Arguments arguments = kRunDescription;
  bool looks_at_interrupts = true;  // `run` ends soon after Interrupted(); otherwise Ctrl-C ends the process
};

// For main to return: parses the arguments, runs the program and prints its error, if any. An exit code as
// ExitCode says.
int RunProgram(int argc, char** argv, const Program& program);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_RUN_PROGRAM_H_
