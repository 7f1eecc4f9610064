// Where on the data's way: for simulations of a cluster: the real coordinator, which crashes and comes back,
// behind a network that is slow, loses replies and is cut.
#ifndef DOWNPOUR_TESTS_TESTING_SIMULATED_COORDINATOR_H_
#define DOWNPOUR_TESTS_TESTING_SIMULATED_COORDINATOR_H_

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "common/tls/permissions.h"
#include "gtest/gtest.h"
#include "server/coordinator/coordinator.h"
#include "server/coordinator/run_folder.h"
#include "tests/testing/simulated_threads.h"

namespace downpour {

// A process that calls the coordinator and others.
struct Party {
  bool killed = false;                           // then it is answered CANCELLED, and does nothing any more
  absl::Time cut_until = absl::UnixEpoch();      // before, it reaches nobody
  absl::Time reached_since = absl::UnixEpoch();  // since when it was neither cut nor the coordinator away
  // Its certificate: the roles, whether it is of another authority, and until when it is good.
  Caller caller = Caller::Unproven();
  bool foreign = false;
  absl::Time expires = absl::InfiniteFuture();
};

// Its disk has one checkpoint, so that what happened after it is lost in a crash.
class SimulatedCoordinator {
 public:
  // `threads` and `random` are not owned.
  SimulatedCoordinator(RunDescription description, SimulatedThreads* threads, Random* random)
      : options_{std::move(description), "run", threads, threads, nullptr, /*checkpointed=*/true, "secret"},
        threads_(threads),
        random_(random),
        coordinator_(*Coordinator::Create(options_)) {
    Checkpoint();
  }

  bool up() const { return coordinator_ != nullptr; }
  Coordinator& operator*() const { return *coordinator_; }
  absl::Time restored_at() const { return restored_at_; }
  // What the replicas that called it were answered.
  const std::vector<JoinReply>& joined() const { return joined_; }
  const CoordinatorCheckpoint& on_disk() const { return checkpoint_; }

  bool Cut(const Party& party) const { return threads_->Now() < party.cut_until; }
  void Travel() { threads_->SleepFor(random_->Uniform() * absl::Milliseconds(30)); }

  template <typename Request, typename Reply>
  absl::StatusOr<Reply> Call(Party* party, absl::StatusOr<Reply> (Coordinator::*method)(const Request&),
                             const Request& request) {
    Travel();
    if (party->killed) return absl::CancelledError("killed");
    if (Cut(*party) || !up()) return absl::UnavailableError("nobody answers");
    if (party->foreign || threads_->Now() >= party->expires)
      return absl::UnavailableError("the handshake fails");
    RETURN_IF_ERROR(CheckMayCall(party->caller, PathOf(Request::descriptor())));
    if constexpr (std::is_same_v<Request, JoinRequest>)
      RETURN_IF_ERROR(CheckMayJoin(party->caller, request.evaluator()));
    absl::StatusOr<Reply> reply = ((*coordinator_).*method)(request);
    if constexpr (std::is_same_v<Reply, JoinReply>)
      if (reply.ok() && reply->replica_id() != 0) joined_.push_back(*reply);
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
  // Of the method that takes such a request.
  static std::string PathOf(const google::protobuf::Descriptor* request) {
    const google::protobuf::ServiceDescriptor& service =
        *request->file()->pool()->FindServiceByName("downpour.ClusterCoordinator");
    for (int i = 0; i < service.method_count(); ++i) {
      if (service.method(i)->input_type() == request)
        return absl::StrCat("/", service.full_name(), "/", service.method(i)->name());
    }
    return "";
  }

  const Coordinator::Options options_;
  SimulatedThreads* const threads_;
  Random* const random_;
  std::unique_ptr<Coordinator> coordinator_;  // null: down
  CoordinatorCheckpoint checkpoint_;
  absl::Time back_, restored_at_;
  std::vector<JoinReply> joined_;
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_SIMULATED_COORDINATOR_H_
