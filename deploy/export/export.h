// Where on the data's way: from a run's checkpoints to the trained network, and on to a safetensors file.
#ifndef DOWNPOUR_DEPLOY_EXPORT_EXPORT_H_
#define DOWNPOUR_DEPLOY_EXPORT_EXPORT_H_

#include "common/layout/parameter_layout.h"
#include "proto/checkpoint.pb.h"

namespace downpour {

// What a run has learned. A value.
struct TrainedNetwork {
  CoordinatorCheckpoint run;  // description, data summary with the normalisation, updates, last evaluation
  ParameterLayout layout;
  std::vector<float> parameters;  // layout.size() elements
};

// Reads run_dir/checkpoints/cluster.ckpt or, if there is none, coordinator.ckpt and every shard-K.ckpt there, or
// that of run_dir/standbys if the shard's standby has taken the primary's place.
// NOT_FOUND: there are none of them, or one is missing. DATA_LOSS: a damaged checkpoint, shards that do not
// belong together, or ranges that do not make up the layout; the message names the file.
absl::StatusOr<TrainedNetwork> ReadTrainedNetwork(const std::string& run_dir);

// Writes every tensor of the layout, "normalization/mean" and "normalization/stddev" (per feature dimension,
// of the training part), and as metadata what a program needs to use them: nonlinearity, optimizer,
// left_context, right_context, updates, and test_frame_accuracy if it is known. Statuses as WriteSafetensors.
//
// A network's input is the window of frames [t - left_context, t + right_context], each (x - mean) / stddev,
// one after the other. A layer's output is nonlinearity(weights * input + bias), that of the last layer is
// softmax(weights * input + bias).
absl::Status ExportSafetensors(const TrainedNetwork& network, const std::string& path);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_EXPORT_EXPORT_H_
