// Where on the data's way: for simulations of a cluster: the real coordinator, which crashes and comes back,
// behind a network that is slow, loses replies and is cut.
#ifndef DOWNPOUR_TESTS_TESTING_SIMULATED_COORDINATOR_H_
#define DOWNPOUR_TESTS_TESTING_SIMULATED_COORDINATOR_H_

#include <algorithm>
#include <memory>
#include <utility>

#include "common/random.h"
#include "gtest/gtest.h"
#include "server/coordinator/coordinator.h"
#include "server/coordinator/run_folder.h"
#include "tests/testing/simulated_threads.h"

namespace downpour {

// A process that calls the coordinator and others.
struct Party {
  bool killed = false;       // then it is answered CANCELLED, and does nothing any more
  absl::Time cut_until;      // before, it reaches nobody
  absl::Time reached_since;  // since when it was neither cut nor the coordinator away
};

// Its disk has one checkpoint, so that what happened after it is lost in a crash.
class SimulatedCoordinator {
 public:
  // `threads` and `random` are not owned.
  SimulatedCoordinator(RunDescription description, SimulatedThreads* threads, Random* random)
      : options_{std::move(description), "run", threads, threads, nullptr, /*checkpointed=*/true},
        threads_(threads),
        random_(random),
        coordinator_(*Coordinator::Create(options_)) {
    Checkpoint();
  }

  bool up() const { return coordinator_ != nullptr; }
  Coordinator& operator*() const { return *coordinator_; }
  absl::Time restored_at() const { return restored_at_; }
  const CoordinatorCheckpoint& on_disk() const { return checkpoint_; }

  bool Cut(const Party& party) const { return threads_->Now() < party.cut_until; }
  void Travel() { threads_->SleepFor(random_->Uniform() * absl::Milliseconds(30)); }

  template <typename Request, typename Reply>
  absl::StatusOr<Reply> Call(Party* party, absl::StatusOr<Reply> (Coordinator::*method)(const Request&),
                             const Request& request) {
    Travel();
    if (party->killed) return absl::CancelledError("killed");
    if (Cut(*party) || !up()) return absl::UnavailableError("nobody answers");
    absl::StatusOr<Reply> reply = ((*coordinator_).*method)(request);
    const bool lost = random_->Uniform() < 0.01;
    Travel();
    if (party->killed) return absl::CancelledError("killed");
    if (lost) return absl::UnavailableError("the reply is lost");
    return reply;
  }

  void Checkpoint() {
    if (!up()) return;
    checkpoint_ = coordinator_->Checkpoint();
    coordinator_->CheckpointWritten(checkpoint_);
  }
  void Crash(absl::Duration away) {
    coordinator_.reset();
    back_ = threads_->Now() + away;
  }
  void ComeBack() { back_ = threads_->Now(); }

  // What its program does now and then.
  void Tick() {
    const absl::Time now = threads_->Now();
    if (!up() && now >= back_) {
      // As RunFolder::Open() does it.
      SkipLostIncarnations(checkpoint_.mutable_membership());
      auto restored = Coordinator::Restore(options_, checkpoint_);
      ASSERT_TRUE(restored.ok()) << restored.status();
      coordinator_ = *std::move(restored);
      restored_at_ = now;
      Checkpoint();
    }
    if (!up()) return;
    coordinator_->RemoveDeadReplicas();
    coordinator_->LookForLostShards();
  }
  // To be called at each tick, for each party.
  void NoteWhetherReached(Party* party) const {
    if (!up() || Cut(*party)) party->reached_since = threads_->Now();
  }
  // For how long the party has had every chance to call it, and it to answer.
  absl::Duration ReachedFor(const Party& party) const {
    return threads_->Now() - std::max(party.reached_since, restored_at_);
  }

 private:
  const Coordinator::Options options_;
  SimulatedThreads* const threads_;
  Random* const random_;
  std::unique_ptr<Coordinator> coordinator_;  // null: down
  CoordinatorCheckpoint checkpoint_;
  absl::Time back_, restored_at_;
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_SIMULATED_COORDINATOR_H_
