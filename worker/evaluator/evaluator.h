// Where on the data's way: parameters come in from the shards, frame accuracy on the test sets goes out.
#ifndef DOWNPOUR_WORKER_EVALUATOR_EVALUATOR_H_
#define DOWNPOUR_WORKER_EVALUATOR_EVALUATOR_H_

#include "absl/types/span.h"
#include "worker/data/run_data.h"
#include "worker/network/network.h"

namespace downpour {

// Scores `data` with `parameters`: max_frames frames, evenly spaced over the data set, or all if max_frames
// is 0. Each network gets a thread of its own; all have the same options, and the bits of the result do not
// depend on how many there are. Non-silence counts stay 0 where the data set does not know silence. The loss
// is absent where it is not finite.
// INVALID_ARGUMENT: as Network::Evaluate. Thread-safe, as long as no two calls share a network.
absl::StatusOr<TestSetResult> EvaluateTestSet(const Dataset& data, absl::Span<const float> parameters,
                                              int64_t max_frames, absl::Span<Network* const> networks);

// Scores all test sets of `data` in the same way. The caller sets `updates` of the result.
absl::StatusOr<EvaluationResult> EvaluateTestSets(const RunData& data, absl::Span<const float> parameters,
                                                  int64_t max_frames, absl::Span<Network* const> networks);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_EVALUATOR_EVALUATOR_H_
