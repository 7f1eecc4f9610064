// Where on the data's way: beside the coordinator; its state to disk and back.
#include "server/coordinator/coordinator_checkpointer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status_macros.h"
#include "server/storage/checkpoint_file.h"
#include "spdlog/spdlog.h"

namespace downpour {
namespace {

constexpr char kKind[] = "downpour.CoordinatorCheckpoint";
constexpr absl::Duration kLook = absl::Milliseconds(200);  // for milestones

// Changes whenever something happened that a restored coordinator should know of.
std::string Milestones(const CoordinatorCheckpoint& checkpoint) {
  std::string milestones =
      absl::StrCat(checkpoint.has_data(), " ", checkpoint.evaluations().last_recorded().updates(), " ",
                   checkpoint.evaluations().final_recorded(), " ", checkpoint.budget_reached());
  for (const ShardAddress& shard : checkpoint.shards()) absl::StrAppend(&milestones, " ", shard.address());
  for (const MembershipState::Replica& replica : checkpoint.membership().replicas()) {
    absl::StrAppend(&milestones, " ", replica.replica_id(), ".", replica.incarnation());
  }
  return milestones;
}

}  // namespace

absl::StatusOr<CoordinatorCheckpoint> LoadCoordinatorCheckpoint(const std::string& path) {
  ASSIGN_OR_RETURN(const CheckpointFile file, ReadCheckpointFile(path, kKind));
  CoordinatorCheckpoint checkpoint;
  if (checkpoint.ParseFromString(file.header)) return checkpoint;
  return absl::DataLossError(absl::StrCat(path, ": the header is no ", kKind));
}

void CheckpointSchedule::Tried(absl::Time now, const std::string& milestones, bool written) {
  next_ = now + kInterval;
  failed_ = !written;
  if (written) written_milestones_ = milestones;
}

CoordinatorCheckpointer::CoordinatorCheckpointer(Coordinator* coordinator, RunLog* log, std::string path)
    : coordinator_(coordinator), log_(log), path_(std::move(path)), thread_([this] { Run(); }) {}

CoordinatorCheckpointer::~CoordinatorCheckpointer() {
  {
    absl::MutexLock lock(&mutex_);
    stop_ = true;
  }
  thread_.join();
}

absl::Status CoordinatorCheckpointer::CheckpointNow() {
  absl::MutexLock lock(&write_mutex_);
  const CoordinatorCheckpoint checkpoint = coordinator_->Checkpoint();
  RETURN_IF_ERROR(Write(checkpoint));
  schedule_.Tried(absl::Now(), Milestones(checkpoint), /*written=*/true);
  return absl::OkStatus();
}

absl::Status CoordinatorCheckpointer::Write(const CoordinatorCheckpoint& checkpoint) {
  // The log first: a restored coordinator does not write the lines again that its checkpoint counts as
  // written.
  RETURN_IF_ERROR(log_->Flush());
  CheckpointFile file;
  file.kind = kKind;
  file.header = checkpoint.SerializeAsString();
  RETURN_IF_ERROR(WriteCheckpointFile(path_, file));
  coordinator_->CheckpointWritten(checkpoint);
  return absl::OkStatus();
}

void CoordinatorCheckpointer::Run() {
  for (;;) {
    {
      absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&stop_), kLook)) return;
    }
    absl::MutexLock lock(&write_mutex_);
    const CoordinatorCheckpoint checkpoint = coordinator_->Checkpoint();
    const std::string milestones = Milestones(checkpoint);
    if (!schedule_.Due(absl::Now(), milestones)) continue;
    const absl::Status written = Write(checkpoint);
    schedule_.Tried(absl::Now(), milestones, written.ok());
    if (!written.ok()) spdlog::error("coordinator checkpoint: {}", std::string(written.message()));
  }
}

}  // namespace downpour
