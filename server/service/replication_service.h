// Where on the data's way: at a primary's end of the wire; a standby fetches the shard and follows it.
#ifndef DOWNPOUR_SERVER_SERVICE_REPLICATION_SERVICE_H_
#define DOWNPOUR_SERVER_SERVICE_REPLICATION_SERVICE_H_

#include <memory>

#include "proto/replication.grpc.pb.h"
#include "server/service/served_shard.h"

namespace downpour {

// Serves ShardReplication with the statuses documented in proto/replication.proto; UNAVAILABLE while this
// server is no primary. Thread-safe. Each stream has a thread; a shard has one at most, as a server that is not
// expected is refused at once.
class ReplicationService final
    : public ShardReplication::WithRawCallbackMethod_Follow<ShardReplication::Service> {
 public:
  // Null: no shard any more.
  void Serve(std::shared_ptr<ParameterShard> shard) { shard_.Set(std::move(shard)); }

 private:
  class FollowReactor;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Follow(
      grpc::CallbackServerContext* context) override;

  ServedShard shard_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SERVICE_REPLICATION_SERVICE_H_
