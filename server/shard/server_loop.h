// Where on the data's way: beside a shard; what its server asks the coordinator, from the first call to the last.
#ifndef DOWNPOUR_SERVER_SHARD_SERVER_LOOP_H_
#define DOWNPOUR_SERVER_SHARD_SERVER_LOOP_H_

#include <functional>
#include <memory>

#include "common/clock.h"
#include "proto/coordinator.pb.h"
#include "server/shard/parameter_shard.h"
#include "server/shard/shard_follower.h"

namespace downpour {

struct ServerLoopOptions {
  // Two calls of ClusterCoordinator, without retries. Statuses as in proto/coordinator.proto, and a transient
  // one (common/back_off.h) where the coordinator cannot be reached.
  std::function<absl::StatusOr<RunStatus>()> get_run_status;
  std::function<absl::StatusOr<RegisterShardReply>(const RegisterShardRequest&)> register_shard;
  RegisterShardRequest request;  // the first; later ones also have what the coordinator has replied
  // Begins to serve the shard of the reply in the reply's view, with the state `followed`, or if that is null
  // with that of this server's folder.
  std::function<absl::StatusOr<std::shared_ptr<ParameterShard>>(const RegisterShardReply&,
                                                                std::shared_ptr<ParameterShard> followed)>
      serve;
  // Serves the shard no more, as another server has taken its place.
  std::function<void()> stop_serving = [] {};
  ShardFollower* follower = nullptr;     // not owned; wanted where cluster.standbys is 1
  std::function<uint64_t()> new_number;  // for RegisterShardRequest.server: random, never 0; likewise
  std::function<void()> end_stalled_streams = [] {};  // called 20 times a second while it serves
  // Called before each poll while it serves: fills in what the coordinator is told beside.
  std::function<void(RegisterShardRequest*)> report = [](RegisterShardRequest*) {};
  absl::Duration give_up_after = absl::Minutes(10);  // how long the coordinator may be away
  Clock* clock = Clock::Real();                      // not owned
  std::function<bool()> stopped = [] { return false; };
};

// Registers with the coordinator, which answers once it knows the run's data, however long it takes until a
// replica joins. Then serves, or follows the shard's primary until it takes that one's place, until the run is
// over and no replica needs the shard any more. Each second it registers again: that is the
// server's sign of life, it learns which replicas have joined, and a restarted coordinator may have a
// checkpoint that does not know this address. A primary whose standby has taken its place follows that one,
// from its state on. When it returns, what serves still serves. CANCELLED: stopped. FAILED_PRECONDITION: the
// coordinator refuses this server, or has been restarted with another run, or another server has the shard. A
// transient status: the coordinator could not be reached for `give_up_after`. Others: as `serve`.
absl::Status RunServer(ServerLoopOptions options);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SHARD_SERVER_LOOP_H_
