// Where on the data's way: copies a snapshot in memory, then writes the copy on a thread of its own.
#include "deploy/in_process/virtual_cluster_checkpointer.h"

#include <chrono>
#include <memory>
#include <utility>

#include "common/status_macros.h"
#include "spdlog/spdlog.h"

namespace downpour {
namespace {

// Gives the snapshot storage of its own. Where that would take more than `most_bytes`, does nothing and
// returns false.
bool CopyReplicas(size_t most_bytes, VirtualClusterSnapshot* snapshot) {
  size_t size = 0;
  for (const auto& replica : snapshot->replicas)
    size += replica.parameters.size() + replica.gradient.size() + replica.residual.size();
  if (size > most_bytes) return false;
  auto storage = std::make_shared<std::string>();
  storage->reserve(size);
  for (auto& replica : snapshot->replicas) {
    for (absl::string_view* part : {&replica.parameters, &replica.gradient, &replica.residual}) {
      const size_t begin = storage->size();
      storage->append(part->data(), part->size());
      *part = {storage->data() + begin, part->size()};
    }
  }
  snapshot->storage = std::move(storage);
  return true;
}

void LogFailure(const absl::Status& status) {
  if (!status.ok())
    spdlog::warn("no checkpoint this time, the last good one stays: {}", std::string(status.message()));
}

}  // namespace

VirtualClusterCheckpointer::VirtualClusterCheckpointer(std::string path,
                                                       std::function<absl::Status()> before_write)
    : path_(std::move(path)), before_write_(std::move(before_write)) {}

bool VirtualClusterCheckpointer::ready() const {
  return enabled() &&
         (!writing_.valid() || writing_.wait_for(std::chrono::seconds(0)) == std::future_status::ready);
}

void VirtualClusterCheckpointer::WriteAside(VirtualClusterSnapshot snapshot, size_t most_copied_bytes) {
  Await();
  if (!CopyReplicas(most_copied_bytes, &snapshot)) return LogFailure(Write(snapshot));
  // The task empties the snapshot it holds, so that the copy of all replicas is freed as soon as it
  // is written.
  writing_ = std::async(std::launch::async, [this, snapshot = std::move(snapshot)]() mutable {
    return Write(std::exchange(snapshot, {}));
  });
}

absl::Status VirtualClusterCheckpointer::WriteNow(const VirtualClusterSnapshot& snapshot) {
  Await();
  return Write(snapshot);
}

absl::Status VirtualClusterCheckpointer::Write(const VirtualClusterSnapshot& snapshot) const {
  RETURN_IF_ERROR(before_write_());
  return WriteVirtualCluster(path_, snapshot);
}

void VirtualClusterCheckpointer::Await() {
  if (writing_.valid()) LogFailure(writing_.get());
}

}  // namespace downpour
