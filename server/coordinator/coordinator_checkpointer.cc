// Where on the data's way: the coordinator's state at rest; looks for milestones and writes what is due.
#include "server/coordinator/coordinator_checkpointer.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/storage/checkpoint_file.h"

namespace downpour {
namespace {

constexpr char kKind[] = "downpour.CoordinatorCheckpoint";
constexpr absl::Duration kLook = absl::Milliseconds(200);  // between two looks for milestones

// Changes whenever something happened that a restored coordinator should know of.
std::string Milestones(const CoordinatorCheckpoint& checkpoint) {
  std::string milestones =
      absl::StrCat(checkpoint.has_data(), " ", checkpoint.evaluations().last_recorded().updates(), " ",
                   checkpoint.evaluations().final_recorded(), " ", checkpoint.budget_reached());
  for (const ShardAddress& shard : checkpoint.shards())
    absl::StrAppend(&milestones, " ", shard.address(), ".", shard.view());
  for (const MembershipState::Replica& replica : checkpoint.membership().replicas()) {
    absl::StrAppend(&milestones, " ", replica.replica_id(), ".", replica.incarnation());
  }
  return milestones;
}

}  // namespace

absl::StatusOr<CoordinatorCheckpoint> LoadCoordinatorCheckpoint(const std::string& path) {
  ASSIGN_OR_RETURN(const CheckpointFile file, ReadCheckpointFile(path, kKind));
  CoordinatorCheckpoint checkpoint;
  if (const absl::Status parsed = file.ParseHeader(&checkpoint); !parsed.ok())
    return absl::DataLossError(absl::StrCat(path, ": ", parsed.message()));
  return checkpoint;
}

void CheckpointSchedule::Tried(absl::Time now, const std::string& milestones, bool written) {
  next_ = now + kInterval;
  failed_ = !written;
  if (written) written_milestones_ = milestones;
}

CoordinatorCheckpointer::CoordinatorCheckpointer(Coordinator* coordinator, RunLog* log, std::string path,
                                                 Clock* clock)
    : coordinator_(coordinator),
      log_(log),
      path_(std::move(path)),
      clock_(clock),
      schedule_(clock->Now()),
      writer_(
          kLook, [this] { return Write(); },
          [this] { return schedule_.Due(clock_->Now(), Milestones(coordinator_->Checkpoint())); }) {}

absl::Status CoordinatorCheckpointer::Write() {
  const CoordinatorCheckpoint checkpoint = coordinator_->Checkpoint();
  // The log first: a restored coordinator does not write again what its checkpoint counts as written.
  absl::Status status = log_->Flush();
  CheckpointFile file;
  if (status.ok()) status = file.SetHeader(checkpoint);
  // Who is told that the run is over does not ask again, so both generations have to hold the reason.
  const int generations = checkpoint.budget_reached() ? 2 : 1;
  // It has the run's secret.
  for (int i = 0; status.ok() && i < generations; ++i)
    status = WriteCheckpointFile(path_, file, FileReaders::kOwner);
  if (status.ok()) coordinator_->CheckpointWritten(checkpoint);
  schedule_.Tried(clock_->Now(), Milestones(checkpoint), status.ok());
  return status;
}

}  // namespace downpour
