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
#include "common/program/checked_flag.h"
#include "common/program/cluster_flags.h"
#include "common/program/interrupt.h"
#include "common/program/logging.h"
#include "common/program/run_program.h"
#include "common/rpc/channel.h"
#include "common/rpc/coordinator_stub.h"
#include "common/status_macros.h"
#include "common/wire/chunk_codec.h"
#include "server/service/parameter_service.h"
#include "server/service/shared_memory_service.h"
#include "server/shard/checkpointer.h"
#include "server/shard/server_loop.h"
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

constexpr auto kMostMessage = static_cast<int>(kChunkBytes + kMostFieldBytes);

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
  ASSIGN_OR_RETURN(ListeningServer server, ListenAt(listen, services, kMostMessage));
  if (const std::string file = absl::GetFlag(FLAGS_port_file); !file.empty()) {
    RETURN_IF_ERROR(ReplaceFile(file, {server.address, "\n"}));
  }
  RegisterShardRequest request;
  request.set_address(advertised.empty() ? server.address : advertised);
  if (claim.has_value()) request.set_shard(claim->shard);
  ASSIGN_OR_RETURN(const uint64_t folder, FolderNumber(state_dir));
  request.set_folder(folder);
  request.set_take_over(absl::GetFlag(FLAGS_take_over));

  CoordinatorStub::Options coordinator;
  coordinator.address = absl::GetFlag(FLAGS_coordinator);
  coordinator.retry.give_up_after = absl::ZeroDuration();
  CoordinatorStub stub(coordinator);
  std::shared_ptr<ParameterShard> shard;
  std::optional<Checkpointer> checkpointer;
  ServerLoopOptions options;
  options.get_run_status = [&] {
    return stub.Call(&ClusterCoordinator::Stub::GetRunStatus, RunStatusRequest());
  };
  options.register_shard = [&](const RegisterShardRequest& again) {
    return stub.Call(&ClusterCoordinator::Stub::RegisterShard, again);
  };
  options.request = request;
  options.serve =
      [&](const RegisterShardReply& registered) -> absl::StatusOr<std::shared_ptr<ParameterShard>> {
    if (!claim.has_value()) {
      ASSIGN_OR_RETURN(claim, ClaimShard(state_dir, registered.shard()));
    }
    const LostState lost =
        absl::GetFlag(FLAGS_initial_parameters) ? LostState::kInitialParameters : LostState::kRefused;
    ASSIGN_OR_RETURN(shard, StartShard(registered, state_dir, lost));
    checkpointer.emplace(shard.get(), ShardCheckpointPath(state_dir, registered.shard()),
                         absl::Seconds(registered.description().checkpoint().every_s()));
    service.Serve(shard);
    if (shared_memory.has_value()) shared_memory->Serve(shard);
    LogInfo("shard ", registered.shard(), " serves keys [", shard->range().begin, ", ", shard->range().end,
            ") at ", request.address());
    return shard;
  };
  options.end_stalled_streams = [&] { service.EndStalledStreams(); };
  options.give_up_after = give_up_after;
  options.stopped = Interrupted;
  const absl::Status status = RunServer(options);
  // Before the checkpoint, so that it has all pushes that are acknowledged.
  server.server.reset();
  if (checkpointer.has_value()) RETURN_IF_ERROR(checkpointer->CheckpointNow());
  return status;
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  return downpour::RunProgram(
      argc, argv, {"downpour-server", downpour::kUsage, downpour::Run, downpour::Program::kNothing});
}
