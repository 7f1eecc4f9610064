// Where on the data's way: inside the virtual cluster; the parameters that one replica has fetched.
#include "deploy/parameter_snapshot.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace downpour {

ParameterSnapshot::ParameterSnapshot(int64_t elements, bool bfloat16)
    : floats_(bfloat16 ? 0 : elements), bfloats_(bfloat16 ? elements : 0) {}

absl::Status ParameterSnapshot::Fetch(const ParameterShard& shard) {
  const KeyRange range = shard.range();
  if (bfloats_.empty()) return shard.Read(range, absl::MakeSpan(floats_).subspan(range.begin, range.size()));
  return shard.Read(range, absl::MakeSpan(bfloats_).subspan(range.begin, range.size()));
}

absl::Status ParameterSnapshot::Load(absl::string_view bytes) {
  if (bytes.size() != this->bytes().size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a replica's parameters have ", bytes.size(), " bytes, want ", this->bytes().size()));
  }
  std::memcpy(bfloats_.empty() ? static_cast<void*>(floats_.data()) : bfloats_.data(), bytes.data(),
              bytes.size());
  return absl::OkStatus();
}

}  // namespace downpour
