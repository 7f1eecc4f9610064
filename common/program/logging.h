// Where on the data's way: common/program, while a program runs; its log, on the terminal and in a file.
#ifndef DOWNPOUR_COMMON_PROGRAM_LOGGING_H_
#define DOWNPOUR_COMMON_PROGRAM_LOGGING_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace downpour {

inline constexpr size_t kMostLogBytes = size_t{16} << 20;

// Logs to stderr (warnings and worse; everything with `verbose`) and, if `file` is not empty, appends
// everything to that file, flushed at each warning. A file of kMostLogBytes becomes the older generation,
// log.1.txt beside log.txt, in place of the one before, and the log goes on in a new file.
// UNAVAILABLE: the file cannot be opened.
absl::Status SetUpLogging(const std::string& program, const std::string& file, bool verbose);

// `text` as one line that cannot be taken for another: control characters as \n, \t or \xNN, and cut after
// kMostLineBytes, with the number of bytes that are left out. Thread-safe.
inline constexpr size_t kMostLineBytes = 4096;
std::string OneLine(absl::string_view text);

// Write OneLine() of what absl::StrCat() makes of the arguments, some of which may come from the network.
// Thread-safe. Only logging.cc includes spdlog, whose formatting takes as long to compile as a whole file.
enum class LogLevel { kInfo, kWarning, kError };
void LogLine(LogLevel level, absl::string_view text);
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
