// Where on the data's way: a shard's program; it takes in gradients and gives out parameters.
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
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
#include "common/tls/permissions.h"
#include "common/tls/tls_flags.h"
#include "common/wire/chunk_codec.h"
#include "server/service/grpc_shard_follower.h"
#include "server/service/parameter_service.h"
#include "server/service/replication_service.h"
#include "server/service/shard_report.h"
#include "server/service/shared_memory_service.h"
#include "server/shard/checkpointer.h"
#include "server/shard/recut.h"
#include "server/shard/server_loop.h"
#include "server/shard/shard_start.h"
#include "server/storage/folder_number.h"

ABSL_FLAG(std::string, listen, "127.0.0.1:0", "host:port to listen at; port 0 takes a free one");
ABSL_FLAG(std::string, advertise, "",
          "host:port at which replicas reach this shard; empty: where it listens, which must then be one "
          "address");
ABSL_FLAG(
    int, shard, -1,
    "index of the shard, from 0; -1: that of --tls_certificate, or without one a shard that was served from "
    "state_dir and has no server now, else the one that the coordinator gives");
ABSL_FLAG(std::string, state_dir, "", "folder of shard-K.ckpt, from which the shard resumes");
ABSL_FLAG(bool, initial_parameters, false,
          "begin with the run's initial parameters if the shard's checkpoint is missing in a run that has "
          "made updates; such a start is refused otherwise");
ABSL_FLAG(
    bool, take_over, false,
    "take the shard though its state is in another folder, from which a server may still serve it: that "
    "one is told to stop, and what was acknowledged since this folder's checkpoint is lost");
ABSL_FLAG(
    bool, standby, false,
    "where cluster.standbys is 1: follow the primary of a shard, from a folder of its own, and take its "
    "place when it is gone; without it, a server that comes first is the primary");
ABSL_FLAG(int, reshard_to, 0,
          "re-cut the checkpoints in state_dir, which are of all shards of a run that is stopped, into those "
          "of so many shards, and end; the coordinator then goes on with --reshard");
ABSL_FLAG(std::string, port_file, "", "if set, host:port is written to this file as soon as it listens");

namespace downpour {
namespace {

constexpr char kUsage[] =
    R"(Holds one shard of a run's parameters: applies the gradients that replicas push, and sends them the
parameters. Ends by itself when the run is over. Ctrl-C writes a checkpoint and stops it; the same command
resumes.

