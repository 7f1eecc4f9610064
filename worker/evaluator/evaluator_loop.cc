// Where on the data's way: asks the coordinator what is due, and for the shards again when one fails.
#include "worker/evaluator/evaluator_loop.h"

#include <optional>

#include "common/back_off.h"
#include "common/layout/shard_map.h"
#include "common/program/logging.h"
#include "common/status_macros.h"
#include "common/wire/run_identity.h"
#include "worker/evaluator/evaluator.h"
#include "worker/network/network.h"
#include "worker/replica/described_run.h"

namespace downpour {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(200);
constexpr int64_t kMinibatchFrames = 256;

// Whether trying again may help. A shard that answers with another shard's keys has come to that shard's old
// address, and the coordinator has a newer map.
bool MayPass(const absl::Status& status) {
  return IsTransient(status) || absl::IsOutOfRange(status) || absl::IsDataLoss(status);
}

class EvaluatorLoop {
 public:
  explicit EvaluatorLoop(const EvaluatorLoopOptions& options) : options_(options) {}

  absl::Status Run();

 private:
  absl::StatusOr<NextEvaluationReply::Directive> Step();
  absl::Status Join();
  absl::Status Evaluate(int64_t updates);

  const EvaluatorLoopOptions& options_;
  RunDescription description_;
  std::vector<std::unique_ptr<ShardClient>> shards_;  // empty until looked up
  // `updates` of the evaluation under way, which is kept over failures: the coordinator gives the same
  // evaluation to nobody else for replica_timeout_s.
  std::optional<int64_t> handed_out_;
  std::vector<std::unique_ptr<Network>> networks_;
  std::vector<float> parameters_;
};

absl::Status EvaluatorLoop::Run() {
  absl::Time last_success = options_.clock->Now();
  while (!options_.stopped()) {
    const absl::StatusOr<NextEvaluationReply::Directive> directive = Step();
    const absl::Time now = options_.clock->Now();
    if (directive.ok()) {
      if (*directive == NextEvaluationReply::STOP) return absl::OkStatus();
      last_success = now;
    } else if (options_.stopped() && (MayPass(directive.status()) || absl::IsCancelled(directive.status()))) {
      return absl::OkStatus();
    } else if (!MayPass(directive.status()) || now - last_success > options_.give_up_after) {
      return directive.status();
    } else {
      LogWarning("evaluator: ", directive.status().message(), "; trying again");
      shards_.clear();  // one of them may have moved
    }
    if (!directive.ok() || *directive == NextEvaluationReply::WAIT) options_.clock->SleepFor(kPoll);
  }
  return absl::OkStatus();
}

absl::StatusOr<NextEvaluationReply::Directive> EvaluatorLoop::Step() {
  if (shards_.empty()) {
    // After a failure: the result may have been recorded though no reply came, or by another evaluator. The
    // shards of a run that is over are gone.
    if (handed_out_.has_value()) {
      ASSIGN_OR_RETURN(const RunStatus run, options_.coordinator->GetRunStatus({}));
      if (run.phase() == RunStatus::FINISHED) return NextEvaluationReply::STOP;
    }
    RETURN_IF_ERROR(Join());
  }
  if (!handed_out_.has_value()) {
    ASSIGN_OR_RETURN(const NextEvaluationReply next, options_.coordinator->NextEvaluation({}));
    if (next.directive() != NextEvaluationReply::EVALUATE) return next.directive();
    handed_out_ = next.updates();
  }
  const absl::Time began = options_.clock->Now();
  RETURN_IF_ERROR(Evaluate(*handed_out_));
  if (options_.evaluations != nullptr) options_.evaluations->Count(options_.clock->Now() - began);
  handed_out_.reset();
  return NextEvaluationReply::EVALUATE;
}

absl::Status EvaluatorLoop::Join() {
  JoinRequest request;
  request.set_run_id(options_.run_id);
  *request.mutable_data() = options_.data->summary;
  request.set_evaluator(true);
  ASSIGN_OR_RETURN(const JoinReply reply, options_.coordinator->Join(request));
  description_ = reply.description();
  RETURN_IF_ERROR(CheckMemoryFor(reply, sizeof(float)));
  while (static_cast<int>(networks_.size()) < options_.threads) {
    ASSIGN_OR_RETURN(networks_.emplace_back(), Network::Create({.network = description_.network(),
                                                                .input_dim = reply.data().input_dim(),
                                                                .classes = reply.data().classes(),
                                                                .max_frames = kMinibatchFrames}));
  }
  const ParameterLayout& layout = networks_.front()->layout();
  RETURN_IF_ERROR(CheckLayout(layout, reply.run()));
  parameters_.resize(layout.size());
  ASSIGN_OR_RETURN(const ShardMap map, ShardMap::Create(layout.size(), reply.shards_size()));
  const RunKey run = ToRunKey(reply.run());
  for (int shard = 0; shard < map.shards(); ++shard) {
    ASSIGN_OR_RETURN(shards_.emplace_back(), options_.connect_shard(reply.shards(shard), map.range(shard),
                                                                    run, ClusterDescription()));
  }
  return absl::OkStatus();
}

absl::Status EvaluatorLoop::Evaluate(int64_t updates) {
  for (const std::unique_ptr<ShardClient>& shard : shards_) {
    const KeyRange range = shard->range();
    RETURN_IF_ERROR(shard->Fetch(absl::MakeSpan(parameters_).subspan(range.begin, range.size())).status());
  }
  std::vector<Network*> networks;
  for (const std::unique_ptr<Network>& network : networks_) networks.push_back(network.get());
  ASSIGN_OR_RETURN(
      EvaluationResult result,
      EvaluateTestSets(*options_.data, parameters_, description_.evaluation().max_frames(), networks));
  result.set_updates(updates);
  return options_.coordinator->RecordEvaluation(result).status();
}

}  // namespace

absl::Status RunEvaluator(const EvaluatorLoopOptions& options) { return EvaluatorLoop(options).Run(); }

}  // namespace downpour
