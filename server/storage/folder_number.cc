// Where on the data's way: files at rest; the number is random, and once there it stays.
#include "server/storage/folder_number.h"

#include <unistd.h>

#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/back_off.h"
#include "common/file/file.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

std::string FolderNumberPath(const std::string& folder) { return absl::StrCat(folder, "/.folder"); }

}  // namespace

absl::StatusOr<uint64_t> ReadFolderNumber(const std::string& folder) {
  const std::string path = FolderNumberPath(folder);
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  uint64_t number = 0;
  if (absl::SimpleHexAtoi(absl::StripAsciiWhitespace(text), &number) && number != 0) return number;
  return absl::DataLossError(absl::StrCat(path, " holds '", absl::CHexEscape(text.substr(0, 40)),
                                          "', want a hexadecimal number that is not 0"));
}

absl::StatusOr<uint64_t> FolderNumber(const std::string& folder) {
  absl::StatusOr<uint64_t> number = ReadFolderNumber(folder);
  if (!absl::IsNotFound(number.status())) return number;
  const std::string path = FolderNumberPath(folder);
  // Servers of several shards may come here together: the first one's file stays, and all read that.
  const std::string own = absl::StrCat(path, ".", getpid());
  RETURN_IF_ERROR(
      ReplaceFile(own, {absl::StrCat(absl::Hex(ProcessJitterSeed() | 1, absl::kZeroPad16), "\n")}));
  const bool linked = link(own.c_str(), path.c_str()) == 0 || errno == EEXIST;
  const absl::Status failed = linked ? absl::OkStatus() : FileError("make", path);
  unlink(own.c_str());
  RETURN_IF_ERROR(failed);
  return FolderNumber(folder);
}

}  // namespace downpour
