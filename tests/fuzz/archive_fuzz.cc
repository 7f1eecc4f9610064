// Where on the data's way: guards worker/data/: Kaldi archives and scp files of any bytes.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/check.h"
#include "worker/data/byte_source.h"
#include "worker/data/kaldi_io.h"
#include "worker/data/kaldi_scp.h"

namespace downpour {
namespace {

template <typename ReadObject>
void ReadEntries(const std::string& bytes, ReadObject read_object) {
  ArchiveReader reader(ByteSource::FromMemory(bytes, "fuzz"));
  std::string key;
  for (;;) {
    const absl::StatusOr<bool> more = reader.NextKey(&key);
    if (!more.ok() || !*more || !read_object(reader)) return;
  }
}

}  // namespace
}  // namespace downpour

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace downpour;  // NOLINT
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  FloatMatrix matrix;
  ReadEntries(bytes, [&](ArchiveReader& reader) {
    if (!reader.ReadMatrix(&matrix).ok()) return false;
    DOWNPOUR_CHECK(static_cast<int64_t>(matrix.values.size()) == matrix.rows * matrix.cols);
    return true;
  });
  std::vector<int32_t> values;
  ReadEntries(bytes, [&](ArchiveReader& reader) { return reader.ReadIntVector(&values).ok(); });
  for (const ScpEntry& entry : ParseScp(bytes, "fuzz").value_or(std::vector<ScpEntry>())) {
    DOWNPOUR_CHECK(!entry.key.empty() && !entry.path.empty() && entry.offset >= 0);
    ArchiveReader reader(ByteSource::FromMemory(bytes, "fuzz"));
    if (!reader.SeekTo(entry.offset).ok() || !reader.ReadMatrix(&matrix).ok()) continue;
    const absl::StatusOr<MatrixRange> range = Within(entry.range, matrix.rows, matrix.cols);
    DOWNPOUR_CHECK(!range.ok() || (range->last_row < matrix.rows && range->last_col < matrix.cols));
  }
  return 0;
}
