// Where on the data's way: puts a checkpoint's parameters back to where they were fetched.
#include "worker/replica/parameter_snapshot.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace downpour {

absl::Status ParameterSnapshot::Load(absl::string_view bytes) {
  const absl::Span<char> own = memory().bytes();
  if (bytes.size() != own.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a replica's parameters have ", bytes.size(), " bytes, want ", own.size()));
  }
  std::copy(bytes.begin(), bytes.end(), own.begin());
  return absl::OkStatus();
}

}  // namespace downpour
