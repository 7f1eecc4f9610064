// Where on the data's way: beside a shard; polls the coordinator once a second.
#include "server/shard/server_loop.h"

#include <utility>

#include "common/back_off.h"
#include "common/program/logging.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

constexpr absl::Duration kPoll = absl::Seconds(1);
constexpr absl::Duration kRegisterPoll = absl::Milliseconds(200);
constexpr absl::Duration kStalledStreamsPoll = absl::Milliseconds(50);

class ServerLoop {
 public:
  explicit ServerLoop(ServerLoopOptions options)
      : options_(std::move(options)), clock_(options_.clock), last_answer_(clock_->Now()) {
    if (options_.follower != nullptr) options_.request.set_server(options_.new_number());
  }

  absl::Status Run() {
    absl::StatusOr<State> state = Register();
    while (state.ok() && *state != State::kOver) {
      if (*state == State::kPrimary) {
        state = Serve();
      } else if (*state == State::kFollower) {
        state = Follow();
      } else {
        state = BecomeFollower();
      }
    }
    return state.status();
  }

 private:
  enum class State { kPrimary, kFollower, kDeposed, kOver };

  absl::StatusOr<State> Register() {
    for (; !options_.stopped(); clock_->SleepFor(kRegisterPoll)) {
      ASSIGN_OR_RETURN(const bool answered, AskForStatus());
      if (!answered) continue;
      if (IsOver()) return State::kOver;
      const absl::StatusOr<RegisterShardReply> registered = options_.register_shard(options_.request);
      if (registered.ok()) return Begin(*registered);
      if (!IsTransient(registered.status())) return registered.status();
    }
    return Stopped();
  }

  // With the first answer, and when the server's role is another one than before.
  absl::StatusOr<State> Begin(const RegisterShardReply& registered) {
    RegisterShardRequest& request = options_.request;
    const bool primary = registered.role() == RegisterShardReply::PRIMARY;
    if (primary) {
      std::shared_ptr<ParameterShard> followed;
      if (request.follows()) followed = options_.follower->TakeShard();
      ASSIGN_OR_RETURN(shard_, options_.serve(registered, std::move(followed)));
    } else {
      options_.follower->Follow(registered, request.server());
    }
    request.set_shard(registered.shard());
    request.set_view(registered.view());
    request.set_run_id(registered.run().run_id());
    standbys_ = registered.description().cluster().standbys() > 0;
    request.set_follows(!primary);
    return primary ? State::kPrimary : State::kFollower;
  }

  absl::StatusOr<State> Serve() {
    absl::Time next_poll = clock_->Now();
    for (; !options_.stopped(); clock_->SleepFor(kStalledStreamsPoll)) {
      options_.end_stalled_streams();
      shard_->log().DetachIfSilent();
      const ReplicationLog::Following following = shard_->log().TakeFollowing();
      // Nobody's push is acknowledged until the coordinator knows that the standby is lost.
      if (clock_->Now() < next_poll && following.lost == 0) continue;
      next_poll = clock_->Now() + kPoll;
      options_.report(&options_.request);
      const bool finished = status_.phase() == RunStatus::FINISHED;
      ASSIGN_OR_RETURN(const bool answered, AskForStatus());
      // A coordinator whose run is over waits a while for replicas to leave, then ends.
      if (answered ? IsOver() : finished) return State::kOver;
      if (!answered) continue;
      shard_->set_plateau_factor(status_.plateau_factor());
      options_.request.set_ready(following.ready);
      options_.request.set_lost(following.lost);
      const auto registered = options_.register_shard(options_.request);
      if (registered.ok()) {
        TakeAnswer(*registered);
      } else if (standbys_ && absl::IsFailedPrecondition(registered.status())) {
        LogWarning(registered.status().message());
        return State::kDeposed;
      } else if (!IsTransient(registered.status())) {
        return registered.status();
      }
    }
    return Stopped();
  }

  // Of a primary, which it still is.
  void TakeAnswer(const RegisterShardReply& registered) {
    RegisterShardRequest& request = options_.request;
    shard_->set_last_joined(registered.last_replica_id(), registered.last_incarnation());
    shard_->set_run_secret(registered.run_secret());
    shard_->log().Expect(registered.follower());
    if (registered.view() <= request.view()) return;
    if (request.lost() != 0 && registered.standby() == 0) shard_->log().GoAlone();
    shard_->extend_view(registered.view());
    request.set_view(registered.view());
  }

  // Its state may have what nobody acknowledged, so it takes over that of the new primary.
  absl::StatusOr<State> BecomeFollower() {
    shard_->log().Close();
    options_.stop_serving();
    shard_.reset();
    RegisterShardRequest& request = options_.request;
    request.clear_activity();
    request.clear_ready();
    request.clear_lost();
    request.clear_view();
    request.clear_take_over();
    request.set_server(options_.new_number());
    request.set_follows(true);
    return Register();
  }

  absl::StatusOr<State> Follow() {
    ShardFollower& follower = *options_.follower;
    RegisterShardRequest& request = options_.request;
    absl::Time next_poll = clock_->Now() + kRegisterPoll;
    for (; !options_.stopped(); clock_->SleepFor(kStalledStreamsPoll)) {
      if (clock_->Now() < next_poll) continue;
      next_poll = clock_->Now() + (follower.follows() ? kPoll : kRegisterPoll);
      const bool finished = status_.phase() == RunStatus::FINISHED;
      ASSIGN_OR_RETURN(const bool answered, AskForStatus());
      if (answered ? IsOver() : finished) return State::kOver;
      if (!answered) continue;
      // Without a stream this server's state goes out of date. It gives it up, unless it is the standby: then
      // it may have to take the primary's place with it.
      const bool begins_anew = !follower.follows();
      const uint64_t number = request.server();
      if (begins_anew && follower.has_shard()) {
        request.set_gives_up(number);
        request.set_server(options_.new_number());
      }
      const absl::StatusOr<RegisterShardReply> registered = options_.register_shard(request);
      request.clear_gives_up();
      const bool is_follower = registered.ok() && registered->role() == RegisterShardReply::FOLLOWER;
      if (!is_follower) request.set_server(number);
      if (registered.ok()) {
        if (registered->role() == RegisterShardReply::PRIMARY) return Begin(*registered);
        request.set_view(registered->view());
        if (is_follower && begins_anew) follower.Follow(*registered, request.server());
      } else if (!IsTransient(registered.status())) {
        return registered.status();
      }
    }
    return Stopped();
  }

  // False: the coordinator does not answer just now.
  absl::StatusOr<bool> AskForStatus() {
    const absl::StatusOr<RunStatus> status = options_.get_run_status();
    if (status.ok()) {
      status_ = *status;
      last_answer_ = clock_->Now();
      return true;
    }
    if (IsTransient(status.status()) && clock_->Now() - last_answer_ <= options_.give_up_after) return false;
    return status.status();
  }

  bool IsOver() const { return status_.phase() == RunStatus::FINISHED && status_.live_replicas() == 0; }
  static absl::Status Stopped() { return absl::CancelledError("stopped; the same command resumes"); }

  ServerLoopOptions options_;
  Clock* const clock_;
  absl::Time last_answer_;
  bool standbys_ = false;  // the run has them
  RunStatus status_;       // the last that the coordinator gave
  std::shared_ptr<ParameterShard> shard_;
};

}  // namespace

absl::Status RunServer(ServerLoopOptions options) { return ServerLoop(std::move(options)).Run(); }

}  // namespace downpour
