// Where on the data's way: the replica's end of the way to a shard, through memory where both are on one
// host.
#ifndef DOWNPOUR_WORKER_TRANSPORT_GRPC_SHARED_MEMORY_CLIENT_H_
#define DOWNPOUR_WORKER_TRANSPORT_GRPC_SHARED_MEMORY_CLIENT_H_

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/wire/shared_memory.h"
#include "proto/shared_memory.pb.h"
#include "worker/transport/grpc_shard_client.h"

namespace downpour {

// ShardClient that lets the shard read gradients from, and write parameters to, this process's memory, where
// the shard offers that and is on this host; else, and whenever that fails, a GrpcShardClient. Whether it
// is, is found out at the first call, and again after a session broke: a shard that was started again. Where
// gradient or parameters lie in `memory` nothing is copied here; else they are, through a buffer of the shard's
// range. Statuses as GrpcShardClient.
class SharedMemoryShardClient final : public ShardClient {
 public:
  struct Options {
    GrpcShardClient::Options grpc;
    std::string directory;                   // the shard's, as this process sees it
    SharedMemoryResource* memory = nullptr;  // not owned; of any number of clients
  };
  explicit SharedMemoryShardClient(const Options& options);
  ~SharedMemoryShardClient() override;

  KeyRange range() const override { return grpc_.range(); }
  absl::StatusOr<PushOutcome> Push(const PushHeader& header, TensorView gradient) override;
  absl::StatusOr<uint64_t> Fetch(MutableTensorView parameters) override;
  // Whether the last call went through memory.
  bool attached() const { return session_ != nullptr; }

 private:
  class Session;

  // Null: there is no such way now.
  Session* Attached();
  absl::StatusOr<std::unique_ptr<Session>> Attach();
  // The reply to `request`; a transient status where it is to be made over gRPC.
  absl::StatusOr<SharedMemoryReply> Call(Session& session, const SharedMemoryRequest& request);
  // Where a copy of the range has room; in bytes.
  uint64_t Buffer(size_t bytes);

  const Options options_;
  GrpcShardClient grpc_;
  const std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Session> session_;
  bool apart_ = false;  // the shard is elsewhere, or does not offer it: known for good
  std::pmr::vector<char> buffer_;
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_TRANSPORT_GRPC_SHARED_MEMORY_CLIENT_H_
