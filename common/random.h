// Where on the data's way: in every room; initial parameters, data order, simulated times and faults.
#ifndef DOWNPOUR_COMMON_RANDOM_H_
#define DOWNPOUR_COMMON_RANDOM_H_

#include <cstdint>

#include "absl/types/span.h"

namespace downpour {

// SplitMix64 (Steele, Lea and Flood 2014). absl::BitGen may give another sequence in every build; here a seed
// always gives the same bits, and the state fits into a checkpoint. Copyable; not thread-safe.
class Random {
 public:
  // Different streams of one seed are independent.
  explicit Random(uint64_t seed, uint64_t stream = 0);

  uint64_t Next();
  double Uniform();                           // in [0, 1)
  uint64_t Below(uint64_t bound);             // in [0, bound), without bias; bound >= 1
  double Normal();                            // mean 0, standard deviation 1
  double Exponential();                       // mean 1
  double LogNormal(double sigma);             // median 1
  void Shuffle(absl::Span<uint32_t> values);  // Fisher-Yates

  uint64_t state() const { return state_; }
  static Random FromState(uint64_t state);

 private:
  Random() = default;

  uint64_t state_ = 0;
};

// The n-th value of a sequence of `seed`, computed without those before it: the same in any split of a range.
uint64_t RandomAt(uint64_t seed, uint64_t n);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_RANDOM_H_
