// Where on the data's way: in the corpus maker; folders that appear whole or not at all.
#ifndef DOWNPOUR_DEPLOY_CORPUS_REPLACE_FOLDER_H_
#define DOWNPOUR_DEPLOY_CORPUS_REPLACE_FOLDER_H_

#include <string>

#include "absl/status/statusor.h"

namespace downpour {

// Makes folder `path`.partial anew and empty, and returns its path. UNAVAILABLE: it cannot be made.
absl::StatusOr<std::string> NewPartialFolder(const std::string& path);

// Renames folder `partial` to `path`. A folder of that name is removed first, so for a moment there is
// neither. UNAVAILABLE: it cannot be renamed.
absl::Status ReplaceFolder(const std::string& partial, const std::string& path);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_CORPUS_REPLACE_FOLDER_H_
