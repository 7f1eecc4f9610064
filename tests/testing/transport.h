// Where on the data's way: between replica and shard; every way there is, for tests that hold them all to the
// same.
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

// Serves one shard for as long as it lives. Thread-safe.
class Transport {
 public:
  virtual ~Transport() = default;
  // A client that names `run` in its requests; it must not outlive the transport.
  virtual std::unique_ptr<ShardClient> Connect(const RunKey& run) = 0;
};

struct TransportKind {
  std::string name;
  bool bfloat16;  // what pushes and fetches carry is rounded
  std::function<std::unique_ptr<Transport>(std::shared_ptr<ParameterShard>)> serve;
};
std::vector<TransportKind> AllTransports();

// Without it, the names of tests would carry the bytes of the struct.
inline void PrintTo(const TransportKind& kind, std::ostream* out) { *out << kind.name; }

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_TRANSPORT_H_
