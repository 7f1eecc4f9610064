// Where on the data's way: between a replica and one shard, through memory where both are on one host.
#ifndef DOWNPOUR_WORKER_TRANSPORT_GRPC_SHARED_MEMORY_CLIENT_H_
#define DOWNPOUR_WORKER_TRANSPORT_GRPC_SHARED_MEMORY_CLIENT_H_

#include <memory_resource>
#include <optional>
#include <vector>

#include "common/wire/shared_memory.h"
#include "proto/shared_memory.pb.h"
#include "worker/transport/grpc_shard_client.h"

namespace downpour {

// A ShardClient that lets the shard read gradients from this process's memory and write parameters to it, if
// the shard offers that and is on this host. Otherwise, and whenever that fails, it goes over gRPC as
// GrpcShardClient does. The client tries at its first call, and again after a session has broken because the
// shard was started again. Gradients and parameters that lie in `memory` are not copied here; others are,
// through a buffer as large as the shard's range. Statuses as GrpcShardClient.
class SharedMemoryShardClient final : public ShardClient {
 public:
  struct Options {
    GrpcShardClient::Options grpc;
    std::string directory;                   // of the shard's socket, as this process sees it
    SharedMemoryResource* memory = nullptr;  // not owned; any number of clients share it
  };
  explicit SharedMemoryShardClient(const Options& options);
  ~SharedMemoryShardClient() override;

  KeyRange range() const override { return grpc_.range(); }
  absl::StatusOr<PushOutcome> Push(const PushHeader& header, const PushPlanes& planes) override;
  absl::StatusOr<uint64_t> Fetch(MutableTensorView parameters) override;
  // Whether the last call went through shared memory.
  bool attached() const { return session_ != nullptr; }

 private:
  class Session;

  // The session with the shard, which this begins if need be. Null: no memory is shared at this time.
  Session* Attached();
  absl::StatusOr<std::unique_ptr<Session>> Attach();
  // Returns the reply to `request`, or a transient status where the call is to be made over gRPC instead.
  absl::StatusOr<SharedMemoryReply> Call(Session& session, const SharedMemoryRequest& request);
  // The offsets of the tensors in the shared memory, in bytes; those that do not lie in it are copied first.
  std::vector<uint64_t> OffsetsOf(const PushPlanes& planes);
  // Makes buffer_ `bytes` long and returns its offset in the shared memory, in bytes.
  uint64_t Buffer(size_t bytes);

  const Options options_;
  GrpcShardClient grpc_;
  const std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Session> session_;
  bool apart_ = false;             // the shard is known to be on another host, or not to share memory
  std::pmr::vector<char> buffer_;  // in the shared memory
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_TRANSPORT_GRPC_SHARED_MEMORY_CLIENT_H_
