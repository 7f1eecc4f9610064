// Where on the data's way: the coordinator; what a message from the network may say, whoever sends it.
#ifndef DOWNPOUR_SERVER_COORDINATOR_REQUEST_CHECKS_H_
#define DOWNPOUR_SERVER_COORDINATOR_REQUEST_CHECKS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "proto/coordinator.pb.h"

namespace downpour {

// INVALID_ARGUMENT: the value, a name that a message brings, is longer than a host name can be, 256 bytes.
// The message does not repeat it.
absl::Status CheckName(const char* field, const std::string& value);

// INVALID_ARGUMENT: the sketch has another size than 0 or kGradientSketchSize, or is not finite.
absl::Status CheckSketch(const google::protobuf::RepeatedField<float>& sketch);

// INVALID_ARGUMENT, naming the field: negative updates, no frames in `test`, more frames than an evaluation
// scores (`max_frames` of each test set; 0: no limit), more correct frames than frames, or a loss that
// cross-entropy cannot be.
absl::Status CheckEvaluationResult(const EvaluationResult& result, int64_t max_frames);

// INVALID_ARGUMENT, naming the field: the first data summary of a run says what no data set that a replica
// can read has, for example 2^31 classes. It would fix the size of every shard.
absl::Status CheckDataSummary(const DataSummary& data);
// FAILED_PRECONDITION, naming the field: the data summary is of other data than `wanted`.
absl::Status CheckSameData(const DataSummary& seen, const DataSummary& wanted);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_REQUEST_CHECKS_H_
