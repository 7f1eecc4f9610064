// Where on the data's way: beside it; folders that appear whole or not at all.
#ifndef DOWNPOUR_DEPLOY_CORPUS_REPLACE_FOLDER_H_
#define DOWNPOUR_DEPLOY_CORPUS_REPLACE_FOLDER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace downpour {

// Makes the empty folder `path`.partial, in place of whatever an interrupted run left there. UNAVAILABLE: it
// cannot.
absl::StatusOr<std::string> NewPartialFolder(const std::string& path);

// Gives `partial` the name `path`; a folder of that name goes first, so there is a moment with neither.
// UNAVAILABLE: it cannot.
absl::Status ReplaceFolder(const std::string& partial, const std::string& path);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_CORPUS_REPLACE_FOLDER_H_
