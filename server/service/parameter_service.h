// Where on the data's way: the shard's end of the wire; pushes arrive chunk by chunk, fetches leave chunk by
// chunk.
#ifndef DOWNPOUR_SERVER_SERVICE_PARAMETER_SERVICE_H_
#define DOWNPOUR_SERVER_SERVICE_PARAMETER_SERVICE_H_

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include "proto/parameter_server.grpc.pb.h"
#include "server/service/served_shard.h"
#include "server/service/transfer_slots.h"
#include "server/shard/bounded_executor.h"

namespace downpour {

// The streams carry raw bytes, so that tensors are neither parsed nor copied by protobuf.
using ParameterServiceBase =
    ParameterServer::WithRawCallbackMethod_Push<ParameterServer::WithRawCallbackMethod_Fetch<
        ParameterServer::WithCallbackMethod_GetStatus<ParameterServer::Service>>>;

// Serves one ParameterShard with the statuses documented in proto/parameter_server.proto; UNAVAILABLE until
// it has one. Thread-safe. gRPC's callbacks only hand on: chunks are checked, applied and read on the
// executor's threads. A slow shard slows its senders down through HTTP/2's flow control: of max_chunks pushes there
// is a chunk here, and of any other no more than what it may send before it is read.
class ParameterService final : public ParameterServiceBase {
 public:
  struct Options {
    // That apply and read.
    int threads = std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 2, 4);
    int max_pushes = 256;   // at once; the next is told RESOURCE_EXHAUSTED
    int max_fetches = 256;  // likewise
    // Being received or applied at once, and twice as many being sent, until the kernel has taken their bytes; those of the
    // first come first. Two for each thread: with more, 200 replicas push each other's chunks out of the caches.
    int max_chunks = 2 * threads;
  };
  explicit ParameterService(const Options& options);

  void Serve(std::shared_ptr<ParameterShard> shard) { shard_.Set(std::move(shard)); }

 private:
  class PushReactor;
  class FetchReactor;

  grpc::ServerReadReactor<grpc::ByteBuffer>* Push(grpc::CallbackServerContext* context,
                                                  grpc::ByteBuffer* reply) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Fetch(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context, const ShardStatusRequest* request,
                                      ShardStatus* reply) override;

  const Options options_;
  std::atomic<int> pushes_ = 0;
  std::atomic<int> fetches_ = 0;
  TransferSlots chunks_in_;
  // Chunks that are being sent may outlive the service a little.
  const std::shared_ptr<TransferSlots> chunks_out_;
  ServedShard shard_;
  // Room for one task of each stream, and as many status requests again.
  BoundedExecutor executor_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SERVICE_PARAMETER_SERVICE_H_
