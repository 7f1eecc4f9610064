// Where on the data's way: for simulations of a cluster: a replica, and its way to the coordinator.
#ifndef DOWNPOUR_TESTS_TESTING_SIMULATED_REPLICA_H_
#define DOWNPOUR_TESTS_TESTING_SIMULATED_REPLICA_H_

#include "tests/testing/coordinator_link.h"
#include "tests/testing/simulated_coordinator.h"

namespace downpour {

struct SimulatedReplica : Party {
  SimulatedReplica() { caller = Caller({"worker"}); }
  bool leaves = false, ended = false;
  absl::Status end;
  uint64_t id = 0, incarnation = 0;  // as it was told last
  bool joined = false;
  absl::Time killed_at;
};

// A replica's, or the evaluator's, way to the coordinator. Notes in the replica what it is told.
class ReplicaLink final : public CoordinatorLink<ReplicaLink> {
 public:
  // Nothing is owned. `replica` is null for the evaluator.
  ReplicaLink(SimulatedCoordinator* coordinator, Party* party, SimulatedReplica* replica)
      : coordinator_(coordinator), party_(party), replica_(replica) {}

  absl::StatusOr<JoinReply> Join(const JoinRequest& request) override {
    const absl::StatusOr<JoinReply> reply = CoordinatorLink::Join(request);
    if (reply.ok() && !request.evaluator()) {
      replica_->id = reply->replica_id();
      replica_->incarnation = reply->incarnation();
      replica_->joined = true;
    }
    return reply;
  }
  absl::StatusOr<ReportReply> Report(const ReportRequest& request) override {
    const absl::StatusOr<ReportReply> reply = CoordinatorLink::Report(request);
    if (absl::IsNotFound(reply.status())) replica_->joined = false;
    return reply;
  }
  absl::StatusOr<LeaveReply> Leave(const LeaveRequest& request) override {
    if (!replica_->killed) replica_->joined = false;
    return CoordinatorLink::Leave(request);
  }
  template <typename Request, typename Reply>
  absl::StatusOr<Reply> Call(absl::StatusOr<Reply> (Coordinator::*method)(const Request&),
                             const Request& request) {
    return coordinator_->Call(party_, method, request);
  }

 private:
  SimulatedCoordinator* const coordinator_;
  Party* const party_;
  SimulatedReplica* const replica_;
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_SIMULATED_REPLICA_H_
