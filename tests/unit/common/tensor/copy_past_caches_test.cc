// Where on the data's way: into and out of shared memory; copies of every alignment and size.
#include "common/tensor/copy_past_caches.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace downpour {
namespace {

TEST(CopyPastCachesTest, CopiesAnyLengthToAnyPlace) {
  std::vector<char> from(400);
  std::iota(from.begin(), from.end(), 1);
  for (size_t begin = 0; begin < 70; ++begin) {
    for (size_t size = 0; size < 300; ++size) {
      std::vector<char> to(400, -1);
      CopyPastCaches({&from[3], size}, &to[begin]);
      for (size_t i = 0; i < to.size(); ++i) {
        const bool inside = i >= begin && i < begin + size;
        ASSERT_EQ(to[i], inside ? from[3 + i - begin] : -1) << i;
      }
    }
  }
}

}  // namespace
}  // namespace downpour
