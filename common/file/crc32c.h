// Where on the data's way: guards bytes at rest (checkpoints, event files) and names layouts.
#ifndef DOWNPOUR_COMMON_FILE_CRC32C_H_
#define DOWNPOUR_COMMON_FILE_CRC32C_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace downpour {

// CRC-32C (Castagnoli) of `bytes`; pass the result as `seed` to go on over more bytes. Thread-safe.
uint32_t Crc32c(absl::string_view bytes, uint32_t seed = 0);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_FILE_CRC32C_H_
