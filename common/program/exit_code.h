// Where on the data's way: common/program, when a program ends; its last status becomes a message and an
// exit code.
#ifndef DOWNPOUR_COMMON_PROGRAM_EXIT_CODE_H_
#define DOWNPOUR_COMMON_PROGRAM_EXIT_CODE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace downpour {

// Exit codes of every program, besides 0 for success.
inline constexpr int kExitFailed = 1;  // the same command may succeed another time
inline constexpr int kExitUsage = 2;   // only other flags, another run description or other data can help
inline constexpr int kExitInterrupted = 130;  // stopped by Ctrl-C, SIGTERM or SIGHUP

// The exit code for `status`: kExitInterrupted for CANCELLED; kExitUsage for INVALID_ARGUMENT, NOT_FOUND,
// FAILED_PRECONDITION, OUT_OF_RANGE, DATA_LOSS and UNIMPLEMENTED. Prints "program: message" to stderr unless
// it is OK.
int ExitCode(absl::string_view program, const absl::Status& status);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_EXIT_CODE_H_
