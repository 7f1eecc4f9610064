// Where on the data's way: reads all parameters from the shards and scores them on one network per thread.
#include "deploy/in_process/cluster_evaluator.h"

#include "common/status_macros.h"
#include "worker/evaluator/evaluator.h"

namespace downpour {
namespace {

constexpr int64_t kEvaluationMinibatch = 256;  // frames; the result does not depend on it beyond rounding

}  // namespace

absl::StatusOr<ClusterEvaluator> ClusterEvaluator::Create(const RunDescription& description,
                                                          const RunData& data, int threads) {
  ClusterEvaluator evaluator;
  evaluator.data_ = &data;
  evaluator.max_frames_ = description.evaluation().max_frames();
  for (int i = 0; i < threads; ++i) {
    ASSIGN_OR_RETURN(std::unique_ptr<Network> network, Network::Create({.network = description.network(),
                                                                        .input_dim = data.summary.input_dim(),
                                                                        .classes = data.summary.classes(),
                                                                        .max_frames = kEvaluationMinibatch}));
    evaluator.network_pointers_.push_back(network.get());
    evaluator.networks_.push_back(std::move(network));
  }
  evaluator.parameters_.resize(evaluator.networks_[0]->layout().size());
  return evaluator;
}

absl::StatusOr<NextEvaluationReply::Directive> ClusterEvaluator::EvaluateIfDue(const InProcessShards& shards,
                                                                               Coordinator& coordinator) {
  for (;;) {
    ASSIGN_OR_RETURN(const NextEvaluationReply next, coordinator.NextEvaluation({}));
    if (next.directive() != NextEvaluationReply::EVALUATE) return next.directive();
    RETURN_IF_ERROR(ReadParameters(shards, absl::MakeSpan(parameters_)));
    ASSIGN_OR_RETURN(EvaluationResult result,
                     EvaluateTestSets(*data_, parameters_, max_frames_, network_pointers_));
    result.set_updates(next.updates());
    RETURN_IF_ERROR(coordinator.RecordEvaluation(result).status());
    ASSIGN_OR_RETURN(const RunStatus status, coordinator.GetRunStatus({}));
    for (const auto& shard : shards) shard->set_plateau_factor(status.plateau_factor());
  }
}

}  // namespace downpour
