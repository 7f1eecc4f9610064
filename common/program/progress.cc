// Where on the data's way: common/program, while a program runs; when a line is due, and how it is rewritten.
#include "common/program/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace downpour {
namespace {

constexpr absl::Duration kTerminalInterval = absl::Milliseconds(200);
constexpr absl::Duration kPipeInterval = absl::Seconds(10);

std::string TimeLeft(double fraction, double first_fraction, absl::Duration elapsed) {
  const double done = fraction - first_fraction;
  if (done <= 0 || elapsed < absl::Seconds(1)) return "";
  const absl::Duration left = elapsed * ((1 - fraction) / done);
  return absl::StrCat("  ", absl::FormatDuration(absl::Ceil(left, absl::Seconds(1))), " left");
}

}  // namespace

Progress::Progress(std::string label, Clock* clock)
    : label_(std::move(label)), clock_(clock), start_(clock->Now()), terminal_(isatty(STDOUT_FILENO) != 0) {}

Progress::~Progress() {
  if (line_open_) std::fputs("\n", stdout);
}

void Progress::Update(double fraction, absl::string_view detail) {
  fraction = std::clamp(fraction, 0.0, 1.0);
  const absl::Time now = clock_->Now();
  if (first_fraction_ < 0) {
    first_fraction_ = fraction;
    start_ = now;
  }
  if (now - last_print_ < (terminal_ ? kTerminalInterval : kPipeInterval)) return;
  last_print_ = now;
  const std::string line = absl::StrFormat("%s %3.0f%%  %s%s", label_, 100 * fraction, detail,
                                           TimeLeft(fraction, first_fraction_, now - start_));
  std::fprintf(stdout, terminal_ ? "\r%s\033[K" : "%s\n", line.c_str());
  std::fflush(stdout);
  line_open_ = terminal_;
}

void Progress::Finish(absl::string_view detail) {
  const std::string line = absl::StrCat(label_, " ", detail);
  std::fprintf(stdout, terminal_ ? "\r%s\033[K\n" : "%s\n", line.c_str());
  std::fflush(stdout);
  line_open_ = false;
}

}  // namespace downpour
