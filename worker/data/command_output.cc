// Where on the data's way: before archives' bytes; runs a command by popen(3).
#include "worker/data/command_output.h"

#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace downpour {

absl::StatusOr<std::string> CommandOutput(const std::string& command, int64_t most_bytes) {
  std::FILE* const pipe = popen(command.c_str(), "re");
  if (pipe == nullptr) return absl::UnavailableError(absl::StrCat(command, "|: ", std::strerror(errno)));
  std::string output;
  std::array<char, 1 << 16> piece;
  size_t got = 0;
  while (static_cast<int64_t>(output.size()) <= most_bytes &&
         (got = std::fread(piece.data(), 1, piece.size(), pipe)) > 0) {
    output.append(piece.data(), got);
  }
  const int status = pclose(pipe);
  if (static_cast<int64_t>(output.size()) > most_bytes) {
    return absl::DataLossError(
        absl::StrCat(command, "|: wrote more than ", most_bytes, " bytes, want one matrix"));
  }
  if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGTERM))
    return absl::CancelledError(absl::StrCat(command, "|: interrupted"));
  if (status != 0) {
    return absl::DataLossError(absl::StrCat(command, "|: ended ",
                                            WIFSIGNALED(status)
                                                ? absl::StrCat("by signal ", WTERMSIG(status))
                                                : absl::StrCat("with exit code ", WEXITSTATUS(status)),
                                            " after ", output.size(), " bytes, want exit code 0"));
  }
  return output;
}

}  // namespace downpour
