// Where on the data's way: common/program, when a program ends; tells errors of the user from those of
// the machine.
#include "common/program/exit_code.h"

#include <cstdio>

#include "absl/strings/str_cat.h"

namespace downpour {

int ExitCode(absl::string_view program, const absl::Status& status) {
  if (status.ok()) return 0;
  std::fputs(absl::StrCat(program, ": ", status.message(), "\n").c_str(), stderr);
  switch (status.code()) {
    case absl::StatusCode::kCancelled:
      return kExitInterrupted;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kUnimplemented:
      return kExitUsage;
    default:
      return kExitFailed;
  }
}

}  // namespace downpour
