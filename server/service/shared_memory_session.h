// Where on the data's way: between the shard and one replica on its host; what the replica may ask for.
#ifndef DOWNPOUR_SERVER_SERVICE_SHARED_MEMORY_SESSION_H_
#define DOWNPOUR_SERVER_SERVICE_SHARED_MEMORY_SESSION_H_

#include <array>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "common/tls/permissions.h"
#include "common/wire/descriptor_socket.h"
#include "common/wire/push_planes.h"
#include "common/wire/shared_memory.h"
#include "proto/shared_memory.pb.h"
#include "server/service/served_shard.h"
#include "server/shard/parallel_for.h"

namespace downpour {

// One replica's session, by the protocol of proto/shared_memory.proto. The replica may lie, and may write to
// its memory or give it up at any instant. Not thread-safe.
class SharedMemorySession {
 public:
  struct Options {
    const ServedShard* shard;            // not owned
    std::string directory;               // of the socket
    ParallelFor parallel_for;            // for pushes and fetches
    Caller caller = Caller::Unproven();  // whose session it is
    std::function<bool()> replica_gone;  // asked now and then while a push is applied
  };
  explicit SharedMemorySession(Options options) : options_(std::move(options)) {}

  // Whether the replica's memory has arrived. Before, a request that fails ends the session.
  bool connected() const { return memory_.valid(); }
  // Fills the reply but for its code and message. Statuses as in proto/shared_memory.proto.
  absl::Status Answer(const SharedMemoryRequest& request, SharedMemoryReply* reply);
  // Of the planes or the parameters of a push or a fetch that was answered with OK.
  int64_t TensorBytes(const SharedMemoryRequest& request) const;

 private:
  absl::Status Listen(const RunIdentity& run, SharedMemoryReply* reply);
  absl::Status Receive();
  absl::Status Push(const SharedMemoryRequest::Push& push, SharedMemoryReply* reply);
  absl::Status Fetch(const SharedMemoryRequest::Fetch& fetch, SharedMemoryReply* reply);
  template <typename Element>
  absl::Status Apply(const SharedMemoryRequest::Push& push, SharedMemoryReply* reply);
  template <typename Element>
  absl::Status Write(uint64_t offset, SharedMemoryReply* reply);
  // The elements at `offset` of the replica's memory. `view` maps them, if it does not do so already.
  template <typename Element>
  absl::StatusOr<absl::Span<Element>> View(uint64_t offset, SharedMemoryView* view);

  const Options options_;
  std::shared_ptr<ParameterShard> shard_;
  std::unique_ptr<DescriptorSocket> socket_;  // from the attach request to the connected request
  FileDescriptor memory_;                     // of the replica; valid from the connected request on
  std::set<uint64_t> places_;                 // offsets in it that the replica has named
  std::array<SharedMemoryView, kMostPlanes> planes_;
  SharedMemoryView parameters_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SERVICE_SHARED_MEMORY_SESSION_H_
