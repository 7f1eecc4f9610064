// Where on the data's way: guards worker/data/: IDX files of any bytes, plain and gzipped.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/check.h"
#include "tests/fuzz/memory_file.h"
#include "worker/data/idx.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace downpour;  // NOLINT
  static MemoryFile* const file = new MemoryFile;
  file->Fill({reinterpret_cast<const char*>(data), size});
  if (const absl::StatusOr<IdxImages> images = ReadIdxImages(file->path()); images.ok()) {
    DOWNPOUR_CHECK(images->count > 0);
    DOWNPOUR_CHECK(static_cast<int64_t>(images->pixels.size()) ==
                   images->count * images->rows * images->columns);
  }
  for (const uint8_t label : ReadIdxLabels(file->path()).value_or(std::vector<uint8_t>())) {
    DOWNPOUR_CHECK(label < 10);
  }
  return 0;
}
