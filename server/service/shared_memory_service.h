// Where on the data's way: the shard's end of the way to replicas on its own host; gradients are applied from
// their memory, and parameters are written to it.
#ifndef DOWNPOUR_SERVER_SERVICE_SHARED_MEMORY_SERVICE_H_
#define DOWNPOUR_SERVER_SERVICE_SHARED_MEMORY_SERVICE_H_

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "proto/shared_memory.grpc.pb.h"
#include "server/service/served_shard.h"
#include "server/shard/bounded_executor.h"
#include "server/shard/parallel_for.h"

namespace downpour {

using SharedMemoryServiceBase = SharedMemory::WithCallbackMethod_Attach<SharedMemory::Service>;

// Serves one ParameterShard with the statuses documented in proto/shared_memory.proto; UNAVAILABLE until it has
// one. Thread-safe. It waits for gRPC alone and never for what a replica does to the memory, of which it
// believes nothing: a gradient is copied out segment by segment before it is looked at. A replica may die
// at any instruction; what was held for it (a descriptor, two mappings of its own memory) goes when gRPC says
// that its stream is over. Callbacks only hand on to the executor's threads; a session has one request in hand.
class SharedMemoryService final : public SharedMemoryServiceBase {
 public:
  struct Options {
    std::string directory;   // where sockets are made for a moment each; replicas name the same one
    int max_sessions = 256;  // the next is told RESOURCE_EXHAUSTED
    int threads = std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 4);  // that apply and
                                                                                            // read
  };
  // Removes dead sockets from the directory.
  explicit SharedMemoryService(const Options& options);

  void Serve(std::shared_ptr<ParameterShard> shard) { shard_.Set(std::move(shard)); }
  int sessions() const { return sessions_; }

 private:
  class Session;

  grpc::ServerBidiReactor<SharedMemoryRequest, SharedMemoryReply>* Attach(
      grpc::CallbackServerContext* context) override;

  const Options options_;
  std::atomic<int> sessions_ = 0;
  ServedShard shard_;
  BoundedExecutor executor_;  // room for the request of each session, with its helpers
  const ParallelFor parallel_for_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SERVICE_SHARED_MEMORY_SERVICE_H_
