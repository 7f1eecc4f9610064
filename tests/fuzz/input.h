// Where on the data's way: for the fuzz targets whose input is a sequence of messages.
#ifndef DOWNPOUR_TESTS_FUZZ_INPUT_H_
#define DOWNPOUR_TESTS_FUZZ_INPUT_H_

#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "spdlog/spdlog.h"

namespace downpour {

// Nothing of what a target says about its inputs is printed.
inline void SilenceLogs() {
  static google::protobuf::LogSilencer no_complaints_about_utf8;
  spdlog::default_logger_raw()->set_level(spdlog::level::off);
}

// Takes a message off the input, which begins with its length in two bytes. What is longer than the input ends
// with it. To be called while the input has two bytes.
inline absl::string_view TakeMessage(absl::string_view* input) {
  const size_t bytes = size_t{static_cast<uint8_t>((*input)[0])} << 8 | static_cast<uint8_t>((*input)[1]);
  const absl::string_view message = input->substr(2, bytes);
  input->remove_prefix(std::min(input->size(), 2 + bytes));
  return message;
}

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_FUZZ_INPUT_H_
