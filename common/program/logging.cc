// Where on the data's way: common/program, while a program runs; spdlog's sinks, levels and line format.
#include "common/program/logging.h"

#include <memory>
#include <vector>

#include "absl/strings/ascii.h"
#include "spdlog/sinks/rotating_file_sink.h"
#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"

namespace downpour {

absl::Status SetUpLogging(const std::string& program, const std::string& file, bool verbose) {
  auto terminal = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  terminal->set_level(verbose ? spdlog::level::debug : spdlog::level::warn);
  std::vector<spdlog::sink_ptr> sinks = {terminal};
  if (!file.empty()) {
    try {
      sinks.push_back(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(file, kMostLogBytes, 1));
    } catch (const spdlog::spdlog_ex& error) {
      return absl::UnavailableError(absl::StrCat("cannot open the log file ", file, ": ", error.what()));
    }
  }
  auto logger = std::make_shared<spdlog::logger>(program, sinks.begin(), sinks.end());
  logger->set_level(spdlog::level::debug);
  logger->flush_on(spdlog::level::warn);
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %n %^%l%$ %v");
  spdlog::set_default_logger(std::move(logger));
  spdlog::flush_every(std::chrono::seconds(2));
  return absl::OkStatus();
}

std::string OneLine(absl::string_view text) {
  std::string line;
  for (const char c : text.substr(0, kMostLineBytes)) {
    if (c == '\n' || c == '\t') {
      absl::StrAppend(&line, c == '\n' ? "\\n" : "\\t");
    } else if (absl::ascii_iscntrl(c)) {
      absl::StrAppend(&line, "\\x", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    } else {
      line.push_back(c);
    }
  }
  if (text.size() > kMostLineBytes)
    absl::StrAppend(&line, "... and ", text.size() - kMostLineBytes, " bytes");
  return line;
}

void LogLine(LogLevel level, absl::string_view text) {
  const std::string line = OneLine(text);
  const auto severity = level == LogLevel::kInfo      ? spdlog::level::info
                        : level == LogLevel::kWarning ? spdlog::level::warn
                                                      : spdlog::level::err;
  spdlog::default_logger_raw()->log(severity, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace downpour
