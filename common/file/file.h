// Where on the data's way: files at rest; read whole, or replaced so that no reader sees half of one.
#ifndef DOWNPOUR_COMMON_FILE_FILE_H_
#define DOWNPOUR_COMMON_FILE_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace downpour {

// What some editors put before text in UTF-8. Readers of text that people write skip it.
inline constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

// What errno says of `action`, e.g. "write", on `path`. RESOURCE_EXHAUSTED: disk full; else UNAVAILABLE.
absl::Status FileError(absl::string_view action, absl::string_view path);

// NOT_FOUND: no such file. UNAVAILABLE: it cannot be read (a folder). The message names file and cause.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// Puts on the disk which files `directory` has: a new or renamed file lasts only after that.
absl::Status SyncDirectory(const std::string& directory);

// Who may read a file that is written: everybody, as far as the process's umask lets them, or only its owner.
enum class FileReaders { kEverybody, kOwner };

// Writes `pieces` one after the other to `path`.partial, syncs, and renames it over `path`: a full disk or a
// crash leaves the old file as it was. If `keep_old_as` is not empty, the old file, if there is one, then has
// that name, in place of what had it. Fails as FileError() says; the message names file and cause.
absl::Status ReplaceFile(const std::string& path, absl::Span<const absl::string_view> pieces,
                         const std::string& keep_old_as = "", FileReaders readers = FileReaders::kEverybody);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_FILE_FILE_H_
