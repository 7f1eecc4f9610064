// Where on the data's way: deploy/grid, during the runs; starts a process for each and waits for their ends.
#ifndef DOWNPOUR_DEPLOY_GRID_GRID_JOBS_H_
#define DOWNPOUR_DEPLOY_GRID_GRID_JOBS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/clock.h"

namespace downpour {

// A process to run. A value.
struct GridJob {
  std::string name;                  // for messages
  std::vector<std::string> command;  // command[0] is a path or, without a slash, looked for in PATH
  std::string log;                   // a file, replaced, that takes both output streams
};

struct GridJobEvents {
  // The job of this index has ended with exit code 0. An error counts as the job's failure.
  std::function<absl::Status(size_t job)> finished;
  // About ten times a second. `failure` is OK until a job has failed.
  std::function<void(const std::vector<size_t>& running, const absl::Status& failure)> waiting;
};

// Runs all jobs in their order, at most `at_once` at a time, each in a process group of its own, so that
// Ctrl-C reaches only this process: that passes SIGINT on once to each group, waits for all, and returns
// CANCELLED. After a failure no other job starts; those that run are waited for. The first failure comes
// back: FAILED_PRECONDITION if the exit code was 2 (kExitUsage), otherwise INTERNAL, with the log's name and
// last lines. Call with one thread only. If this process is killed, its jobs run on.
absl::Status RunGridJobs(const std::vector<GridJob>& jobs, int at_once, const GridJobEvents& events,
                         Clock* clock);

// The last `count` lines of a log that are not empty; a line ends at "\n" or, as progress does, at "\r".
std::vector<std::string> LastLines(const std::string& log, size_t count);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_GRID_GRID_JOBS_H_
