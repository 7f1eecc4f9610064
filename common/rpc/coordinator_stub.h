// Where on the data's way: requests of shards, replicas and evaluators go to the coordinator, with retries.
#ifndef DOWNPOUR_COMMON_RPC_COORDINATOR_STUB_H_
#define DOWNPOUR_COMMON_RPC_COORDINATOR_STUB_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <atomic>
#include <chrono>
#include <cstdint>

#include "common/back_off.h"
#include "common/rpc/channel.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"
#include "proto/coordinator.grpc.pb.h"

namespace downpour {

// Calls the coordinator's RPCs, each with a deadline and the retries of the policy. Thread-safe.
class CoordinatorStub {
 public:
  struct Options {
    std::string address;  // host:port
    RetryPolicy retry;
    absl::Duration rpc_timeout = absl::Seconds(10);  // of one attempt
    Clock* clock = Clock::Real();                    // not owned; for the back-off
    uint64_t jitter_seed = ProcessJitterSeed();
  };
  explicit CoordinatorStub(Options options)
      : options_(std::move(options)),
        channel_(ConnectTo(options_.address)),
        stub_(ClusterCoordinator::NewStub(channel_)) {}

  // `method` is, for example, &ClusterCoordinator::Stub::Join. Statuses as proto/coordinator.proto.
  // UNAVAILABLE or DEADLINE_EXCEEDED: the coordinator cannot be reached.
  template <typename Request, typename Reply>
  absl::StatusOr<Reply> Call(grpc::Status (ClusterCoordinator::Stub::*method)(grpc::ClientContext*,
                                                                              const Request&, Reply*),
                             const Request& request) {
    Random jitter(options_.jitter_seed, calls_++);
    return CallWithRetries(options_.retry, options_.clock, &jitter, [&]() -> absl::StatusOr<Reply> {
      RETURN_IF_ERROR(AwaitConnection(*channel_, options_.address));
      grpc::ClientContext context;
      context.set_deadline(absl::ToChronoTime(absl::Now() + options_.rpc_timeout));
      Reply reply;
      const grpc::Status status = (stub_.get()->*method)(&context, request, &reply);
      if (!status.ok()) return FromGrpcStatus(status);
      return reply;
    });
  }

 private:
  const Options options_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<ClusterCoordinator::Stub> stub_;
  std::atomic<uint64_t> calls_ = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_RPC_COORDINATOR_STUB_H_
