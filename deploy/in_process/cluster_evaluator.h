// Where on the data's way: in process, from the shards' parameters to accuracies on the test sets.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_CLUSTER_EVALUATOR_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_CLUSTER_EVALUATOR_H_

#include "deploy/in_process/in_process_shards.h"
#include "worker/data/run_data.h"
#include "worker/network/network.h"

namespace downpour {

// Scores the parameters of an in-process cluster. Not thread-safe.
class ClusterEvaluator {
 public:
  // `data` must outlive the evaluator, which works on `threads` >= 1 threads. Statuses as Network::Create.
  static absl::StatusOr<ClusterEvaluator> Create(const RunDescription& description, const RunData& data,
                                                 int threads);

  // Does every evaluation that is due now. Returns the coordinator's last answer: WAIT or STOP.
  absl::StatusOr<NextEvaluationReply::Directive> EvaluateIfDue(const InProcessShards& shards,
                                                               Coordinator& coordinator);

 private:
  ClusterEvaluator() = default;

  const RunData* data_ = nullptr;
  int64_t max_frames_ = 0;
  std::vector<std::unique_ptr<Network>> networks_;
  std::vector<Network*> network_pointers_;
  std::vector<float> parameters_;
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_CLUSTER_EVALUATOR_H_
