// Where on the data's way: at the server's end of the wire; the list of all methods with the roles that may.
#include "common/tls/permissions.h"

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/printable.h"

namespace downpour {
namespace {

constexpr absl::string_view kScheme = "downpour://role/";
constexpr absl::string_view kShard = "shard/";
constexpr absl::string_view kCoordinator = "coordinator", kWorker = "worker", kEvaluator = "evaluator",
                            kObserver = "observer";

const std::map<absl::string_view, std::vector<absl::string_view>>& Methods() {
  static const auto* const methods = new std::map<absl::string_view, std::vector<absl::string_view>>{
      {"/downpour.ClusterCoordinator/Describe", {kWorker, kEvaluator}},
      {"/downpour.ClusterCoordinator/RegisterShard", {kAnyShard}},
      {"/downpour.ClusterCoordinator/Join", {kWorker, kEvaluator}},
      {"/downpour.ClusterCoordinator/Report", {kWorker}},
      {"/downpour.ClusterCoordinator/Leave", {kWorker}},
      {"/downpour.ClusterCoordinator/NextEvaluation", {kEvaluator}},
      {"/downpour.ClusterCoordinator/RecordEvaluation", {kEvaluator}},
      {"/downpour.ClusterCoordinator/GetRunStatus", {kAnyShard, kWorker, kEvaluator, kObserver}},
      {"/downpour.ClusterCoordinator/GetOverview", {kObserver}},
      {"/downpour.ParameterServer/Push", {kWorker}},
      {"/downpour.ParameterServer/Fetch", {kWorker, kEvaluator}},
      {"/downpour.ParameterServer/GetStatus", {kObserver}},
      {"/downpour.ParameterServer/SampleElements", {kObserver}},
      {"/downpour.SharedMemory/Attach", {kWorker, kEvaluator}},
      {"/downpour.ShardReplication/Follow", {kAnyShard}},
      {"/grpc.health.v1.Health/Check", {kCoordinator, kAnyShard, kWorker, kEvaluator, kObserver}},
      {"/grpc.health.v1.Health/Watch", {kCoordinator, kAnyShard, kWorker, kEvaluator, kObserver}},
  };
  return *methods;
}

}  // namespace

std::string ShardRole(uint32_t shard) { return absl::StrCat(kShard, shard); }

std::optional<uint32_t> ShardOfRole(absl::string_view role) {
  uint32_t shard = 0;
  // Roles are compared as text, so only one way of writing an index counts.
  if (absl::StartsWith(role, kShard) && absl::SimpleAtoi(role.substr(kShard.size()), &shard) &&
      role == ShardRole(shard))
    return shard;
  return std::nullopt;
}

std::optional<std::string> RoleOfUri(absl::string_view uri) {
  if (!absl::ConsumePrefix(&uri, kScheme)) return std::nullopt;
  for (const absl::string_view role : {kCoordinator, kWorker, kEvaluator, kObserver})
    if (uri == role) return std::string(role);
  if (ShardOfRole(uri).has_value()) return std::string(uri);
  return std::nullopt;
}

bool Caller::Has(absl::string_view wanted) const {
  return std::any_of(roles_.begin(), roles_.end(), [&](const std::string& role) {
    return role == wanted || (wanted == kAnyShard && absl::StartsWith(role, kShard));
  });
}

absl::Status Caller::Check(absl::Span<const absl::string_view> wanted, absl::string_view action) const {
  if (!proven_) return absl::OkStatus();
  for (const absl::string_view role : wanted)
    if (Has(role)) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(action, ": the certificate has the role '",
                                                  absl::StrJoin(roles_, "', '"), "', want '",
                                                  absl::StrJoin(wanted, "' or '"), "'"));
}

absl::Status Caller::CheckIsShard(uint32_t shard, absl::string_view action) const {
  const std::string role = ShardRole(shard);
  return Check({role}, action);
}

absl::Status CheckMayCall(const Caller& caller, absl::string_view method) {
  const auto known = Methods().find(method);
  if (known != Methods().end()) return caller.Check(known->second, known->first);
  return caller.Check({}, Printable(method));
}

absl::Status CheckMayJoin(const Caller& caller, bool evaluator) {
  if (evaluator) return caller.Check({kWorker, kEvaluator}, "to ask where the shards are");
  return caller.Check({kWorker}, "to join as a replica");
}

absl::Status CheckMayPush(const Caller& caller) { return caller.Check({kWorker}, "to push"); }

}  // namespace downpour
