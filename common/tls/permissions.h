// Where on the data's way: at the server's end of the wire; who may call what, by the roles in a certificate.
#ifndef DOWNPOUR_COMMON_TLS_PERMISSIONS_H_
#define DOWNPOUR_COMMON_TLS_PERMISSIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace downpour {

// A role is "coordinator", "shard/K" for the shard with index K, "worker", "evaluator" or "observer". An
// observer may watch, and changes nothing.
inline constexpr absl::string_view kAnyShard = "shard/*";  // where a role is wanted: that of any one shard
std::string ShardRole(uint32_t shard);
// The index in a role that ShardRole() has written; none: it is another role.
std::optional<uint32_t> ShardOfRole(absl::string_view role);

// A certificate names each of its roles by a URI among its subject alternative names: downpour://role/worker,
// downpour://role/shard/3. None: `uri` names no role.
std::optional<std::string> RoleOfUri(absl::string_view uri);

// Who has sent a request, as the certificate of the connection says. A value.
class Caller {
 public:
  // Of a connection without TLS, on which nobody is asked who they are. It may do everything.
  static Caller Unproven() { return Caller(); }
  // Of a connection with TLS; whoever has no role may do nothing.
  explicit Caller(std::vector<std::string> roles) : proven_(true), roles_(std::move(roles)) {}

  bool proven() const { return proven_; }
  // PERMISSION_DENIED: it has none of the roles `wanted`; the message names both, and what it may not do,
  // `action`.
  absl::Status Check(absl::Span<const absl::string_view> wanted, absl::string_view action) const;
  absl::Status CheckIsShard(uint32_t shard, absl::string_view action) const;

 private:
  Caller() = default;
  bool Has(absl::string_view wanted) const;

  bool proven_ = false;
  std::vector<std::string> roles_;
};

// Whether the caller has a role that may call `method`, "/package.Service/Name", whatever it asks for. A
// method that this does not know is nobody's. PERMISSION_DENIED: it has not.
absl::Status CheckMayCall(const Caller& caller, absl::string_view method);
// A replica, which may bring the data summary, is a worker's; who only looks for the shards may be an
// evaluator's, too.
absl::Status CheckMayJoin(const Caller& caller, bool evaluator);
// Through shared memory; over gRPC pushes have a method of their own.
absl::Status CheckMayPush(const Caller& caller);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_TLS_PERMISSIONS_H_
