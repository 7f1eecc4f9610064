// Where on the data's way: beside it; names each number of an overview.
#include "server/coordinator/coordinator_metrics.h"

#include <algorithm>

#include "server/coordinator/evaluation_line.h"

namespace downpour {
namespace {

constexpr uint64_t kLargestBound = 16'384;  // in updates; larger values are in the bucket of all

void AddStaleness(const StalenessHistogram& staleness, MetricFamilies* families) {
  std::vector<std::pair<double, uint64_t>> buckets;
  double sum = 0;
  for (const auto& [value, pushes] : staleness.counts())
    sum += static_cast<double>(value) * static_cast<double>(pushes);
  uint64_t at_most = 0;
  auto next = staleness.counts().begin();
  for (uint64_t bound = 0; bound <= kLargestBound; bound = std::max<uint64_t>(1, 2 * bound)) {
    for (; next != staleness.counts().end() && next->first <= bound; ++next) at_most += next->second;
    buckets.emplace_back(bound, at_most);
  }
  families->AddHistogram("downpour_push_staleness_updates",
                         "Updates that a shard made between a replica's fetch and its push.", buckets,
                         staleness.pushes(), sum);
}

void AddEvaluation(const char* set, const TestSetResult& result, MetricFamilies* families) {
  if (result.frames() == 0) return;
  families->AddGauge("downpour_frame_accuracy_ratio", "Frame accuracy of the last evaluation.",
                     static_cast<double>(result.correct()) / static_cast<double>(result.frames()),
                     {{"set", set}});
  if (const auto loss = MeanLoss(result))
    families->AddGauge("downpour_loss_nats", "Mean cross-entropy a frame, of the last evaluation.", *loss,
                       {{"set", set}});
}

}  // namespace

void AddRunMetrics(const Overview& overview, const StalenessHistogram& staleness, Clock* clock,
                   MetricFamilies* families) {
  const RunStatus& status = overview.status();
  const auto count = [families](const char* name, const char* help, int64_t value) {
    families->AddCounter(name, help, static_cast<double>(value));
  };
  count("downpour_updates_total", "Pushes that were applied on every shard.", status.updates());
  count("downpour_frames_total", "Frames that replicas have trained on.", status.frames());
  count("downpour_pushes_rejected_total", "Gradients that were not finite.", status.pushes_rejected());
  count("downpour_pushes_late_total", "Pushes that came after their round had ended.", status.pushes_late());
  AddStaleness(staleness, families);
  families->AddGauge("downpour_live_replicas", "Replicas in the cluster.", status.live_replicas());
  families->AddGauge("downpour_registered_shards", "Shards that have a server.", status.shards_registered());
  families->AddGauge("downpour_lost_shards", "Shards whose server gives no sign of life.",
                     static_cast<double>(std::count_if(overview.shards().begin(), overview.shards().end(),
                                                       [](const auto& shard) { return shard.lost(); })));
  const auto without_standby = std::count_if(overview.shards().begin(), overview.shards().end(),
                                             [](const auto& shard) { return shard.standby().empty(); });
  families->AddGauge("downpour_shards_without_standby",
                     "Shards that have none, though the run wants one for each.",
                     overview.standbys() > 0 ? static_cast<double>(without_standby) : 0);
  families->AddGauge("downpour_run_done_ratio", "Share of the run's budget that is used up.",
                     status.fraction_done());
  families->AddGauge("downpour_epoch", "Epochs of the training part that are read.", status.epoch());
  AddEvaluation("test", status.last_evaluation().test(), families);
  AddEvaluation("test_human", status.last_evaluation().test_human(), families);
  families->AddGauge(
      "downpour_last_update_timestamp_seconds",
      "When the last update was, or this program was started if there was none since; in "
      "seconds since 1970.",
      absl::ToDoubleSeconds(clock->WallNow() - absl::Seconds(overview.since_update_s()) - absl::UnixEpoch()));
}

}  // namespace downpour
