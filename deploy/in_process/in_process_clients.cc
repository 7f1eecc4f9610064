// Where on the data's way: checks the vector's size, then applies a push to the shard chunk by chunk.
#include "deploy/in_process/in_process_clients.h"

#include <algorithm>

#include "common/status_macros.h"

namespace downpour {

absl::StatusOr<PushOutcome> InProcessShardClient::Push(const PushHeader& header, const PushPlanes& planes,
                                                       TensorView fetched) {
  RETURN_IF_ERROR(shard_->CheckRun(run_));
  RETURN_IF_ERROR(CheckSize(planes));
  PushOutcome outcome;
  for (int64_t begin = 0; begin < range().size(); begin += ParameterShard::kSegmentElements) {
    const KeyRange keys{begin, std::min(begin + ParameterShard::kSegmentElements, range().size())};
    const TensorView fetched_part = fetched.empty() ? fetched : fetched[keys];
    ASSIGN_OR_RETURN(outcome,
                     shard_->ApplyChunk(header, range().begin + begin, planes.Part(keys), fetched_part));
  }
  return outcome;
}

absl::StatusOr<uint64_t> InProcessShardClient::Fetch(MutableTensorView parameters) {
  RETURN_IF_ERROR(shard_->CheckRun(run_));
  RETURN_IF_ERROR(CheckSize(parameters.size()));
  const uint64_t version = shard_->version();
  RETURN_IF_ERROR(shard_->Read(range(), parameters));
  return version;
}

}  // namespace downpour
