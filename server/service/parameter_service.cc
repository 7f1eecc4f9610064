// Where on the data's way: the shard's end of the wire; what all pushes and fetches share.
#include "server/service/parameter_service.h"

#include "common/program/logging.h"
#include "common/rpc/grpc_status.h"

namespace downpour {

ParameterService::ParameterService(const Options& options)
    : options_(options),
      stalls_(absl::Seconds(static_cast<double>(kChunkBytes) / static_cast<double>(options.min_bytes_per_s)),
              options.clock),
      chunks_in_(options.max_chunks),
      chunks_out_(std::make_shared<TransferSlots>(2 * options.max_chunks)),
      executor_(options.threads, 2 * static_cast<size_t>(options.max_pushes + options.max_fetches)) {}

void ParameterService::EndStalledStreams() {
  if (const int ended = stalls_.EndStalled(); ended > 0) {
    LogWarning("ended ", ended, " pushes and fetches whose replicas moved less than ",
               options_.min_bytes_per_s, " bytes a second");
  }
}

void ParameterService::AddTo(MetricFamilies* families) const {
  transfers_.AddTo("grpc", families);
  const auto add_depth = [families](const char* queue, size_t depth) {
    families->AddGauge("downpour_queue_depth", "How many wait in a queue or are under way.",
                       static_cast<double>(depth), {{"queue", queue}});
  };
  add_depth("pushes", pushes());
  add_depth("fetches", fetches());
  add_depth("chunks_in", chunks_in_.waiting());
  add_depth("chunks_out", chunks_out_->waiting());
  add_depth("tasks", executor_.waiting());
}

grpc::ServerUnaryReactor* ParameterService::GetStatus(grpc::CallbackServerContext* context,
                                                      const ShardStatusRequest*, ShardStatus* reply) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto answer = [this, reply, reactor] {
    const absl::StatusOr<std::shared_ptr<ParameterShard>> current = shard_.Get();
    if (current.ok()) *reply = (*current)->Status();
    reactor->Finish(ToGrpcStatus(current.status()));
  };
  if (!executor_.TryRun(answer)) reactor->Finish(ToGrpcStatus(TooMany("tasks", options_.max_pushes)));
  return reactor;
}

}  // namespace downpour
