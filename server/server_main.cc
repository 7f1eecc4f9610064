// Where on the data's way: a shard's program; it takes in gradients and gives out parameters.
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/file/file.h"
#include "common/metrics/metrics_endpoint.h"
#include "common/program/checked_flag.h"
#include "common/program/cluster_flags.h"
#include "common/program/interrupt.h"
#include "common/program/logging.h"
#include "common/program/progress_watch.h"
#include "common/program/run_program.h"
#include "common/rpc/channel.h"
#include "common/rpc/coordinator_stub.h"
#include "common/rpc/health.h"
#include "common/status_macros.h"
#include "common/wire/chunk_codec.h"
#include "server/service/parameter_service.h"
#include "server/service/shard_report.h"
#include "server/service/shared_memory_service.h"
#include "server/shard/checkpointer.h"
#include "server/shard/shard_start.h"

ABSL_FLAG(std::string, listen, "127.0.0.1:0", "host:port to listen at; port 0 takes a free one");
ABSL_FLAG(std::string, advertise, "",
          "host:port at which replicas reach this shard; empty: where it listens, which must then be one "
          "address");
ABSL_FLAG(
    int, shard, -1,
    "index of the shard, from 0; -1: one that was served from state_dir and has no server now, else the one "
    "that the coordinator gives");
ABSL_FLAG(std::string, state_dir, "", "folder of shard-K.ckpt, from which the shard resumes");
ABSL_FLAG(bool, initial_parameters, false,
          "begin with the run's initial parameters if the shard's checkpoint is missing in a run that has "
          "made updates; such a start is refused otherwise");
ABSL_FLAG(
    bool, take_over, false,
    "take the shard though its state is in another folder, from which a server may still serve it: that "
    "one is told to stop, and what was acknowledged since this folder's checkpoint is lost");
ABSL_FLAG(std::string, port_file, "", "if set, host:port is written to this file as soon as it listens");

namespace downpour {
namespace {

constexpr char kUsage[] =
    R"(Holds one shard of a run's parameters: applies the gradients that replicas push, and sends them the
parameters. Ends by itself when the run is over. Ctrl-C writes a checkpoint and stops it; the same command
resumes.

