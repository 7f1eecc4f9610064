// Where on the data's way: common/program, while a program runs; its log, on the terminal and in a file.
#ifndef DOWNPOUR_COMMON_PROGRAM_LOGGING_H_
#define DOWNPOUR_COMMON_PROGRAM_LOGGING_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace downpour {

// Logs to stderr (warnings and worse; everything with `verbose`) and, if `file` is not empty, appends
// everything to that file, flushed at each warning. UNAVAILABLE: the file cannot be opened.
absl::Status SetUpLogging(const std::string& program, const std::string& file, bool verbose);

// Write a line of what absl::StrCat() makes of the arguments. Thread-safe. Only logging.cc includes spdlog:
// its formatting takes as long to compile as the rest of a file.
enum class LogLevel { kInfo, kWarning, kError };
void LogLine(LogLevel level, absl::string_view line);
template <typename... Parts>
void LogInfo(const Parts&... parts) {
  LogLine(LogLevel::kInfo, absl::StrCat(parts...));
}
template <typename... Parts>
void LogWarning(const Parts&... parts) {
  LogLine(LogLevel::kWarning, absl::StrCat(parts...));
}
template <typename... Parts>
void LogError(const Parts&... parts) {
  LogLine(LogLevel::kError, absl::StrCat(parts...));
}

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_LOGGING_H_
