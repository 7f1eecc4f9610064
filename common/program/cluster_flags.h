// Where on the data's way: common/program, before a process joins a cluster; the flags that shards,
// workers and evaluators share. They are linked into a program, and so into its --help, only where it uses
// this header.
#ifndef DOWNPOUR_COMMON_PROGRAM_CLUSTER_FLAGS_H_
#define DOWNPOUR_COMMON_PROGRAM_CLUSTER_FLAGS_H_

#include <string>

#include "absl/flags/declare.h"
#include "absl/status/status.h"

ABSL_DECLARE_FLAG(std::string, coordinator);
ABSL_DECLARE_FLAG(std::string, shared_memory_dir);

namespace downpour {

// Sets the process up to exchange tensors (KeepMemoryOfChunks) and to log as --log_file and --verbose say.
// Call before the process has threads. UNAVAILABLE as SetUpLogging.
absl::Status SetUpClusterProcess(const std::string& program);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_CLUSTER_FLAGS_H_
