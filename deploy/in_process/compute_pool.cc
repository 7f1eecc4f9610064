// Where on the data's way: every thread takes the waiting job with the earliest deadline.
#include "deploy/in_process/compute_pool.h"

#include "common/check.h"

namespace downpour {

ComputePool::ComputePool(std::vector<std::unique_ptr<Network>> networks, int jobs, int most_ahead,
                         Compute compute)
    : compute_(std::move(compute)),
      most_ahead_(most_ahead),
      networks_(std::move(networks)),
      states_(jobs, State::kIdle),
      deadlines_(jobs) {
  DOWNPOUR_CHECK(!networks_.empty());
  for (size_t i = 1; i < networks_.size(); ++i) {
    threads_.emplace_back([this, i] { WorkerLoop(*networks_[i]); });
  }
}

ComputePool::~ComputePool() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

void ComputePool::Run(int job, Network& network) {
  waiting_.erase({deadlines_[job], job});
  states_[job] = State::kRunning;
  ++running_;
  ++ahead_;
  mutex_.Unlock();
  compute_(job, network);
  mutex_.Lock();
  states_[job] = State::kDone;
  --running_;
}

void ComputePool::WorkerLoop(Network& network) {
  absl::MutexLock lock(&mutex_);
  for (;;) {
    mutex_.Await(absl::Condition(this, &ComputePool::WorkerMayGoOn));
    if (stopping_) return;
    Run(waiting_.begin()->second, network);
  }
}

void ComputePool::Submit(int job, int64_t deadline) {
  absl::MutexLock lock(&mutex_);
  DOWNPOUR_CHECK(states_[job] == State::kIdle);
  states_[job] = State::kWaiting;
  deadlines_[job] = deadline;
  waiting_.insert({deadline, job});
}

void ComputePool::Finish(int job) {
  absl::MutexLock lock(&mutex_);
  DOWNPOUR_CHECK(states_[job] != State::kIdle);
  if (states_[job] == State::kWaiting) Run(job, *networks_[0]);
  while (states_[job] == State::kRunning && MayBegin()) Run(waiting_.begin()->second, *networks_[0]);
  const State* const state = &states_[job];
  mutex_.Await(absl::Condition(
      +[](const State* state) { return *state == State::kDone; }, state));
  states_[job] = State::kIdle;
  --ahead_;
}

void ComputePool::Pause() {
  absl::MutexLock lock(&mutex_);
  paused_ = true;
  mutex_.Await(absl::Condition(this, &ComputePool::NoneRuns));
}

void ComputePool::Resume() {
  absl::MutexLock lock(&mutex_);
  paused_ = false;
}

bool ComputePool::done(int job) const {
  absl::MutexLock lock(&mutex_);
  return states_[job] == State::kDone;
}

}  // namespace downpour
