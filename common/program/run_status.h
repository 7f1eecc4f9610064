// Where on the data's way: common/program, during a run; the coordinator's status of the run becomes the line
// that a terminal shows.
#ifndef DOWNPOUR_COMMON_PROGRAM_RUN_STATUS_H_
#define DOWNPOUR_COMMON_PROGRAM_RUN_STATUS_H_

#include <string>

#include "proto/coordinator.pb.h"

namespace downpour {

// "1000 updates epoch 0.15 20 replicas train loss 5.801 test frame accuracy 7.63%", as far as it is known.
std::string DescribeStatus(const RunStatus& status);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_RUN_STATUS_H_
