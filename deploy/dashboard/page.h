// Where on the data's way: the live page; makes the parts that the browser shows of a folder of runs.
#ifndef DOWNPOUR_DEPLOY_DASHBOARD_PAGE_H_
#define DOWNPOUR_DEPLOY_DASHBOARD_PAGE_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "deploy/dashboard/run_list.h"
#include "deploy/dashboard/watched_run.h"

namespace downpour {

// What a person looks at: the address of the page.
struct View {
  std::vector<std::string> runs;  // chosen; empty: the one that changed last
  std::string order;              // of the replicas

  // "?run=a&run=b&order=speed", for links.
  std::string Query() const;
};

// (element's id, markup), in the order of the page.
using PageParts = std::vector<std::pair<std::string, std::string>>;

// The runs of a folder, as they are now. Reads and asks only what somebody looks at, at most about once a
// second however many look. Thread-safe.
class Page {
 public:
  // As WatchedRun's.
  Page(std::string root, std::string coordinator, AskCoordinator ask, Clock* clock);

  // The parts that a view has now.
  std::shared_ptr<const PageParts> Parts(const View& view) ABSL_LOCKS_EXCLUDED(mutex_);
  // The whole page with these parts in it.
  static std::string Html(const View& view, const PageParts& parts);

  // The folder of a run. NOT_FOUND: there is no such run.
  absl::StatusOr<std::string> FolderOf(const std::string& run) ABSL_LOCKS_EXCLUDED(mutex_);
  // The main figure of the runs as a file. NOT_FOUND: there is no such run, or none at all.
  absl::StatusOr<std::string> Svg(const View& view) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Made {
    absl::Time until;  // when they are made anew
    std::shared_ptr<const PageParts> parts;
    std::string versions;  // of the runs in `figures`
    std::string figures;
  };

  void ListAgain(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Has(const std::string& run) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  WatchedRun& Watch(const std::string& run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<LoggedRun> Logged(const std::vector<std::string>& chosen) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<std::string> Chosen(const View& view) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string RunsPart(const std::vector<std::string>& chosen) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string FiguresPart(const std::vector<std::string>& chosen, Made* made)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string root_;
  const std::string coordinator_;
  const AskCoordinator ask_;
  Clock* const clock_;
  absl::Mutex mutex_;
  absl::Time next_listing_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::vector<ListedRun> listed_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::unique_ptr<WatchedRun>> watched_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Made> made_ ABSL_GUARDED_BY(mutex_);  // by View::Query() of the chosen runs
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_DASHBOARD_PAGE_H_
