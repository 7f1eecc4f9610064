// Where on the data's way: guards bytes at rest; ISA-L computes CRC-32C with the CPU's own instruction.
#include "common/file/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace downpour {

uint32_t Crc32c(absl::string_view bytes, uint32_t seed) {
  // ISA-L takes an int length and leaves the usual inversions to the caller.
  constexpr size_t kMaxPiece = size_t{1} << 30;
  uint32_t crc = ~seed;
  while (!bytes.empty()) {
    const absl::string_view piece = bytes.substr(0, kMaxPiece);
    auto* data = reinterpret_cast<unsigned char*>(const_cast<char*>(piece.data()));
    crc = crc32_iscsi(data, static_cast<int>(piece.size()), crc);
    bytes.remove_prefix(piece.size());
  }
  return ~crc;
}

}  // namespace downpour
