// Where on the data's way: for tests of the shard: pushes of one replica, and what parameters they have made.
#ifndef DOWNPOUR_TESTS_TESTING_PUSHES_OF_ONES_H_
#define DOWNPOUR_TESTS_TESTING_PUSHES_OF_ONES_H_

#include <cstdint>
#include <vector>

#include "common/wire/push.h"
#include "gtest/gtest.h"
#include "server/shard/parameter_shard.h"

namespace downpour {

inline std::vector<float> ParametersOf(const ParameterShard& shard) {
  std::vector<float> parameters(shard.range().size());
  EXPECT_TRUE(shard.Read(shard.range(), absl::MakeSpan(parameters)).ok());
  return parameters;
}

// A gradient of -1 with SGD at learning rate 1 adds 1.
inline std::vector<float> Ones(int64_t size) { return std::vector<float>(size, -1.f); }

inline PushHeader Push(uint64_t sequence, uint64_t incarnation = 1, uint64_t fetched_version = 0) {
  return {
      .replica_id = 5, .incarnation = incarnation, .sequence = sequence, .fetched_version = fetched_version};
}

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_PUSHES_OF_ONES_H_
