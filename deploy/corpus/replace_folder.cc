// Where on the data's way: fills a folder of another name first and renames it last.
#include "deploy/corpus/replace_folder.h"

#include <filesystem>

#include "absl/strings/str_cat.h"

namespace downpour {
namespace {

absl::Status Failure(const std::string& path, const std::error_code& error) {
  return absl::UnavailableError(absl::StrCat(path, ": ", error.message()));
}

}  // namespace

absl::StatusOr<std::string> NewPartialFolder(const std::string& path) {
  std::string partial = absl::StrCat(path, ".partial");
  std::error_code error;
  std::filesystem::remove_all(partial, error);
  if (!error) std::filesystem::create_directories(partial, error);
  if (error) return Failure(partial, error);
  return partial;
}

absl::Status ReplaceFolder(const std::string& partial, const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (!error) std::filesystem::rename(partial, path, error);
  return error ? Failure(path, error) : absl::OkStatus();
}

}  // namespace downpour
