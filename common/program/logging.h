// Where on the data's way: common/program, while a program runs; its log: warnings to the terminal,
// everything to a file.
#ifndef DOWNPOUR_COMMON_PROGRAM_LOGGING_H_
#define DOWNPOUR_COMMON_PROGRAM_LOGGING_H_

#include <string>

#include "absl/status/status.h"

namespace downpour {

// Sends spdlog's default logger to stderr (warnings and worse; everything with `verbose`) and, if `file`
// is not empty, everything to that file, appended, flushed at each warning. UNAVAILABLE: the file cannot
// be opened.
absl::Status SetUpLogging(const std::string& program, const std::string& file, bool verbose);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_LOGGING_H_
