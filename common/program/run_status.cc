// Where on the data's way: common/program, during a run; leaves out of the line what is not known yet.
#include "common/program/run_status.h"

#include "absl/strings/str_format.h"

namespace downpour {

std::string DescribeStatus(const RunStatus& status) {
  std::string line = absl::StrFormat("%d updates  epoch %.2f  %d replicas", status.updates(), status.epoch(),
                                     status.live_replicas());
  if (status.phase() == RunStatus::WAITING)
    absl::StrAppendFormat(&line, "  %d shards", status.shards_registered());
  for (const ShardLiveness& shard : status.shards()) {
    if (shard.lost())
      absl::StrAppendFormat(&line, "  shard %d LOST for %.0f s", shard.shard(), shard.silent_s());
  }
  if (status.pushes_late() > 0) absl::StrAppendFormat(&line, "  %d late pushes", status.pushes_late());
  if (status.updates() > 0) absl::StrAppendFormat(&line, "  train loss %.3f", status.train_loss());
  if (const TestSetResult& test = status.last_evaluation().test(); test.frames() > 0)
    absl::StrAppendFormat(&line, "  test frame accuracy %.2f%%", 100.0 * test.correct() / test.frames());
  return line;
}

}  // namespace downpour
