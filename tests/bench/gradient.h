// Where on the data's way: for the benchmarks: the gradient that they push.
#ifndef DOWNPOUR_TESTS_BENCH_GRADIENT_H_
#define DOWNPOUR_TESTS_BENCH_GRADIENT_H_

#include <algorithm>
#include <cstdint>
#include <memory_resource>

#include "common/tensor/bfloat16.h"
#include "worker/replica/parameter_snapshot.h"

namespace downpour {

// `elements` elements of the same small value.
inline ParameterSnapshot MakeGradient(int64_t elements, bool bfloat16,
                                      std::pmr::memory_resource* memory = std::pmr::new_delete_resource()) {
  constexpr float kValue = 1e-3f;
  ParameterSnapshot gradient(elements, bfloat16, memory);
  const MutableTensorView view = gradient.memory();
  std::fill(view.floats().begin(), view.floats().end(), kValue);
  std::fill(view.bfloats().begin(), view.bfloats().end(), ToBfloat16(kValue));
  return gradient;
}

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_BENCH_GRADIENT_H_
