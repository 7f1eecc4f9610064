// Where on the data's way: the shard's end of the wire; adds up what services, shard and checkpoints say.
#include "server/service/shard_report.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/metrics/disk_metrics.h"

namespace downpour {

void ShardReport::Serve(std::shared_ptr<const ParameterShard> shard,
                        std::shared_ptr<const Checkpointer> checkpointer) {
  absl::MutexLock lock(&mutex_);
  shard_ = std::move(shard);
  checkpointer_ = std::move(checkpointer);
}

ShardActivity ShardReport::Activity() const {
  absl::MutexLock lock(&mutex_);
  const ShardStatus status = shard_->Status();
  ShardActivity activity;
  activity.set_version(status.version());
  activity.set_pushes_rejected(status.pushes_rejected());
  activity.set_bytes_received(service_->transfers().pushes.bytes());
  activity.set_bytes_sent(service_->transfers().fetches.bytes());
  if (shared_memory_ != nullptr) {
    const Transfers& more = shared_memory_->transfers();
    activity.set_bytes_received(activity.bytes_received() + more.pushes.bytes());
    activity.set_bytes_sent(activity.bytes_sent() + more.fetches.bytes());
  }
  const std::optional<absl::Duration> age = checkpointer_->writer().Age();
  activity.set_checkpoint_age_s(age.has_value() ? absl::ToDoubleSeconds(*age) : -1);
  return activity;
}

void ShardReport::AddTo(MetricFamilies* families) const {
  service_->AddTo(families);
  if (shared_memory_ != nullptr) shared_memory_->AddTo(families);
  AddDiskMetrics(folder_, families);
  absl::MutexLock lock(&mutex_);
  if (shard_ == nullptr) return;
  const ShardStatus status = shard_->Status();
  const MetricFamilies::Labels labels = {{"shard", absl::StrCat(status.shard())}};
  const auto count = [&](const char* name, const char* help, uint64_t value) {
    families->AddCounter(name, help, static_cast<double>(value), labels);
  };
  count("downpour_shard_updates_total", "Pushes that this shard has applied in the run.", status.version());
  count("downpour_shard_pushes_rejected_total", "Pushes of which a chunk was not finite.",
        status.pushes_rejected());
  count("downpour_shard_pushes_duplicate_total", "Pushes that were applied already.",
        status.pushes_duplicate());
  checkpointer_->writer().AddTo(families);
}

}  // namespace downpour
