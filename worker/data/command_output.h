// Where on the data's way: before archives' bytes; what a command writes that stands in feats.scp.
#ifndef DOWNPOUR_WORKER_DATA_COMMAND_OUTPUT_H_
#define DOWNPOUR_WORKER_DATA_COMMAND_OUTPUT_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace downpour {

// What `command`, run by sh, writes to its standard output until it ends. Call only where the user has
// allowed it: a command does what it likes. Thread-safe. DATA_LOSS: it failed, or wrote more than `most_bytes`.
// CANCELLED: it was interrupted. UNAVAILABLE: it could not be started. The messages hold the command.
absl::StatusOr<std::string> CommandOutput(const std::string& command, int64_t most_bytes);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_COMMAND_OUTPUT_H_
