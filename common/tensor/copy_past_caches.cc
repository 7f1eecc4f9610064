// Where on the data's way: out of the network, in and out of shared memory; SSE2's streaming stores.
#include "common/tensor/copy_past_caches.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace downpour {

void CopyPastCaches(absl::string_view from, char* to) {
  size_t i = 0;
#ifdef __SSE2__
  constexpr size_t kLine = 64;  // bytes of a cache line; one that is written whole need not be read first
  i = std::min<size_t>(from.size(), -reinterpret_cast<uintptr_t>(to) % kLine);
  std::copy_n(from.data(), i, to);
  for (; i + kLine <= from.size(); i += kLine) {
    for (size_t k = i; k < i + kLine; k += sizeof(__m128i))
      _mm_stream_si128(reinterpret_cast<__m128i*>(to + k),
                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(&from[k])));
  }
  _mm_sfence();
#endif
  std::copy(from.begin() + static_cast<ptrdiff_t>(i), from.end(), to + i);
}

}  // namespace downpour
