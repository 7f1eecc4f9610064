// Where on the data's way: for simulations of a cluster: threads that take turns, by a clock of their own.
#ifndef DOWNPOUR_TESTS_TESTING_SIMULATED_THREADS_H_
#define DOWNPOUR_TESTS_TESTING_SIMULATED_THREADS_H_

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"

namespace downpour {

// Runs real code that blocks as if it had machines of its own: one thread at a time runs, until it sleeps;
// then the one runs that wakes first. So the same sleeps give the same run, and an hour takes no time.
class SimulatedThreads final : public Clock {
 public:
  SimulatedThreads() = default;
  // Every thread must have ended.
  ~SimulatedThreads() override {
    for (const auto& thread : threads_) thread->thread.join();
  }

  // `body` runs on a thread of its own. Call it from outside the threads, or from the one that runs.
  void Start(std::function<void()> body);
  // Lets the threads run up to the time `end`, or until all of them have ended; returns whether they have.
  bool RunUntil(absl::Time end);

  absl::Time Now() override { return now_; }
  absl::Time WallNow() override { return now_ + wall_offset_; }
  // Called outside the threads, it does nothing: there only RunUntil() lets time pass.
  void SleepFor(absl::Duration duration) override;
  void JumpWall(absl::Duration forward) { wall_offset_ += forward; }

 private:
  struct Thread {
    std::thread thread;
    absl::Time wakes;
    bool ended = false;
    std::condition_variable its_turn;
  };

  // Null: all have ended. With mutex_ held.
  Thread* NextToWake() const;
  // Gives the turn to the thread that wakes next, which may be the one that runs, or back to RunUntil()'s
  // caller; with mutex_ held.
  void PassTurn();

  std::mutex mutex_;
  std::condition_variable callers_turn_;
  std::vector<std::unique_ptr<Thread>> threads_;
  Thread* turn_ =
      nullptr;  // who runs; null: RunUntil()'s caller. Guarded by mutex_, as what it hands over is
  absl::Time end_ = absl::InfinitePast();  // of the RunUntil() that runs
  absl::Time now_ = absl::UnixEpoch() + absl::Hours(24 * 365);
  absl::Duration wall_offset_;
  static inline thread_local Thread* self_ = nullptr;
};

inline void SimulatedThreads::Start(std::function<void()> body) {
  Thread* const thread = threads_.emplace_back(std::make_unique<Thread>()).get();
  thread->wakes = now_;
  thread->thread = std::thread([this, thread, body = std::move(body)] {
    self_ = thread;
    {
      std::unique_lock lock(mutex_);
      thread->its_turn.wait(lock, [&] { return turn_ == thread; });
    }
    body();
    const std::lock_guard lock(mutex_);
    thread->ended = true;
    PassTurn();
  });
}

inline SimulatedThreads::Thread* SimulatedThreads::NextToWake() const {
  Thread* next = nullptr;
  for (const auto& thread : threads_) {
    if (!thread->ended && (next == nullptr || thread->wakes < next->wakes)) next = thread.get();
  }
  return next;
}

inline void SimulatedThreads::PassTurn() {
  Thread* const next = NextToWake();
  if (next == nullptr || next->wakes > end_) {
    turn_ = nullptr;
    callers_turn_.notify_one();
    return;
  }
  now_ = std::max(now_, next->wakes);
  turn_ = next;
  if (next != self_) next->its_turn.notify_one();
}

inline void SimulatedThreads::SleepFor(absl::Duration duration) {
  if (self_ == nullptr) return;
  std::unique_lock lock(mutex_);
  self_->wakes = now_ + duration;
  PassTurn();
  self_->its_turn.wait(lock, [&] { return turn_ == self_; });
}

inline bool SimulatedThreads::RunUntil(absl::Time end) {
  std::unique_lock lock(mutex_);
  end_ = end;
  PassTurn();
  callers_turn_.wait(lock, [&] { return turn_ == nullptr; });
  if (NextToWake() == nullptr) return true;
  now_ = end;
  return false;
}

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_SIMULATED_THREADS_H_
