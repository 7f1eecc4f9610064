// Where on the data's way: files at rest; tells one folder of checkpoints from another, wherever it is moved.
#ifndef DOWNPOUR_SERVER_STORAGE_FOLDER_NUMBER_H_
#define DOWNPOUR_SERVER_STORAGE_FOLDER_NUMBER_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace downpour {

// A random number, never 0, that names the folder: the first call writes it to <folder>/.folder. It tells the
// coordinator whether a server that starts has the state of the server before it. DATA_LOSS: the file holds no
// such number. UNAVAILABLE, RESOURCE_EXHAUSTED: it cannot be read or made.
absl::StatusOr<uint64_t> FolderNumber(const std::string& folder);
// As FolderNumber(), but writes nothing. NOT_FOUND: the folder has no number.
absl::StatusOr<uint64_t> ReadFolderNumber(const std::string& folder);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_STORAGE_FOLDER_NUMBER_H_
