// Where on the data's way: calls coordinator and shards, and looks for a shard again that does not answer.
#include "worker/replica/replica_loop.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <optional>

#include "common/back_off.h"
#include "common/layout/shard_map.h"
#include "common/program/logging.h"
#include "common/program/update_rules.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "common/wire/run_identity.h"
#include "worker/replica/described_run.h"
#include "worker/replica/model_replica.h"
#include "worker/replica/parameter_snapshot.h"

namespace downpour {
namespace {

using PushAction = ModelReplica::PushAction;

constexpr absl::Duration kLongestHeartbeat = absl::Minutes(1);
constexpr absl::Duration kWaitForWork = absl::Milliseconds(200);
constexpr absl::Duration kFirstWaitForOthers = absl::Milliseconds(5);  // each next is twice as long

// Whether the coordinator's answer, or a shard's, says that the replica is to join again.
bool IsForgottenByCoordinator(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsUnauthenticated(status);
}
bool IsForgottenByShard(const absl::Status& status) {
  return absl::IsAborted(status) || absl::IsUnauthenticated(status);
}

class ReplicaLoop {
 public:
  explicit ReplicaLoop(const ReplicaLoopOptions& options) : options_(options) {}

  absl::Status Run();

 private:
  struct Shard {
    KeyRange range;
    ShardAddress address;
    std::unique_ptr<ShardClient> client;  // null until connected
  };

  absl::Status Join();
  absl::Status Train();
  absl::Status Steps();
  absl::Status Fetch();
  absl::Status Push();
  absl::StatusOr<ReportReply::Directive> Report();
  // Tells the coordinator that this replica lives, if it has not heard that for a heartbeat. Thread-safe.
  void SignOfLife() ABSL_LOCKS_EXCLUDED(report_mutex_);
  void LogRejected(const absl::Status& why) const;
  void Leave();

  void Wait(absl::Duration duration);
  bool Stopped() const { return run_finished_ || options_.stopped(); }
  // Asks the coordinator where the shard is. Returns whether it has moved, or may have (the coordinator
  // cannot be reached). Notes whether the run is finished.
  bool LookUp(Shard& shard);

  // Calls `call(shard index, client)` for every shard, with retries. Returns the first failure, if any.
  template <typename Call>
  absl::Status ForEachShard(const Call& call);
  template <typename Attempt>
  auto Retry(const Attempt& attempt);

