// Where on the data's way: guards the readers of checkpoint files, of any bytes and all three kinds, up to
// the shard, the coordinator and the exported network that they restore.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "common/check.h"
#include "common/file/crc32c.h"
#include "common/layout/parameter_layout.h"
#include "common/program/run_description_rules.h"
#include "deploy/export/export.h"
#include "deploy/in_process/virtual_cluster_checkpoint.h"
#include "server/coordinator/coordinator.h"
#include "server/coordinator/coordinator_checkpointer.h"
#include "server/shard/checkpointer.h"
#include "server/shard/parameter_shard.h"
#include "server/storage/checkpoint_file.h"
#include "spdlog/spdlog.h"
#include "tests/fuzz/memory_file.h"

namespace downpour {
namespace {

constexpr absl::string_view kShard = "downpour.ShardCheckpoint";
constexpr absl::string_view kCoordinator = "downpour.CoordinatorCheckpoint";
constexpr absl::string_view kCluster = "downpour.VirtualClusterCheckpoint";

// Restores the shard of which the seeds are checkpoints.
void RestoreShard(const std::string& bytes) {
  const absl::StatusOr<CheckpointFile> file = ParseCheckpoint(bytes, kShard, "fuzz");
  ShardCheckpoint header;
  if (!file.ok() || !header.ParseFromString(file->header)) return;
  const absl::StatusOr<ShardSnapshot> snapshot = SnapshotFromSections(*file, "", std::move(header));
  if (!snapshot.ok()) return;
  ParameterShard::Options options;
  options.layout = *ParameterLayout::Create({{"layer0/weights", {2, 2}}, {"layer0/bias", {2}}});
  options.run = {"seed", options.layout.fingerprint()};
  options.range = {0, options.layout.size()};
  options.optimizer = snapshot->header.optimizer();
  const auto shard = ParameterShard::Restore(options, *snapshot);
  if (!shard.ok()) return;
  DOWNPOUR_CHECK((*shard)->Snapshot().parameters.size() == 6);
  const float gradient[] = {1, 1, 1, 1, 1, 1};
  (*shard)->ApplyChunk({7, 1, 1, 0}, 0, gradient).IgnoreError();
}

// Restores a coordinator as its run folder does.
void RestoreCoordinator(const CoordinatorCheckpoint& checkpoint) {
  Coordinator::Options options;
  options.description = checkpoint.description();
  options.run_id = checkpoint.run_id();
  if (options.run_id.empty() || !ValidateRunDescription(options.description).ok()) return;
  const auto coordinator = Coordinator::Restore(options, checkpoint);
  if (!coordinator.ok()) return;
  (*coordinator)->NextEvaluation({}).IgnoreError();
  (*coordinator)->GetRunStatus({}).IgnoreError();
  DOWNPOUR_CHECK((*coordinator)->Checkpoint().run_id() == options.run_id);
}

// A run folder whose cluster.ckpt is the input, and the path of this file.
class RunInMemory {
 public:
  RunInMemory() {
    std::string folder = (std::filesystem::temp_directory_path() / "checkpoint_fuzz_XXXXXX").string();
    DOWNPOUR_CHECK(mkdtemp(folder.data()) != nullptr);
    folder_ = folder;
    std::filesystem::create_directory(folder_ + "/checkpoints");
    std::filesystem::create_symlink(input_.path(), folder_ + "/checkpoints/cluster.ckpt");
  }
  ~RunInMemory() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  void RestoreCluster(absl::string_view bytes) {
    input_.Fill(bytes);
    if (const auto cluster = ReadVirtualCluster(input_.path()); cluster.ok()) {
      DOWNPOUR_CHECK(static_cast<int>(cluster->replicas.size()) == cluster->header.replicas_size());
      RestoreCoordinator(cluster->header.coordinator());
    }
    if (const auto network = ReadTrainedNetwork(folder_); network.ok()) {
      DOWNPOUR_CHECK(static_cast<int64_t>(network->parameters.size()) == network->layout.size());
    }
  }
  void RestoreCoordinatorFile(absl::string_view bytes) {
    input_.Fill(bytes);
    if (const auto checkpoint = LoadCoordinatorCheckpoint(input_.path()); checkpoint.ok()) {
      RestoreCoordinator(*checkpoint);
    }
  }

 private:
  std::string folder_;
  MemoryFile input_;
};

void Restore(const std::string& bytes) {
  static RunInMemory run;
  RestoreShard(bytes);
  // A file is written only if its container is whole, because every reader checks this first.
  if (ParseCheckpoint(bytes, kCluster, "fuzz").ok()) run.RestoreCluster(bytes);
  if (ParseCheckpoint(bytes, kCoordinator, "fuzz").ok()) run.RestoreCoordinatorFile(bytes);
}

}  // namespace
}  // namespace downpour

// Tries the bytes as they are, and with the right checksum, so that they pass that check.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace downpour;  // NOLINT
  static google::protobuf::LogSilencer no_complaints_about_utf8;
  spdlog::set_level(spdlog::level::off);
  std::string bytes(reinterpret_cast<const char*>(data), size);
  Restore(bytes);
  if (size < sizeof(uint32_t)) return 0;
  bytes.resize(size - sizeof(uint32_t));
  const uint32_t crc = Crc32c(bytes);
  bytes.append(reinterpret_cast<const char*>(&crc), sizeof(crc));
  Restore(bytes);
  return 0;
}
