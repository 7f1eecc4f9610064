// Where on the data's way: checks the vector's size, then applies a push to the shard chunk by chunk.
#include "deploy/in_process/in_process_clients.h"

#include <algorithm>

#include "common/status_macros.h"

namespace downpour {

absl::StatusOr<PushOutcome> InProcessShardClient::Push(const PushHeader& header, TensorView gradient) {
  RETURN_IF_ERROR(shard_->CheckRun(run_));
  RETURN_IF_ERROR(CheckSize(gradient.size()));
  PushOutcome outcome;
  for (int64_t begin = 0; begin < range().size(); begin += ParameterShard::kSegmentElements) {
    const TensorView segment =
        gradient[{begin, std::min(begin + ParameterShard::kSegmentElements, range().size())}];
    ASSIGN_OR_RETURN(outcome, shard_->ApplyChunk(header, range().begin + begin, segment));
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
