// Where on the data's way: scores minibatches of a test set on several threads, and adds up their results.
#include "worker/evaluator/evaluator.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "common/check.h"
#include "common/status_macros.h"
#include "worker/data/minibatch_source.h"

namespace downpour {
namespace {

// The rows of the frames to score, in ascending order.
std::vector<int64_t> ChooseFrames(int64_t frames, int64_t max_frames) {
  const int64_t chosen = max_frames > 0 ? std::min(frames, max_frames) : frames;
  std::vector<int64_t> rows(chosen);
  for (int64_t i = 0; i < chosen; ++i) rows[i] = i * frames / chosen;
  return rows;
}

absl::StatusOr<TestSetResult> ScoreMinibatch(const Dataset& data, absl::Span<const float> parameters,
                                             const Minibatch& minibatch, std::vector<int32_t>* predictions,
                                             Network& network) {
  ASSIGN_OR_RETURN(const Network::Result scored, network.Evaluate(parameters, minibatch, predictions));
  TestSetResult result;
  result.set_frames(minibatch.frames);
  result.set_correct(scored.correct);
  result.set_loss_sum(scored.loss_sum);
  if (!data.knows_silence()) return result;
  for (int64_t i = 0; i < minibatch.frames; ++i) {
    if (data.is_silence(minibatch.labels[i])) continue;
    const bool correct = (*predictions)[i] == minibatch.labels[i];
    result.set_nonsilence_frames(result.nonsilence_frames() + 1);
    result.set_nonsilence_correct(result.nonsilence_correct() + correct);
  }
  return result;
}

void Add(const TestSetResult& part, TestSetResult* sum) {
  sum->set_frames(sum->frames() + part.frames());
  sum->set_correct(sum->correct() + part.correct());
  sum->set_nonsilence_frames(sum->nonsilence_frames() + part.nonsilence_frames());
  sum->set_nonsilence_correct(sum->nonsilence_correct() + part.nonsilence_correct());
  sum->set_loss_sum(sum->loss_sum() + part.loss_sum());
}

}  // namespace

absl::StatusOr<TestSetResult> EvaluateTestSet(const Dataset& data, absl::Span<const float> parameters,
                                              int64_t max_frames, absl::Span<Network* const> networks) {
  DOWNPOUR_CHECK(!networks.empty());
  const std::vector<int64_t> rows = ChooseFrames(data.frames(), max_frames);
  const size_t minibatch_frames = networks[0]->max_frames();
  const size_t minibatches = (rows.size() + minibatch_frames - 1) / minibatch_frames;
  std::vector<absl::StatusOr<TestSetResult>> results(minibatches);
  std::atomic<size_t> next = 0;
  const auto score = [&](Network& network) {
    Minibatch minibatch;
    std::vector<int32_t> predictions;
    for (size_t i = next++; i < minibatches; i = next++) {
      FillMinibatch(data, absl::MakeConstSpan(rows).subspan(i * minibatch_frames, minibatch_frames),
                    &minibatch);
      results[i] = ScoreMinibatch(data, parameters, minibatch, &predictions, network);
    }
  };
  std::vector<std::thread> threads;
  for (Network* network : networks.subspan(1)) threads.emplace_back([&score, network] { score(*network); });
  score(*networks[0]);
  for (std::thread& thread : threads) thread.join();

  TestSetResult sum;
  for (const absl::StatusOr<TestSetResult>& result : results) {
    RETURN_IF_ERROR(result.status());
    Add(*result, &sum);
  }
  if (!std::isfinite(sum.loss_sum())) sum.clear_loss_sum();
  return sum;
}

absl::StatusOr<EvaluationResult> EvaluateTestSets(const RunData& data, absl::Span<const float> parameters,
                                                  int64_t max_frames, absl::Span<Network* const> networks) {
  EvaluationResult result;
  ASSIGN_OR_RETURN(*result.mutable_test(), EvaluateTestSet(*data.test, parameters, max_frames, networks));
  if (data.test_human != nullptr) {
    ASSIGN_OR_RETURN(*result.mutable_test_human(),
                     EvaluateTestSet(*data.test_human, parameters, max_frames, networks));
  }
  return result;
}

}  // namespace downpour
