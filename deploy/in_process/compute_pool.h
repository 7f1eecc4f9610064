// Where on the data's way: in the virtual cluster, where threads compute gradients ahead of virtual time.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_COMPUTE_POOL_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_COMPUTE_POOL_H_

#include <functional>
#include <set>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "worker/network/network.h"

namespace downpour {

// Runs the job with the earliest deadline first. All calls must come from one thread, which computes inside
// Finish(); every network but the first has a thread of its own. At most `most_ahead` jobs are running, or
// done and not yet finished, which bounds the gradients in memory; the job Finish() asks for may exceed this.
class ComputePool {
 public:
  using Compute = std::function<void(int job, Network& network)>;

  // Jobs are 0 to jobs - 1. `compute` is called on any thread, once a submitted job. `networks`: at least 1.
  ComputePool(std::vector<std::unique_ptr<Network>> networks, int jobs, int most_ahead, Compute compute);
  // Waits for the jobs that are running and drops those that have not begun.
  ~ComputePool();

  // `job` must be new, or finished since it was submitted last. `deadline`: in virtual ns.
  void Submit(int job, int64_t deadline);
  // `job` must have been submitted. Returns when it is done: if it has not begun, this thread computes it; if
  // it is running on another thread, this thread computes other jobs meanwhile.
  void Finish(int job);

  // Pause() waits until no job runs; none begins before Resume(). In between, the jobs' data may be read.
  void Pause();
  void Resume();
  // Only while paused: whether `job` is done and not yet finished.
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
  // Unlocks mutex_ while it computes.
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
