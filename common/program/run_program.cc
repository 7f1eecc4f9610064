// Where on the data's way: common/program, around every program; how it is set up, and ends with a code.
#include "common/program/run_program.h"

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "common/program/descriptor_limit.h"
#include "common/program/interrupt.h"
#include "common/program/memory.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

absl::Status ParseAndRun(int argc, char** argv, const Program& program) {
  ASSIGN_OR_RETURN(const CommandLine command_line,
                   ParseCommandLine(argc, argv, program.usage,
                                    /*takes_settings=*/program.arguments == Program::kRunDescription));
  if (program.arguments == Program::kNothing && !command_line.positional.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("unexpected argument '", command_line.positional[0], "', want flags only; see --help"));
  }
  if (program.looks_at_interrupts) CatchInterrupts();
  return program.run(command_line);
}

}  // namespace

int RunProgram(int argc, char** argv, const Program& program) {
  EndWithoutMemory(program.name);
  RaiseDescriptorLimit();
  const absl::Status status = ParseAndRun(argc, argv, program);
  if (status.ok()) return 0;
  std::fputs(absl::StrCat(program.name, ": ", status.message(), "\n").c_str(), stderr);
  switch (status.code()) {
    case absl::StatusCode::kCancelled:
      return kExitInterrupted;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return kExitUsage;
    default:
      return kExitFailed;
  }
}

}  // namespace downpour
