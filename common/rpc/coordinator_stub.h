// Where on the data's way: requests of shards, replicas and evaluators go to the coordinator, with retries.
#ifndef DOWNPOUR_COMMON_RPC_COORDINATOR_STUB_H_
#define DOWNPOUR_COMMON_RPC_COORDINATOR_STUB_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <atomic>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "common/back_off.h"
#include "common/program/reachability.h"
#include "common/rpc/channel.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"
#include "proto/coordinator.grpc.pb.h"

namespace downpour {

// Calls the coordinator's RPCs, each with a deadline and the retries of the policy, and says in the log when
// the coordinator cannot be reached. Thread-safe.
class CoordinatorStub {
 public:
  struct Options {
    std::string address;                       // host:port
    std::shared_ptr<Credentials> credentials;  // null: without TLS
    RetryPolicy retry;
    absl::Duration rpc_timeout = absl::Seconds(10);  // of one attempt
    Clock* clock = Clock::Real();                    // not owned; for the back-off
    uint64_t jitter_seed = ProcessJitterSeed();
  };
  explicit CoordinatorStub(Options options)
      : options_(std::move(options)),
        channel_(ConnectTo(options_.address, {"coordinator", options_.credentials})),
        stub_(ClusterCoordinator::NewStub(channel_)),
        reachability_(absl::StrCat("the coordinator at ", options_.address), options_.clock) {}

  // `method` is, for example, &ClusterCoordinator::Stub::Join. Statuses as proto/coordinator.proto.
  // UNAVAILABLE or DEADLINE_EXCEEDED: the coordinator cannot be reached.
  template <typename Request, typename Reply>
  absl::StatusOr<Reply> Call(grpc::Status (ClusterCoordinator::Stub::*method)(grpc::ClientContext*,
                                                                              const Request&, Reply*),
                             const Request& request) {
    Random jitter(options_.jitter_seed, calls_++);
    return CallWithRetries(options_.retry, options_.clock, &jitter, [&]() -> absl::StatusOr<Reply> {
      reachability_.Trying();
      const absl::Status connected = AwaitConnection(*channel_, options_.address);
      // A call on a channel that has failed to connect ends at once, and its status says why.
      if (!connected.ok() && channel_->GetState(false) != GRPC_CHANNEL_TRANSIENT_FAILURE) {
        reachability_.Failed(connected);
        return connected;
      }
      grpc::ClientContext context;
      context.set_deadline(DeadlineIn(options_.rpc_timeout));
      Reply reply;
      const absl::Status status = FromUncancelledCall((stub_.get()->*method)(&context, request, &reply));
      if (absl::IsDeadlineExceeded(status) || (!connected.ok() && absl::IsUnavailable(status))) {
        reachability_.Failed(status);
      } else {
        reachability_.Answered();
      }
      if (!status.ok()) return status;
      return reply;
    });
  }

 private:
  const Options options_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<ClusterCoordinator::Stub> stub_;
  Reachability reachability_;
  std::atomic<uint64_t> calls_ = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_RPC_COORDINATOR_STUB_H_
