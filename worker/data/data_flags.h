// Where on the data's way: before the readers; flags of the programs that read data.
#ifndef DOWNPOUR_WORKER_DATA_DATA_FLAGS_H_
#define DOWNPOUR_WORKER_DATA_DATA_FLAGS_H_

#include "worker/data/kaldi_features.h"

namespace downpour {

// As --allow_commands says. A flag and no field of the run description, which comes over the network.
FeatureOptions DataFlags();

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_DATA_FLAGS_H_