  downpour-server --coordinator=127.0.0.1:7100 --state_dir=runs/mine/checkpoints)";

// A push whose chunks do not move is ended after 16 s, so that others are applied.
constexpr absl::Duration kPatience = absl::Minutes(1);
constexpr char kHealthService[] = "downpour.ParameterServer";
constexpr auto kMostMessage = static_cast<int>(kChunkBytes + kMostFieldBytes);

// Another one in every call and every process, and never 0.
uint64_t RandomNumber() {
  std::random_device device;
  return (uint64_t{device()} << 32 | device()) | 1;
}

// The folder of the checkpoints, which is made if need be. INVALID_ARGUMENT: a flag is missing.
absl::StatusOr<std::string> StateDir() {
  std::string state_dir = absl::GetFlag(FLAGS_state_dir);
  if (state_dir.empty())
    return absl::InvalidArgumentError("--state_dir is not set, want the folder of the checkpoints");
  std::error_code error;
  std::filesystem::create_directories(state_dir, error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot make ", state_dir, ": ", error.message()));
  return state_dir;
}

// The address for replicas, of a server that is to listen at `listen`; empty: where it then listens.
absl::StatusOr<std::string> AdvertisedAddress(const std::string& listen) {
  std::string advertised = absl::GetFlag(FLAGS_advertise);
  const bool anywhere = absl::StartsWith(listen, "0.0.0.0:") || absl::StartsWith(listen, "[::]:");
  if (!anywhere || !advertised.empty()) return advertised;
  return absl::InvalidArgumentError(absl::StrCat(
      "--advertise is not set, want the host:port at which replicas reach this shard: --listen=", listen,
      " takes every address of this machine"));
}

// With TLS a server serves the shard that its certificate names. -1: any. PERMISSION_DENIED: that is another
// than `wanted`. INVALID_ARGUMENT: it names several, and `wanted` none of them.
absl::StatusOr<int> ShardToServe(int wanted, const Security& security) {
  if (security.identity == nullptr) return wanted;
  if (wanted >= 0) {
    RETURN_IF_ERROR(Caller(security.identity->roles)
                        .CheckIsShard(static_cast<uint32_t>(wanted), absl::StrCat("--shard=", wanted)));
    return wanted;
  }
  if (const std::optional<uint32_t> named = security.identity->Shard()) return static_cast<int>(*named);
  return absl::InvalidArgumentError(
      "--shard is not set, want one of the shards that --tls_certificate has a role of");
}

// The services of the shard, and what they serve once the coordinator has named it.
class Server {
 public:
  Server(std::string state_dir, std::shared_ptr<Credentials> credentials)
      : state_dir_(std::move(state_dir)), credentials_(std::move(credentials)) {}

  // `wanted`: the shard; -1: any. ABORTED: another process serves it.
  absl::Status Claim(int wanted) {
    if (wanted >= 0) {
      ASSIGN_OR_RETURN(claim_, ClaimShard(state_dir_, wanted));
    } else {
      ASSIGN_OR_RETURN(claim_, ClaimShardLeft(state_dir_));
    }
    return absl::OkStatus();
  }

  absl::Status Listen(const std::string& address) {
    std::vector<grpc::Service*> services = {&service_, &replication_};
    if (const std::string directory = absl::GetFlag(FLAGS_shared_memory_dir); !directory.empty())
      services.push_back(&shared_memory_.emplace(SharedMemoryService::Options{.directory = directory}));
    report_.emplace(&service_, shared_memory_.has_value() ? &*shared_memory_ : nullptr, state_dir_);
    ASSIGN_OR_RETURN(metrics_, ServeMetrics(credentials_->security(),
                                            [this](MetricFamilies* all) { report_->AddTo(all); }));
    ASSIGN_OR_RETURN(server_, ListenAt(address, services, {credentials_, kMostMessage}));
    SetMakesProgress(server_, kHealthService, true);  // as it has nothing to do before it has a shard
    const std::string file = absl::GetFlag(FLAGS_port_file);
    return file.empty() ? absl::OkStatus() : ReplaceFile(file, {server_.address, "\n"});
  }

  absl::StatusOr<RegisterShardRequest> FirstRequest(const std::string& advertised) const {
    RegisterShardRequest request;
    request.set_address(advertised.empty() ? server_.address : advertised);
    if (claim_.has_value()) request.set_shard(claim_->shard);
    ASSIGN_OR_RETURN(const uint64_t folder, FolderNumber(state_dir_));
    request.set_folder(folder);
    request.set_take_over(absl::GetFlag(FLAGS_take_over));
    request.set_follows(absl::GetFlag(FLAGS_standby));
    return request;
  }

  absl::StatusOr<std::shared_ptr<ParameterShard>> Serve(const RegisterShardReply& registered,
                                                        std::shared_ptr<ParameterShard> followed) {
    RETURN_IF_ERROR(ClaimIfNone(registered.shard()));
    if (followed != nullptr) {
      followed->set_view(registered.view());
      followed->set_run_secret(registered.run_secret());
    } else {
      const LostState lost =
          absl::GetFlag(FLAGS_initial_parameters) ? LostState::kInitialParameters : LostState::kRefused;
      ASSIGN_OR_RETURN(followed, StartShard(registered, state_dir_, lost));
    }
    if (checkpointer_ == nullptr) Checkpoint(std::move(followed), registered, /*at_once=*/false);
    report_->Serve(shard_, checkpointer_);
    ServeFromNowOn(shard_);
    LogInfo("shard ", registered.shard(), " serves keys [", shard_->range().begin, ", ", shard_->range().end,
            ") at ", server_.address);
    return shard_;
  }

  // Another server has taken the shard's place.
  void StopServing() {
    ServeFromNowOn(nullptr);
    report_->Serve(nullptr, nullptr);
    checkpointer_.reset();
    shard_.reset();
  }

  ShardFollower* follower() { return &follower_; }

  void EndStalledStreams() { service_.EndStalledStreams(); }
  // Tells the coordinator what the shard has done, and those who ask for its health whether it goes on.
  void Report(RegisterShardRequest* request) {
    ShardActivity& activity = *request->mutable_activity();
    activity = report_->Activity();
    const auto done = static_cast<int64_t>(activity.version() + activity.pushes_rejected());
    const int pushes = service_.pushes() + (shared_memory_.has_value() ? shared_memory_->pushes() : 0);
    const bool goes_on = progress_.Look(done, pushes > 0, Clock::Real()->Now());
    SetMakesProgress(server_, kHealthService, goes_on);
  }

  // Takes no more pushes, and then writes a checkpoint, so that it has all that are acknowledged. A standby
  // writes what it has.
  absl::Status Stop() {
    follower_.TakeShard();
    if (shard_ != nullptr) shard_->log().Close();
    server_.server.reset();
    return checkpointer_ == nullptr ? absl::OkStatus() : checkpointer_->CheckpointNow();
  }

 private:
  absl::Status ClaimIfNone(uint32_t shard) {
    if (claim_.has_value()) return absl::OkStatus();
    ASSIGN_OR_RETURN(claim_, ClaimShard(state_dir_, shard));
    return absl::OkStatus();
  }

  // A follower writes checkpoints as the primary does: when it has taken the primary's place and is killed, it
  // goes on from the last one.
  void KeepFollowed(std::shared_ptr<ParameterShard> shard, const RegisterShardReply& registered) {
    checkpointer_.reset();
    shard_.reset();
    if (shard == nullptr) return;
    if (const absl::Status claimed = ClaimIfNone(registered.shard()); claimed.ok()) {
      Checkpoint(std::move(shard), registered, /*at_once=*/true);
    } else {
      LogWarning("shard ", registered.shard(), " is followed without checkpoints: ", claimed.message());
    }
  }
  void Checkpoint(std::shared_ptr<ParameterShard> shard, const RegisterShardReply& registered, bool at_once) {
    shard_ = std::move(shard);
    checkpointer_ = std::make_shared<Checkpointer>(
        shard_.get(), ShardCheckpointPath(state_dir_, registered.shard()),
        absl::Seconds(registered.description().checkpoint().every_s()), at_once);
  }

  // Null: no shard any more.
  void ServeFromNowOn(const std::shared_ptr<ParameterShard>& shard) {
    service_.Serve(shard);
    replication_.Serve(shard);
    if (shared_memory_.has_value()) shared_memory_->Serve(shard);
  }

  const std::string state_dir_;
  const std::shared_ptr<Credentials> credentials_;
  std::optional<ShardClaim> claim_;  // none: the coordinator chooses
  ParameterService service_{{}};
  ReplicationService replication_;
  std::optional<SharedMemoryService> shared_memory_;
  // What it serves or follows, and its checkpoints. While it follows, its follower's thread may set them.
  std::shared_ptr<ParameterShard> shard_;
  std::shared_ptr<Checkpointer> checkpointer_;
  GrpcShardFollower follower_{
      credentials_, [this](std::shared_ptr<ParameterShard> shard, const RegisterShardReply& registered) {
        KeepFollowed(std::move(shard), registered);
      }};
  ProgressWatch progress_{kPatience};
  std::optional<ShardReport> report_;
  std::unique_ptr<HttpListener> metrics_;  // uses report_
  ListeningServer server_;                 // uses the services
};

absl::Status Run(const CommandLine& /*command_line*/) {
  ServerLoopOptions options;
  ASSIGN_OR_RETURN(options.give_up_after, FlagFrom(FLAGS_give_up_after, absl::ZeroDuration()));
  ASSIGN_OR_RETURN(const int wanted, FlagFrom(FLAGS_shard, -1));
  ASSIGN_OR_RETURN(const int reshard_to, FlagFrom(FLAGS_reshard_to, 0));
  const std::string listen = absl::GetFlag(FLAGS_listen);
  ASSIGN_OR_RETURN(const std::string advertised, AdvertisedAddress(listen));
  ASSIGN_OR_RETURN(const std::string state_dir, StateDir());
  RETURN_IF_ERROR(SetUpClusterProcess("server"));
  if (reshard_to > 0) return RecutCheckpoints(state_dir, reshard_to);

  ASSIGN_OR_RETURN(const Security security, SecurityFromFlags({kAnyShard}));
  ASSIGN_OR_RETURN(const int shard, ShardToServe(wanted, security));
  const auto credentials = std::make_shared<Credentials>(security);
  Server server(state_dir, credentials);
  RETURN_IF_ERROR(server.Claim(shard));
  RETURN_IF_ERROR(server.Listen(listen));
  ASSIGN_OR_RETURN(options.request, server.FirstRequest(advertised));
  CoordinatorStub::Options coordinator;
  coordinator.address = absl::GetFlag(FLAGS_coordinator);
  coordinator.credentials = credentials;
  coordinator.retry.give_up_after = absl::ZeroDuration();
  CoordinatorStub stub(coordinator);
  options.get_run_status = [&] {
    return stub.Call(&ClusterCoordinator::Stub::GetRunStatus, RunStatusRequest());
  };
  options.register_shard = [&](const RegisterShardRequest& request) {
    return stub.Call(&ClusterCoordinator::Stub::RegisterShard, request);
  };
  options.serve = [&](const RegisterShardReply& registered, std::shared_ptr<ParameterShard> followed) {
    return server.Serve(registered, std::move(followed));
  };
  options.stop_serving = [&] { server.StopServing(); };
  options.follower = server.follower();
  options.new_number = RandomNumber;
  options.end_stalled_streams = [&] { server.EndStalledStreams(); };
  options.report = [&](RegisterShardRequest* request) { server.Report(request); };
  options.stopped = Interrupted;
  absl::Status status = RunServer(options);
  RETURN_IF_ERROR(server.Stop());
  return status;
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  return downpour::RunProgram(
      argc, argv, {"downpour-server", downpour::kUsage, downpour::Run, downpour::Program::kNothing});
}
