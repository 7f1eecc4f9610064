// Where on the data's way: for tests of the transports: a shard whose arithmetic is exact, so that what is
// fetched tells what was pushed.
#ifndef DOWNPOUR_TESTS_TESTING_INTEGER_SHARD_H_
#define DOWNPOUR_TESTS_TESTING_INTEGER_SHARD_H_

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/wire/push.h"
#include "server/shard/parameter_shard.h"

namespace downpour {

struct IntegerShardOptions {
  float staleness_exponent = 0;
  Rounds rounds = {};
  std::optional<OptimizerDescription> optimizer = std::nullopt;  // another rule, whose arithmetic may round
};

// A shard of the keys [1000, 1000 + size) that starts from zeros and does SGD with learning rate 1: after
// pushes of small integers its parameters are exactly minus their sum.
inline std::shared_ptr<ParameterShard> IntegerShard(int64_t size, const IntegerShardOptions& more = {}) {
  absl::StatusOr<ParameterLayout> layout =
      ParameterLayout::Create({{"before", {1000}}, {"here", {size}}, {"after", {7}}});
  DOWNPOUR_CHECK(layout.ok());
  ParameterShard::Options options;
  options.run = {"a run", layout->fingerprint()};
  options.range = {1000, 1000 + size};
  options.layout = *layout;
  options.optimizer.set_kind(OptimizerDescription::SGD);
  options.optimizer.set_learning_rate(1);
  options.optimizer.set_staleness_exponent(more.staleness_exponent);
  if (more.optimizer.has_value()) options.optimizer = *more.optimizer;
  options.rounds = more.rounds;
  absl::StatusOr<std::unique_ptr<ParameterShard>> shard =
      ParameterShard::Create(options, std::vector<float>(size));
  DOWNPOUR_CHECK(shard.ok());
  return *std::move(shard);
}

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_INTEGER_SHARD_H_