  downpour-server --coordinator=127.0.0.1:7100 --state_dir=runs/mine/checkpoints)";

constexpr absl::Duration kPoll = absl::Seconds(1);
// A push whose chunks do not move is ended after 16 s, so that others are applied.
constexpr absl::Duration kPatience = absl::Minutes(1);
constexpr char kHealthService[] = "downpour.ParameterServer";
constexpr auto kMostMessage = static_cast<int>(kChunkBytes + kMostFieldBytes);
constexpr absl::Duration kRegisterPoll = absl::Milliseconds(200);

bool IsOver(const RunStatus& status) {
  return status.phase() == RunStatus::FINISHED && status.live_replicas() == 0;
}

// Returns when the coordinator knows the run's data and has given this server its shard, however long it
// takes until a replica joins. None: the run is over. CANCELLED: interrupted. Others: the coordinator
// refuses, or `patient` cannot reach it.
absl::StatusOr<std::optional<RegisterShardReply>> Register(CoordinatorStub& patient,
                                                           CoordinatorStub& impatient,
                                                           const RegisterShardRequest& request) {
  for (; !Interrupted(); Clock::Real()->SleepFor(kRegisterPoll)) {
    ASSIGN_OR_RETURN(const RunStatus status,
                     patient.Call(&ClusterCoordinator::Stub::GetRunStatus, RunStatusRequest()));
    if (IsOver(status)) return std::nullopt;
    const absl::StatusOr<RegisterShardReply> registered =
        impatient.Call(&ClusterCoordinator::Stub::RegisterShard, request);
    if (registered.ok()) return std::optional(*registered);
    if (!IsTransient(registered.status())) return registered.status();
  }
  return absl::CancelledError("stopped; the same command resumes");
}

// Returns when the run is over and no replica needs the shard any more. Until then each poll passes the
// plateau factor on and registers the shard again: that is its sign of life, it learns which replicas have
// joined, and a restarted coordinator may have a checkpoint that does not know this address. CANCELLED:
// interrupted. FAILED_PRECONDITION: the coordinator has been restarted with another run, or another server
// has the shard. A transient status: it could not be reached for `give_up_after`.
absl::Status ServeUntilFinished(CoordinatorStub& coordinator, RegisterShardRequest again,
                                absl::Duration give_up_after, ParameterShard& shard,
                                ParameterService& service, const ShardReport& report,
                                const ListeningServer& server) {
  bool finished = false;
  ProgressWatch progress(kPatience);
  Clock* const clock = Clock::Real();
  absl::Time last_answer = clock->Now();
  for (absl::Time next_poll = clock->Now(); !Interrupted(); clock->SleepFor(absl::Milliseconds(50))) {
    service.EndStalledStreams();
    if (clock->Now() < next_poll) continue;
    next_poll = clock->Now() + kPoll;
    *again.mutable_activity() = report.Activity();
    const auto done = static_cast<int64_t>(again.activity().version() + again.activity().pushes_rejected());
    SetMakesProgress(server, kHealthService, progress.Look(done, service.pushes() > 0, clock->Now()));
    const absl::StatusOr<RunStatus> status =
        coordinator.Call(&ClusterCoordinator::Stub::GetRunStatus, RunStatusRequest());
    if (!status.ok()) {
      // A coordinator whose run is over waits a while for replicas to leave, then ends.
      if (finished && IsTransient(status.status())) return absl::OkStatus();
      if (clock->Now() - last_answer > give_up_after) return status.status();
      continue;
    }
    last_answer = clock->Now();
    shard.set_plateau_factor(status->plateau_factor());
    finished = status->phase() == RunStatus::FINISHED;
    if (IsOver(*status)) return absl::OkStatus();
    const auto registered = coordinator.Call(&ClusterCoordinator::Stub::RegisterShard, again);
    if (registered.ok()) {
      shard.set_last_joined(registered->last_replica_id(), registered->last_incarnation());
    } else if (!IsTransient(registered.status())) {
      return registered.status();
    }
  }
  return absl::CancelledError("stopped; the same command resumes");
}

absl::Status Run(const CommandLine& /*command_line*/) {
  ASSIGN_OR_RETURN(const int wanted, FlagFrom(FLAGS_shard, -1));
  ASSIGN_OR_RETURN(const absl::Duration give_up_after, FlagFrom(FLAGS_give_up_after, absl::ZeroDuration()));
  const std::string state_dir = absl::GetFlag(FLAGS_state_dir);
  const std::string listen = absl::GetFlag(FLAGS_listen), advertised = absl::GetFlag(FLAGS_advertise);
  if (advertised.empty() && (absl::StartsWith(listen, "0.0.0.0:") || absl::StartsWith(listen, "[::]:"))) {
    return absl::InvalidArgumentError(
        absl::StrCat("--advertise is not set, want the host:port at which replicas reach this shard: ",
                     "--listen=", listen, " takes every address of this machine"));
  }
  if (state_dir.empty())
    return absl::InvalidArgumentError("--state_dir is not set, want the folder of the checkpoints");
  std::error_code error;
  std::filesystem::create_directories(state_dir, error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot make ", state_dir, ": ", error.message()));
  RETURN_IF_ERROR(SetUpClusterProcess("server"));

  std::optional<ShardClaim> claim;  // none: the coordinator chooses
  if (wanted >= 0) {
    ASSIGN_OR_RETURN(claim, ClaimShard(state_dir, wanted));
  } else {
    ASSIGN_OR_RETURN(claim, ClaimShardLeft(state_dir));
  }

  ParameterService service({});
  std::vector<grpc::Service*> services = {&service};
  const std::string shared_memory_dir = absl::GetFlag(FLAGS_shared_memory_dir);
  std::optional<SharedMemoryService> shared_memory;
  if (!shared_memory_dir.empty()) {
    services.push_back(&shared_memory.emplace(SharedMemoryService::Options{.directory = shared_memory_dir}));
  }
  ShardReport report(&service, shared_memory.has_value() ? &*shared_memory : nullptr, state_dir);
  ASSIGN_OR_RETURN(const auto metrics, ServeMetrics([&](MetricFamilies* all) { report.AddTo(all); }));
  ASSIGN_OR_RETURN(ListeningServer server, ListenAt(listen, services, kMostMessage));
  SetMakesProgress(server, kHealthService, true);  // as it has nothing to do before it has a shard
  if (const std::string file = absl::GetFlag(FLAGS_port_file); !file.empty()) {
    RETURN_IF_ERROR(ReplaceFile(file, {server.address, "\n"}));
  }
  RegisterShardRequest request;
  request.set_address(advertised.empty() ? server.address : advertised);
  if (claim.has_value()) request.set_shard(claim->shard);
  ASSIGN_OR_RETURN(const uint64_t folder, FolderNumber(state_dir));
  request.set_folder(folder);
  request.set_take_over(absl::GetFlag(FLAGS_take_over));

  CoordinatorStub::Options options;
  options.address = absl::GetFlag(FLAGS_coordinator);
  options.retry.give_up_after = give_up_after;
  options.retry.stopped = Interrupted;
  CoordinatorStub patient(options);
  options.retry.give_up_after = absl::ZeroDuration();
  CoordinatorStub impatient(options);
  ASSIGN_OR_RETURN(const std::optional<RegisterShardReply> reply, Register(patient, impatient, request));
  if (!reply.has_value()) return absl::OkStatus();
  const RegisterShardReply& registered = *reply;
  if (!claim.has_value()) {
    ASSIGN_OR_RETURN(claim, ClaimShard(state_dir, registered.shard()));
  }
  const LostState lost =
      absl::GetFlag(FLAGS_initial_parameters) ? LostState::kInitialParameters : LostState::kRefused;
  ASSIGN_OR_RETURN(const std::shared_ptr<ParameterShard> shard, StartShard(registered, state_dir, lost));
  const auto checkpointer =
      std::make_shared<Checkpointer>(shard.get(), ShardCheckpointPath(state_dir, registered.shard()),
                                     absl::Seconds(registered.description().checkpoint().every_s()));
  report.Serve(shard, checkpointer);
  shard->set_view(registered.view());
  service.Serve(shard);
  if (shared_memory.has_value()) shared_memory->Serve(shard);
  LogInfo("shard ", registered.shard(), " serves keys [", shard->range().begin, ", ", shard->range().end,
          ") at ", request.address());

  request.set_shard(registered.shard());
  request.set_view(registered.view());
  request.set_run_id(registered.run().run_id());
  absl::Status status =
      ServeUntilFinished(impatient, request, give_up_after, *shard, service, report, server);
  // Before the checkpoint, so that it has all pushes that are acknowledged.
  server.server.reset();
  RETURN_IF_ERROR(checkpointer->CheckpointNow());
  return status;
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  return downpour::RunProgram(
      argc, argv, {"downpour-server", downpour::kUsage, downpour::Run, downpour::Program::kNothing});
}
