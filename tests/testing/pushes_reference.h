// Where on the data's way: for simulations: what a shard must hold after any number of pushes of ones.
#ifndef DOWNPOUR_TESTS_TESTING_PUSHES_REFERENCE_H_
#define DOWNPOUR_TESTS_TESTING_PUSHES_REFERENCE_H_

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"
#include "server/shard/parameter_shard.h"

namespace downpour {

// What each element of a shard, and of each vector of its optimizer's state, holds after n = 0, 1, 2, ...
// pushes of ones, as a shard says to which nothing happens. The shard starts from zeros, and each push makes
// every parameter smaller.
class PushesReference {
 public:
  PushesReference(const ParameterShard::Options& options, uint64_t most_pushes) {
    const std::vector<float> zeros(options.range.size()), ones(options.range.size(), 1.0f);
    const auto shard = *ParameterShard::Create(options, zeros);
    for (uint64_t push = 1; push <= most_pushes; ++push) {
      after_.push_back(shard->Snapshot());
      EXPECT_TRUE(shard->ApplyChunk({1, 1, push, 0}, options.range.begin, ones).ok());
    }
  }

  // How many pushes have made the element what it is in `snapshot`, its state included; -1: none have.
  int64_t PushesThatMade(const ShardSnapshot& snapshot, size_t element) const {
    const float value = snapshot.parameters[element];
    const auto found = std::lower_bound(
        after_.begin(), after_.end(), value,
        [element](const ShardSnapshot& before, float wanted) { return before.parameters[element] > wanted; });
    if (found == after_.end() || found->parameters[element] != value) return -1;
    for (size_t vector = 0; vector < snapshot.state.size(); ++vector) {
      if (found->state[vector][element] != snapshot.state[vector][element]) return -1;
    }
    return found - after_.begin();
  }

 private:
  std::vector<ShardSnapshot> after_;  // n pushes
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_PUSHES_REFERENCE_H_
