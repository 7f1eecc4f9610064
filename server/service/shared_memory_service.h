// Where on the data's way: between the shard and replicas on its host; tensors go through their memory.
#ifndef DOWNPOUR_SERVER_SERVICE_SHARED_MEMORY_SERVICE_H_
#define DOWNPOUR_SERVER_SERVICE_SHARED_MEMORY_SERVICE_H_

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "common/clock.h"
#include "common/metrics/transfer_counters.h"
#include "proto/shared_memory.grpc.pb.h"
#include "server/service/served_shard.h"
#include "server/shard/bounded_executor.h"
#include "server/shard/parallel_for.h"

namespace downpour {

using SharedMemoryServiceBase = SharedMemory::WithCallbackMethod_Attach<SharedMemory::Service>;

// Serves one ParameterShard with the statuses documented in proto/shared_memory.proto; UNAVAILABLE until it
// has one. Thread-safe. A replica may write to the memory at any time and may die at any instruction. So the
// service waits only for gRPC, never for something in that memory, and it copies a gradient segment by
// segment before it checks and applies it. What it holds for a replica (a descriptor and two mappings of the
// replica's memory) is released when gRPC says that the replica's stream is over.
class SharedMemoryService final : public SharedMemoryServiceBase {
 public:
  struct Options {
    std::string directory;   // where a socket is made while a replica connects; replicas name the same one
    int max_sessions = 256;  // the next is told RESOURCE_EXHAUSTED
    // Threads that apply pushes and read for fetches.
    int threads = std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 4);
    Clock* clock = Clock::Real();  // not owned; measures transfers
  };
  // Removes the sockets that processes which died have left in the directory.
  explicit SharedMemoryService(const Options& options);

  void Serve(std::shared_ptr<ParameterShard> shard) { shard_.Set(std::move(shard)); }
  int sessions() const { return sessions_; }
  // Under way, in all sessions, from the request's arrival to the answer.
  int pushes() const { return pushes_; }
  const Transfers& transfers() const { return transfers_; }
  // Adds the transfers, and what waits in queues.
  void AddTo(MetricFamilies* families) const;

 private:
  class Stream;

  grpc::ServerBidiReactor<SharedMemoryRequest, SharedMemoryReply>* Attach(
      grpc::CallbackServerContext* context) override;

  const Options options_;
  std::atomic<int> sessions_ = 0;
  std::atomic<int> pushes_ = 0;
  std::atomic<int> fetches_ = 0;
  Transfers transfers_;
  ServedShard shard_;
  // Its queue has room for the request of each session and for the tasks that help with it.
  BoundedExecutor executor_;
  const ParallelFor parallel_for_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SERVICE_SHARED_MEMORY_SERVICE_H_
