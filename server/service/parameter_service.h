// Where on the data's way: the shard's end of the wire; pushes arrive and fetches leave chunk by chunk.
#ifndef DOWNPOUR_SERVER_SERVICE_PARAMETER_SERVICE_H_
#define DOWNPOUR_SERVER_SERVICE_PARAMETER_SERVICE_H_

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>

#include "common/metrics/transfer_counters.h"
#include "proto/parameter_server.grpc.pb.h"
#include "server/service/served_shard.h"
#include "server/service/stall_watch.h"
#include "server/service/transfer_slots.h"
#include "server/shard/bounded_executor.h"

namespace downpour {

// The streams carry raw bytes, so that protobuf neither parses nor copies tensors.
using ParameterServiceBase = ParameterServer::WithRawCallbackMethod_Push<
    ParameterServer::WithRawCallbackMethod_Fetch<ParameterServer::WithCallbackMethod_GetStatus<
        ParameterServer::WithCallbackMethod_SampleElements<ParameterServer::Service>>>>;

// Serves one ParameterShard with the statuses documented in proto/parameter_server.proto; UNAVAILABLE until
// it has one. Thread-safe. gRPC's callbacks only start tasks: the executor's threads check, apply and read
// the chunks. A slow shard slows its senders down through HTTP/2's flow control: the service holds a chunk
// each of at most max_chunks pushes; any other can send no more than its first message, in which clients put
// the header alone, and what HTTP/2 lets it before the service reads. So a push takes a slot, and a place in
// front of others, with its first bytes.
class ParameterService final : public ParameterServiceBase {
 public:
  struct Options {
    // Threads that apply pushes and read for fetches.
    int threads = std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 2, 4);
    int max_pushes = 256;   // under way at the same time; the next is told RESOURCE_EXHAUSTED
    int max_fetches = 256;  // likewise
    // Chunks that are being received or applied at the same time. Twice as many may be on their way out,
    // until the kernel has taken their bytes. Streams that arrived first go first. Two chunks for each
    // thread: with more, the chunks of 200 replicas push each other out of the CPU's caches.
    int max_chunks = 2 * threads;
    // Of each chunk, from when its slot is taken: a peer that needs longer for kChunkBytes has stalled. Low
    // enough for a link of 1 Mbit/s.
    int64_t min_bytes_per_s = int64_t{64} * 1024;
    Clock* clock = Clock::Real();  // not owned; measures that
  };
  explicit ParameterService(const Options& options);

  void Serve(std::shared_ptr<ParameterShard> shard) { shard_.Set(std::move(shard)); }
  // Ends the streams whose peers have stalled (min_bytes_per_s); they are told CANCELLED, and may begin
  // again. To be called every second or so. A push that has no first message after that time is ended, too.
  void EndStalledStreams();
  int pushes() const { return pushes_; }
  int fetches() const { return fetches_; }
  const Transfers& transfers() const { return transfers_; }
  // Adds the transfers, and what waits in queues.
  void AddTo(MetricFamilies* families) const;

 private:
  class PushReactor;
  class FetchReactor;

  grpc::ServerReadReactor<grpc::ByteBuffer>* Push(grpc::CallbackServerContext* context,
                                                  grpc::ByteBuffer* reply) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Fetch(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context, const ShardStatusRequest* request,
                                      ShardStatus* reply) override;
  grpc::ServerUnaryReactor* SampleElements(grpc::CallbackServerContext* context, const SampleRequest* request,
                                           SampleReply* reply) override;
  // Answers with the status of `fill(shard)`, on a thread of the executor.
  template <typename Fill>
  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, Fill fill);

  const Options options_;
  std::atomic<int> pushes_ = 0;
  std::atomic<int> fetches_ = 0;
  Transfers transfers_;
  StallWatch stalls_;
  TransferSlots chunks_in_;
  TransferSlots chunks_out_;
  ServedShard shard_;
  // Its queue has room for one task of each stream, and for as many status requests.
  BoundedExecutor executor_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SERVICE_PARAMETER_SERVICE_H_
