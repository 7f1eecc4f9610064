// Where on the data's way: common/program, while a program runs; the terminal's line of how far its job is.
#ifndef DOWNPOUR_COMMON_PROGRAM_PROGRESS_H_
#define DOWNPOUR_COMMON_PROGRAM_PROGRESS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace downpour {

// Rewrites one line on a terminal at most 5 times a second; elsewhere (a pipe, a log) prints a line at most
// every 10 s. Not thread-safe.
class Progress {
 public:
  Progress(std::string label, Clock* clock);
  ~Progress();  // ends the line

  // `fraction` of the job is done, clamped to [0, 1]. The line says how much time is left, estimated from
  // what was done since the first call and how long it took: what a resumed job did earlier does not count.
  void Update(double fraction, absl::string_view detail);
  // Prints the last line, without waiting until one is due.
  void Finish(absl::string_view detail);

 private:
  std::string label_;
  Clock* clock_;
  absl::Time start_;
  absl::Time last_print_ = absl::InfinitePast();
  double first_fraction_ = -1;
  bool terminal_;
  bool line_open_ = false;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_PROGRESS_H_
