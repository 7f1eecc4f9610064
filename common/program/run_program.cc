// Where on the data's way: common/program, around every program; sets the process up, then calls the
// program's own part.
#include "common/program/run_program.h"

#include "absl/strings/str_cat.h"
#include "common/program/exit_code.h"
#include "common/program/interrupt.h"
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
  return ExitCode(program.name, ParseAndRun(argc, argv, program));
}

}  // namespace downpour
