// Where on the data's way: from the data to the network; what one gradient is computed from.
#ifndef DOWNPOUR_WORKER_DATA_MINIBATCH_H_
#define DOWNPOUR_WORKER_DATA_MINIBATCH_H_

#include <cstdint>
#include <vector>

namespace downpour {

struct Minibatch {
  int64_t frames = 0;
  std::vector<float> inputs;    // [frames, input_dim], row-major
  std::vector<int32_t> labels;  // [frames]
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_MINIBATCH_H_
