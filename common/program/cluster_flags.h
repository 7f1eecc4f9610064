// Where on the data's way: common/program, before a process joins a cluster; flags of all such processes.
#ifndef DOWNPOUR_COMMON_PROGRAM_CLUSTER_FLAGS_H_
#define DOWNPOUR_COMMON_PROGRAM_CLUSTER_FLAGS_H_

#include <string>

#include "absl/flags/declare.h"
#include "absl/status/status.h"
#include "absl/time/time.h"

// They are linked into a program, and so into its --help, only where it uses this header.
ABSL_DECLARE_FLAG(std::string, coordinator);
ABSL_DECLARE_FLAG(std::string, shared_memory_dir);
ABSL_DECLARE_FLAG(absl::Duration, give_up_after);

namespace downpour {

// Calls KeepMemoryOfChunks(), then SetUpLogging(), whose status it returns. Call before there are threads.
absl::Status SetUpClusterProcess(const std::string& program);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_CLUSTER_FLAGS_H_
