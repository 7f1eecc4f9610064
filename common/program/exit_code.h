// Where on the data's way: at the end of every program; a status as a message and an exit code.
#ifndef DOWNPOUR_COMMON_PROGRAM_EXIT_CODE_H_
#define DOWNPOUR_COMMON_PROGRAM_EXIT_CODE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace downpour {

// What main returns for `status`, by the codes in common/program/command_line.h: 0 for OK, kExitInterrupted for
// CANCELLED, kExitUsage for what only other flags, run description or data can cure, kExitFailed for the
// rest. Prints "program: message" to stderr unless it is OK.
int ExitCode(absl::string_view program, const absl::Status& status);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_EXIT_CODE_H_
