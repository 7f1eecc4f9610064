// Where on the data's way: guards common/wire/: packed gradients of any bytes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/check.h"
#include "common/wire/gradient_packing.h"

// A gradient that is accepted must stay the same when it is packed and unpacked again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace downpour;  // NOLINT
  constexpr int64_t kBegin = 300;
  std::vector<uint16_t> buffer(2000);
  const absl::string_view packed(reinterpret_cast<const char*>(data), size);
  const auto values = UnpackGradient(kBegin, packed, absl::MakeSpan(buffer));
  if (!values.ok()) return 0;
  DOWNPOUR_CHECK(values->size() <= buffer.size());
  const std::string again = PackGradient(kBegin, *values);
  std::vector<uint16_t> second(buffer.size());
  const auto same = UnpackGradient(kBegin, again, absl::MakeSpan(second));
  DOWNPOUR_CHECK(same.ok() && *same == *values);
  return 0;
}
