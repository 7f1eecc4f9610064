// Where on the data's way: for simulations: what lies between the coordinator and those who call it.
#ifndef DOWNPOUR_TESTS_TESTING_COORDINATOR_LINK_H_
#define DOWNPOUR_TESTS_TESTING_COORDINATOR_LINK_H_

#include "server/coordinator/coordinator.h"
#include "worker/replica/coordinator_client.h"

namespace downpour {

// Every call goes through Link::Call(method of Coordinator, request), which says what becomes of it.
template <typename Link>
class CoordinatorLink : public CoordinatorClient {
 public:
  absl::StatusOr<DescribeReply> Describe(const DescribeRequest& request) override {
    return link().Call(&Coordinator::Describe, request);
  }
  absl::StatusOr<JoinReply> Join(const JoinRequest& request) override {
    return link().Call(&Coordinator::Join, request);
  }
  absl::StatusOr<ReportReply> Report(const ReportRequest& request) override {
    return link().Call(&Coordinator::Report, request);
  }
  absl::StatusOr<LeaveReply> Leave(const LeaveRequest& request) override {
    return link().Call(&Coordinator::Leave, request);
  }
  absl::StatusOr<NextEvaluationReply> NextEvaluation(const NextEvaluationRequest& request) override {
    return link().Call(&Coordinator::NextEvaluation, request);
  }
  absl::StatusOr<RecordEvaluationReply> RecordEvaluation(const EvaluationResult& request) override {
    return link().Call(&Coordinator::RecordEvaluation, request);
  }
  absl::StatusOr<RunStatus> GetRunStatus(const RunStatusRequest& request) override {
    return link().Call(&Coordinator::GetRunStatus, request);
  }

 private:
  Link& link() { return static_cast<Link&>(*this); }
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_COORDINATOR_LINK_H_
