// Where on the data's way: inside the virtual cluster; computes replicas' gradients ahead of their virtual
// time.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_COMPUTE_POOL_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_COMPUTE_POOL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "worker/network/network.h"

namespace downpour {

// Runs jobs, earliest deadline first, on the calling thread (inside Finish) and on as many further threads as
// there are further networks. At most `most_ahead` jobs are running or done and not finished, which bounds
// the gradients in memory; a job that Finish needs is never held up by that. All calls come from one thread.
class ComputePool {
 public:
  using Compute = std::function<void(int job, Network& network)>;

  // Jobs are numbered [0, jobs). `compute` runs on any thread, one call a job; networks has at least one
  // element.
  ComputePool(std::vector<std::unique_ptr<Network>> networks, int jobs, int most_ahead, Compute compute);
  // Waits for the running jobs; those not begun are forgotten.
  ~ComputePool();

  // `job` must be new, or finished since its last submission.
  void Submit(int job, int64_t deadline);
  // Returns when `job`, which was submitted, is done: waits where it is running (computing others meanwhile),
  // computes it here where it has not begun.
  void Finish(int job);

  // Waits until no job is running and lets none begin until Resume(): in between the caller may look at all
  // of them.
  void Pause();
  void Resume();
  // While paused: `job` is done and not finished.
  bool done(int job) const;

 private:
  enum class State { kIdle, kWaiting, kRunning, kDone };

  void WorkerLoop(Network& network);
  bool MayBegin() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !waiting_.empty() && ahead_ < most_ahead_;
  }
  bool WorkerMayGoOn() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || (!paused_ && MayBegin());
  }
  bool NoneRuns() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return running_ == 0; }
  // Unlocks while it computes.
  void Run(int job, Network& network) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Compute compute_;
  const int most_ahead_;
  const std::vector<std::unique_ptr<Network>> networks_;  // [0] is the calling thread's

  mutable absl::Mutex mutex_;
  std::set<std::pair<int64_t, int>> waiting_ ABSL_GUARDED_BY(mutex_);  // (deadline, job)
  std::vector<State> states_ ABSL_GUARDED_BY(mutex_);
  std::vector<int64_t> deadlines_ ABSL_GUARDED_BY(mutex_);
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  int ahead_ ABSL_GUARDED_BY(mutex_) = 0;  // running or done
  bool paused_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_COMPUTE_POOL_H_
