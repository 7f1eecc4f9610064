// Where on the data's way: for simulations: which pushes a shard must hold, by somebody who does not ask it.
#ifndef DOWNPOUR_TESTS_TESTING_PUSH_ORACLE_H_
#define DOWNPOUR_TESTS_TESTING_PUSH_ORACLE_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "common/wire/push.h"
#include "gtest/gtest.h"
#include "server/shard/parameter_shard.h"

namespace downpour {

using PushId = std::tuple<uint64_t, uint64_t, uint64_t>;  // replica, incarnation, sequence
inline PushId IdOf(const PushHeader& header) {
  return {header.replica_id, header.incarnation, header.sequence};
}

// The pushes that one state of a shard, in memory or on disk, must and may hold.
struct HeldPushes {
  std::map<PushId, int64_t> reached;  // pushes that have come to it, and up to which key
  std::set<PushId> acknowledged;

  void Reach(const PushId& id, int64_t end) {
    int64_t& key = reached[id];
    key = std::max(key, end);
  }
};

// What each element of a shard, and of each vector of its optimizer's state, holds after n = 0, 1, 2, ...
// pushes of ones, as a shard says to which nothing happens. Each push makes every parameter smaller.
class PushOracle {
 public:
  // `initial`: the shard's first parameters.
  PushOracle(const ParameterShard::Options& options, absl::Span<const float> initial, uint64_t most_pushes) {
    const std::vector<float> ones(options.range.size(), 1.0f);
    const auto shard = *ParameterShard::Create(options, initial);
    for (uint64_t push = 1; push <= most_pushes; ++push) {
      after_.push_back(shard->Snapshot());
      EXPECT_TRUE(shard->ApplyChunk({1, 1, push, 0}, options.range.begin, ones).ok());
    }
  }

  // Each key must hold all acknowledged pushes, each once, and none that has not come to it.
  void Check(const ShardSnapshot& now, const HeldPushes& held) const {
    const auto begin = static_cast<int64_t>(now.header.begin());
    const auto acknowledged = static_cast<int64_t>(held.acknowledged.size());
    std::vector<int64_t> reached(now.parameters.size());  // by how many pushes each element was reached
    for (const auto& [id, end] : held.reached) ++reached[end - begin - 1];
    for (size_t i = reached.size() - 1; i > 0; --i) reached[i - 1] += reached[i];
    for (size_t i = 0; i < reached.size(); ++i) {
      const int64_t pushes = PushesThatMade(now, i);
      ASSERT_GE(pushes, 0) << "no number of whole pushes gives element " << i << " = " << now.parameters[i];
      ASSERT_GE(pushes, acknowledged) << "element " << i << " has lost an acknowledged push";
      ASSERT_LE(pushes, reached[i]) << "element " << i << " has a push twice, or one that never came";
    }
  }

 private:
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

  std::vector<ShardSnapshot> after_;  // n pushes
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_PUSH_ORACLE_H_
