// Where on the data's way: the run folder at rest; what of a run it holds, and how it is cleared.
#ifndef DOWNPOUR_SERVER_STORAGE_RUN_FILES_H_
#define DOWNPOUR_SERVER_STORAGE_RUN_FILES_H_

#include <string>

#include "absl/status/statusor.h"

namespace downpour {

// A run's `name` as the beginning of its id, which messages, checkpoints and the file run_id hold: one short
// line of UTF-8, whatever bytes the name has.
std::string RunIdStem(absl::string_view name);

// A run's id stands in its checkpoints and, from the first of them on, in <folder>/run_id. So a folder whose
// checkpoint is lost is not taken for one in which a run may begin.
absl::Status RecordRunId(const std::string& folder, const std::string& run_id);  // statuses as ReplaceFile()
// NOT_FOUND: no run in this folder has written a checkpoint. UNAVAILABLE: the file cannot be read.
absl::StatusOr<std::string> ReadRunId(const std::string& folder);

// FAILED_PRECONDITION: <folder>/checkpoints/<checkpoint> is missing, its previous generation too, and there
// is a run_id or a shard's checkpoint. The message says what is there, what is missing and what to do.
absl::Status CheckNoRunIsLost(const std::string& folder, const std::string& checkpoint);

// Removes the run in `folder`, if there is one: only what a run writes, because the folder may hold a user's
// own files. ABORTED: a process is at work in it. UNAVAILABLE: it cannot be cleared.
absl::Status RemoveRun(const std::string& folder);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_STORAGE_RUN_FILES_H_
