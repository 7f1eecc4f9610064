// Where on the data's way: beside a shard; polls the coordinator once a second.
#include "server/shard/server_loop.h"

#include <utility>

#include "common/back_off.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

constexpr absl::Duration kPoll = absl::Seconds(1);
constexpr absl::Duration kRegisterPoll = absl::Milliseconds(200);
constexpr absl::Duration kStalledStreamsPoll = absl::Milliseconds(50);

class ServerLoop {
 public:
  explicit ServerLoop(ServerLoopOptions options)
      : options_(std::move(options)), clock_(options_.clock), last_answer_(clock_->Now()) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(const bool registered, Register());
    return registered ? Serve() : absl::OkStatus();
  }

 private:
  // False: the run is over before this server has a shard.
  absl::StatusOr<bool> Register() {
    for (; !options_.stopped(); clock_->SleepFor(kRegisterPoll)) {
      ASSIGN_OR_RETURN(const bool answered, AskForStatus());
      if (!answered) continue;
      if (IsOver()) return false;
      const absl::StatusOr<RegisterShardReply> registered = options_.register_shard(options_.request);
      if (registered.ok()) {
        ASSIGN_OR_RETURN(shard_, options_.serve(*registered));
        options_.request.set_shard(registered->shard());
        options_.request.set_view(registered->view());
        options_.request.set_run_id(registered->run().run_id());
        return true;
      }
      if (!IsTransient(registered.status())) return registered.status();
    }
    return Stopped();
  }

  absl::Status Serve() {
    absl::Time next_poll = clock_->Now();
    for (; !options_.stopped(); clock_->SleepFor(kStalledStreamsPoll)) {
      options_.end_stalled_streams();
      if (clock_->Now() < next_poll) continue;
      next_poll = clock_->Now() + kPoll;
      options_.report(&options_.request);
      const bool finished = status_.phase() == RunStatus::FINISHED;
      ASSIGN_OR_RETURN(const bool answered, AskForStatus());
      // A coordinator whose run is over waits a while for replicas to leave, then ends.
      if (answered ? IsOver() : finished) return absl::OkStatus();
      if (!answered) continue;
      shard_->set_plateau_factor(status_.plateau_factor());
      const auto registered = options_.register_shard(options_.request);
      if (registered.ok()) {
        shard_->set_last_joined(registered->last_replica_id(), registered->last_incarnation());
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
  RunStatus status_;  // the last that the coordinator gave
  std::shared_ptr<ParameterShard> shard_;
};

}  // namespace

absl::Status RunServer(ServerLoopOptions options) { return ServerLoop(std::move(options)).Run(); }

}  // namespace downpour
