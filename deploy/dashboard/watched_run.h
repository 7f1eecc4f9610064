// Where on the data's way: the live page; a run folder and its coordinator's answer become what is shown.
#ifndef DOWNPOUR_DEPLOY_DASHBOARD_WATCHED_RUN_H_
#define DOWNPOUR_DEPLOY_DASHBOARD_WATCHED_RUN_H_

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "deploy/report/logged_run.h"
#include "proto/coordinator.pb.h"

namespace downpour {

// Asks the coordinator at host:port; takes a second at most.
using AskCoordinator = std::function<absl::StatusOr<Overview>(const std::string& address)>;

// What is known of one run. Look() brings it up to date. Not thread-safe.
class WatchedRun {
 public:
  // `coordinator`: where to ask for a run in place of the address in its folder; may be empty.
  // The clock is not owned.
  WatchedRun(std::string folder, std::string coordinator, AskCoordinator ask, Clock* clock);

  // Reads the files that have changed, and asks the coordinator unless the run is at its budget. Does nothing
  // within kInterval of the last call; a coordinator that has not answered is asked again after kPatience.
  void Look();

  const LoggedRun& logged() const { return logged_; }
  // Grows whenever logged() changes.
  int64_t version() const { return version_; }
  // The last lines of log.txt, oldest first.
  const std::vector<std::string>& log_lines() const { return log_lines_; }
  // As of the last Look(); none: no coordinator answers.
  const Overview* overview() const { return history_.empty() ? nullptr : &history_.back().overview; }
  // An older answer, with which the newest makes speeds, and the time between them.
  // None: there is no older one.
  const Overview* older() const { return history_.size() < 2 ? nullptr : &history_.front().overview; }
  absl::Duration span() const { return history_.back().when - history_.front().when; }
  // Why there is no overview.
  const std::string& why_no_overview() const { return why_no_overview_; }

  static constexpr absl::Duration kInterval = absl::Milliseconds(900);
  static constexpr absl::Duration kPatience = absl::Seconds(3);
  static constexpr absl::Duration kSpeedSpan = absl::Seconds(10);  // that speeds are means over
  static constexpr size_t kLogLines = 40;

 private:
  struct Answer {
    absl::Time when;
    Overview overview;
  };
  void ReadFiles();
  void Ask(absl::Time now);

  const std::string folder_;
  const std::string coordinator_;
  const AskCoordinator ask_;
  Clock* const clock_;
  absl::Time next_look_ = absl::InfinitePast();
  absl::Time next_question_ = absl::InfinitePast();
  std::string files_;  // names, sizes and times of those that were read
  LoggedRun logged_;
  int64_t version_ = 0;
  std::vector<std::string> log_lines_;
  std::deque<Answer> history_;  // the newest last; none older than kSpeedSpan, but for the first
  std::string why_no_overview_;
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_DASHBOARD_WATCHED_RUN_H_
