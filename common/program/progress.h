// Where on the data's way: beside it; one line on the terminal that says how far a long job is.
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

  // fraction in [0, 1]; the remaining time is estimated from it and the time since construction (or since the
  // first fraction seen, so that a resumed job is not judged by what was done before).
  void Update(double fraction, absl::string_view detail);
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
