// Where on the data's way: the shard's end of the wire; what all pushes and fetches share.
#include "server/service/parameter_service.h"

#include "common/program/logging.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"

namespace downpour {

ParameterService::ParameterService(const Options& options)
    : options_(options),
      stalls_(absl::Seconds(static_cast<double>(kChunkBytes) / static_cast<double>(options.min_bytes_per_s)),
              options.clock),
      chunks_in_(options.max_chunks),
      chunks_out_(2 * options.max_chunks),
      executor_(options.threads, 2 * static_cast<size_t>(options.max_pushes + options.max_fetches)) {}

void ParameterService::EndStalledStreams() {
  if (const int ended = stalls_.EndStalled(); ended > 0) {
    LogWarning("ended ", ended, " pushes and fetches whose replicas moved less than ",
               options_.min_bytes_per_s, " bytes a second");
  }
}

template <typename Fill>
grpc::ServerUnaryReactor* ParameterService::Answer(grpc::CallbackServerContext* context, Fill fill) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto answer = [this, fill, reactor] {
    const absl::StatusOr<std::shared_ptr<ParameterShard>> current = shard_.Get();
    reactor->Finish(ToGrpcStatus(current.ok() ? fill(**current) : current.status()));
  };
  if (!executor_.TryRun(answer)) reactor->Finish(ToGrpcStatus(TooMany("tasks", options_.max_pushes)));
  return reactor;
}

grpc::ServerUnaryReactor* ParameterService::GetStatus(grpc::CallbackServerContext* context,
                                                      const ShardStatusRequest*, ShardStatus* reply) {
  return Answer(context, [reply](const ParameterShard& shard) {
    *reply = shard.Status();
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ParameterService::SampleElements(grpc::CallbackServerContext* context,
                                                           const SampleRequest* request, SampleReply* reply) {
  return Answer(context, [request, reply](ParameterShard& shard) -> absl::Status {
    ASSIGN_OR_RETURN(*reply, shard.Sample(*request));
    return absl::OkStatus();
  });
}

}  // namespace downpour
