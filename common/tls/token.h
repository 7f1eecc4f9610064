// Where on the data's way: on the wire; how a replica proves which one it is with every push and report.
#ifndef DOWNPOUR_COMMON_TLS_TOKEN_H_
#define DOWNPOUR_COMMON_TLS_TOKEN_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace downpour {

// The secret of a run: the coordinator makes it at the run's first start, keeps it in its checkpoint, and
// tells it to the run's shards alone. UNAVAILABLE: the system has no random bytes.
absl::StatusOr<std::string> MakeRunSecret();

// What the coordinator gives to a replica that joins: HMAC-SHA256 with the run's secret over the run's id and
// the two numbers. Whoever has the secret can make it again; nobody else can make that of other numbers.
std::string ReplicaToken(absl::string_view run_secret, absl::string_view run_id, uint64_t replica_id,
                         uint64_t incarnation);

// UNAUTHENTICATED: `token` is not `wanted`, which is never told. The time that the comparison takes does not
// depend on where the two differ.
absl::Status CheckToken(absl::string_view token, absl::string_view wanted, uint64_t replica_id,
                        uint64_t incarnation);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_TLS_TOKEN_H_
