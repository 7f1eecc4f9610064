// Where on the data's way: common/program, before a process joins a cluster; how its flags set it up.
#include "common/program/cluster_flags.h"

#include "absl/flags/flag.h"
#include "absl/time/time.h"
#include "common/program/allocator.h"
#include "common/program/logging.h"

ABSL_FLAG(std::string, coordinator, "127.0.0.1:7100", "host:port of the coordinator; it may start later");
ABSL_FLAG(
    std::string, shared_memory_dir, "/dev/shm",
    "folder, as this process sees it, where shards meet the workers and evaluators of their own host, whose "
    "tensors then go through shared memory; all of them name the same one; empty: always by gRPC");
ABSL_FLAG(
    absl::Duration, give_up_after, absl::Minutes(10),
    "how long the coordinator or a shard may be out of reach before this program ends with exit code 1, "
    "e.g. 90s; inf: it tries for ever");
ABSL_FLAG(std::string, log_file, "", "log here as well as to the terminal");
ABSL_FLAG(bool, verbose, false, "log everything to the terminal, not warnings only");

namespace downpour {

absl::Status SetUpClusterProcess(const std::string& program) {
  KeepMemoryOfChunks();
  return SetUpLogging(program, absl::GetFlag(FLAGS_log_file), absl::GetFlag(FLAGS_verbose));
}

}  // namespace downpour