  const ReplicaLoopOptions& options_;
  uint64_t replica_id_ = 0;
  RunDescription description_;
  RunKey run_;
  std::vector<Shard> shards_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<GradientPool> pool_;
  std::unique_ptr<RoundedGradientPool> rounded_pool_;  // null where pushes are in float32
  std::optional<ParameterSnapshot> parameters_;        // as fetched last
  std::unique_ptr<ModelReplica> replica_;
  uint64_t incarnation_ = 0;
  std::string token_;
  absl::Duration heartbeat_;
  absl::Mutex report_mutex_;
  absl::Time last_report_ ABSL_GUARDED_BY(report_mutex_);
  std::atomic<bool> forgotten_ = false;     // coordinator or shard do not know this incarnation any more
  std::atomic<bool> run_finished_ = false;  // seen in a sign of life or while looking a shard up
  std::atomic<uint64_t> jitter_streams_ = 0;
};

template <typename Attempt>
auto ReplicaLoop::Retry(const Attempt& attempt) {
  Random jitter(options_.jitter_seed, ++jitter_streams_);
  RetryPolicy policy;
  policy.give_up_after = options_.give_up_after;
  policy.stopped = [this] { return Stopped() || forgotten_; };
  return CallWithRetries(policy, options_.clock, &jitter, attempt);
}

template <typename Call>
absl::Status ReplicaLoop::ForEachShard(const Call& call) {
  std::vector<absl::Status> statuses(shards_.size());
  const auto call_one = [&](size_t index) {
    Shard& shard = shards_[index];
    const auto attempt = [&]() -> absl::StatusOr<bool> {
      if (shard.client == nullptr) {
        ASSIGN_OR_RETURN(shard.client,
                         options_.connect_shard(shard.address, shard.range, run_, description_.cluster()));
      }
      RETURN_IF_ERROR(call(index, *shard.client));
      return true;
    };
    statuses[index] = Retry([&]() -> absl::StatusOr<bool> {
                        absl::StatusOr<bool> done = attempt();
                        if (IsForgottenByShard(done.status())) forgotten_ = true;
                        const bool foreign =
                            absl::IsOutOfRange(done.status()) || absl::IsDataLoss(done.status());
                        if (!foreign && !IsTransient(done.status())) return done;
                        SignOfLife();
                        const bool moved = LookUp(shard);
                        if (foreign && moved) return absl::UnavailableError(done.status().message());
                        return done;
                      }).status();
  };
  std::vector<std::future<void>> calls;
  for (size_t index = 0; index < shards_.size(); ++index) {
    if (options_.parallel_shards) {
      calls.push_back(std::async(std::launch::async, call_one, index));
    } else {
      call_one(index);
    }
  }
  // A call may hang for longer than the coordinator's patience with a silent replica.
  for (const std::future<void>& call : calls) {
    while (call.wait_for(absl::ToChronoNanoseconds(heartbeat_)) != std::future_status::ready) SignOfLife();
  }
  for (const absl::Status& status : statuses) RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

bool ReplicaLoop::LookUp(Shard& shard) {
  LogWarning("replica ", replica_id_, ": shard ", shard.address.shard(),
             " does not answer as it should; looking it up");
  const absl::StatusOr<RunStatus> status = options_.coordinator->GetRunStatus({});
  if (!status.ok()) return IsTransient(status.status());
  run_finished_ = status->phase() == RunStatus::FINISHED;
  // An evaluator that joins gets the shard map too. Joining as a replica would begin a new incarnation, which
  // loses this one's data.
  JoinRequest request;
  request.set_run_id(run_.run_id);
  *request.mutable_data() = options_.data_summary;
  request.set_evaluator(true);
  const absl::StatusOr<JoinReply> reply = options_.coordinator->Join(request);
  if (!reply.ok()) return IsTransient(reply.status());
  bool moved = false;
  const std::string old_address = shard.address.address();
  for (const ShardAddress& address : reply->shards()) {
    const bool same_shard = address.shard() == shard.address.shard();
    const bool same_view = !same_shard || address.view() == shard.address.view();
    const bool same_address = address.address() == old_address && same_view;
    // Once another shard has this address, the shard has left it, even if its new one is not known yet.
    if (same_shard == same_address || old_address.empty()) continue;
    moved = true;
    if (!same_shard) continue;
    LogInfo("shard ", address.shard(), " has moved from ", old_address, " to ", address.address());
    shard.address = address;
    shard.client.reset();
  }
  return moved;
}

absl::Status ReplicaLoop::Join() {
  JoinRequest request;
  request.set_run_id(options_.run_id);
  *request.mutable_data() = options_.data_summary;
  request.set_host(options_.host);
  ASSIGN_OR_RETURN(const JoinReply reply, Retry([&] { return options_.coordinator->Join(request); }));
  replica_id_ = reply.replica_id();
  incarnation_ = reply.incarnation();
  token_ = reply.token();
  description_ = reply.description();
  run_ = ToRunKey(reply.run());
  const ClusterDescription& cluster = description_.cluster();
  heartbeat_ = std::min(absl::Seconds(cluster.replica_timeout_s()) / 4, kLongestHeartbeat);
  if (network_ == nullptr) {
    const int planes = kUpdateRules[description_.optimizer().kind()].planes;
    // A gradient and what goes with it, the same as it is pushed, what pushes leave out, and the parameters.
    RETURN_IF_ERROR(
        CheckMemoryFor(reply, planes * (sizeof(float) + (PushesInBfloat16(cluster) ? sizeof(uint16_t) : 0)) +
                                  (CompressesGradients(cluster) ? sizeof(float) : 0) +
                                  (TravelsInBfloat16(cluster) ? sizeof(uint16_t) : sizeof(float))));
    ASSIGN_OR_RETURN(network_, Network::Create({.network = description_.network(),
                                                .input_dim = reply.data().input_dim(),
                                                .classes = reply.data().classes(),
                                                .max_frames = cluster.minibatch(),
                                                .threads = options_.compute_threads}));
    const int64_t elements = network_->layout().size();
    pool_ = std::make_unique<GradientPool>(planes * elements, options_.memory);
    if (PushesInBfloat16(cluster))
      rounded_pool_ = std::make_unique<RoundedGradientPool>(planes * elements, options_.memory);
    parameters_.emplace(elements, TravelsInBfloat16(cluster), options_.memory);
  }
  RETURN_IF_ERROR(CheckLayout(network_->layout(), reply.run()));
  const int64_t size = network_->layout().size();
  ASSIGN_OR_RETURN(const ShardMap map, ShardMap::Create(size, reply.shards_size()));
  shards_.clear();
  for (int shard = 0; shard < map.shards(); ++shard)
    shards_.push_back({map.range(shard), reply.shards(shard), nullptr});
  replica_ = std::make_unique<ModelReplica>(
      ModelReplica::Options{replica_id_, incarnation_, cluster, map.shards(), reply.data().classes(),
                            description_.seed(), description_.noise(), description_.optimizer(), token_},
      size, MinibatchSource(options_.data, cluster.minibatch(), description_.seed()), pool_.get(),
      rounded_pool_.get());
  LogInfo("replica ", replica_id_, " (incarnation ", incarnation_, ") has joined");
  return absl::OkStatus();
}

absl::StatusOr<ReportReply::Directive> ReplicaLoop::Report() {
  const ReportRequest request = replica_->TakeReport();
  const absl::StatusOr<ReportReply> reply = Retry([&] { return options_.coordinator->Report(request); });
  if (IsForgottenByCoordinator(reply.status())) forgotten_ = true;
  RETURN_IF_ERROR(reply.status());
  {
    absl::MutexLock lock(&report_mutex_);
    last_report_ = options_.clock->Now();
  }
  if (reply->has_slice()) RETURN_IF_ERROR(replica_->source().AddSlice(reply->slice()));
  return reply->directive();
}

void ReplicaLoop::SignOfLife() {
  absl::MutexLock lock(&report_mutex_);
  if (options_.clock->Now() - last_report_ < heartbeat_) return;
  ReportRequest request;
  request.set_replica_id(replica_id_);
  request.set_incarnation(incarnation_);
  request.set_token(token_);
  request.set_still_busy(true);
  const absl::StatusOr<ReportReply> reply = options_.coordinator->Report(request);
  if (IsForgottenByCoordinator(reply.status())) forgotten_ = true;
  if (!reply.ok()) return;
  last_report_ = options_.clock->Now();
  if (reply->directive() == ReportReply::STOP) run_finished_ = true;
}

absl::Status ReplicaLoop::Fetch() {
  std::vector<uint64_t> versions(shards_.size());
  RETURN_IF_ERROR(ForEachShard([&](size_t shard, ShardClient& client) -> absl::Status {
    const KeyRange range = shards_[shard].range;
    ASSIGN_OR_RETURN(versions[shard], client.Fetch(parameters_->memory()[range]));
    return absl::OkStatus();
  }));
  replica_->FetchDone(std::move(versions));
  return absl::OkStatus();
}

// Sleeps in short pieces, so that it returns soon after Stopped().
void ReplicaLoop::Wait(absl::Duration duration) {
  for (; duration > absl::ZeroDuration() && !Stopped(); duration -= kWaitForWork) {
    options_.clock->SleepFor(std::min(duration, kWaitForWork));
    SignOfLife();
  }
}

void ReplicaLoop::LogRejected(const absl::Status& why) const {
  if (!replica_->RejectionIsWorthALine()) return;
  LogWarning(why.message(), " (", replica_->pushes_rejected(), " rejected so far)");
}

absl::Status ReplicaLoop::Push() {
  std::vector<uint64_t> staleness(shards_.size());
  std::atomic<size_t> late_shards = 0;
  const absl::Status status = ForEachShard([&](size_t shard, ShardClient& client) -> absl::Status {
    const KeyRange range = shards_[shard].range;
    ASSIGN_OR_RETURN(const PushOutcome outcome,
                     client.Push(replica_->NextPush(static_cast<int>(shard)), replica_->planes(range)));
    staleness[shard] = outcome.staleness;
    if (outcome.late) ++late_shards;
    return absl::OkStatus();
  });
  if (absl::IsInvalidArgument(status)) {
    replica_->PushRejected();
    LogRejected(status);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(status);
  replica_->PushDone(staleness, late_shards == shards_.size());
  return absl::OkStatus();
}

// Takes steps until a report is due: after a push or a dropped minibatch, when the data runs out, and often
// enough that the coordinator does not take the replica for dead.
absl::Status ReplicaLoop::Steps() {
  const auto report_due = [&] {
    absl::MutexLock lock(&report_mutex_);
    return options_.clock->Now() - last_report_ >= heartbeat_;
  };
  do {
    if (replica_->FetchDue()) RETURN_IF_ERROR(Fetch());
    const absl::Time began = options_.clock->Now();
    const absl::Status status = replica_->ComputeGradient(parameters_->view(), *network_);
    Wait((replica_->noise().slowness() - 1) * (options_.clock->Now() - began));
    if (absl::IsNotFound(status)) {
      options_.clock->SleepFor(kWaitForWork);
      return absl::OkStatus();
    }
    const bool dropped = absl::IsDataLoss(status);
    if (!dropped) RETURN_IF_ERROR(status);
    if (dropped) LogRejected(status);
    if (options_.gradients != nullptr) options_.gradients->Count(options_.clock->Now() - began);
    PushAction action = replica_->NextPushAction();
    const bool pushes = action.kind == PushAction::PUSH;
    for (; action.kind == PushAction::PUSH; action = replica_->NextPushAction()) {
      Wait(action.delay);
      RETURN_IF_ERROR(Push());
    }
    // A dropped minibatch is reported at once, as a push is: it counts towards the end of the run.
    if (pushes || dropped) return absl::OkStatus();
  } while (!replica_->source().needs_slice() && !report_due() && !Stopped());
  return absl::OkStatus();
}

absl::Status ReplicaLoop::Train() {
  for (absl::Duration wait = kFirstWaitForOthers;;) {
    ASSIGN_OR_RETURN(const ReportReply::Directive directive, Report());
    if (directive == ReportReply::STOP || Stopped()) return absl::OkStatus();
    if (directive == ReportReply::WAIT) {
      options_.clock->SleepFor(wait);
      wait = std::min(2 * wait, kWaitForWork);
    } else {
      wait = kFirstWaitForOthers;
      RETURN_IF_ERROR(Steps());
    }
  }
}

void ReplicaLoop::Leave() {
  LeaveRequest request;
  request.set_replica_id(replica_id_);
  request.set_incarnation(incarnation_);
  request.set_token(token_);
  const absl::Status status = options_.coordinator->Leave(request).status();
  if (!status.ok()) LogInfo("replica ", replica_id_, " left without a good-bye: ", status.message());
}

absl::Status ReplicaLoop::Run() {
  for (;;) {
    forgotten_ = false;
    absl::Status status = Join();
    const bool joined = status.ok();
    if (joined) status = Train();
    if (forgotten_) {
      LogInfo("replica ", replica_id_, " is no longer known; joining again: ", status.message());
      // After a random while, so that replicas that were forgotten at the same time do not come back at once.
      options_.clock->SleepFor(kWaitForWork *
                               (0.5 + Random(options_.jitter_seed, ++jitter_streams_).Uniform()));
      continue;
    }
    if (joined) Leave();
    return Stopped() && (IsTransient(status) || absl::IsCancelled(status)) ? absl::OkStatus() : status;
  }
}

}  // namespace

absl::Status RunReplica(const ReplicaLoopOptions& options) { return ReplicaLoop(options).Run(); }

}  // namespace downpour
