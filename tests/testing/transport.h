// Where on the data's way: for tests, between replica and shard: every transport, so that tests can ask the
// same of each.
#ifndef DOWNPOUR_TESTS_TESTING_TRANSPORT_H_
#define DOWNPOUR_TESTS_TESTING_TRANSPORT_H_

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "common/wire/push.h"
#include "server/shard/parameter_shard.h"
#include "worker/replica/shard_client.h"

namespace downpour {

// Serves one shard until it is destroyed. Thread-safe.
class Transport {
 public:
  virtual ~Transport() = default;
  // Returns a client that names `run` in its requests; it must not outlive the transport.
  virtual std::unique_ptr<ShardClient> Connect(const RunKey& run) = 0;
};

struct TransportKind {
  std::string name;
  bool bfloat16;  // pushes and fetches are rounded to bfloat16
  std::function<std::unique_ptr<Transport>(std::shared_ptr<ParameterShard>)> serve;
};
std::vector<TransportKind> AllTransports();

// Without it, gtest would print the bytes of the struct in the tests' names.
inline void PrintTo(const TransportKind& kind, std::ostream* out) { *out << kind.name; }

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_TRANSPORT_H_
