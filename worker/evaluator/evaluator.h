// Where on the data's way: beside it; parameters in, frame accuracy on the test sets out.
#ifndef DOWNPOUR_WORKER_EVALUATOR_EVALUATOR_H_
#define DOWNPOUR_WORKER_EVALUATOR_EVALUATOR_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/coordinator.pb.h"
#include "worker/data/run_data.h"
#include "worker/network/network.h"

namespace downpour {

// Scores `data` with `parameters`. max_frames > 0: that many frames, evenly spaced over the data set; 0: all.
// One thread per network given, all with the same options; the bits of the result do not depend on how many.
// Non-silence counts stay 0 where the data set does not know silence. INVALID_ARGUMENT: as Network::Evaluate.
// Thread-safe, as long as no two calls share a network.
absl::StatusOr<TestSetResult> EvaluateTestSet(const Dataset& data, absl::Span<const float> parameters,
                                              int64_t max_frames, absl::Span<Network* const> networks);

// Likewise on all test sets of `data`; `updates` is left for the caller to set.
absl::StatusOr<EvaluationResult> EvaluateTestSets(const RunData& data, absl::Span<const float> parameters,
                                                  int64_t max_frames, absl::Span<Network* const> networks);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_EVALUATOR_EVALUATOR_H_
