// Where on the data's way: guards common/tls/permissions.h; each method is for certain roles and no others.
#include "common/tls/permissions.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "proto/coordinator.pb.h"
#include "proto/health.pb.h"
#include "proto/parameter_server.pb.h"
#include "proto/replication.pb.h"
#include "proto/shared_memory.pb.h"

namespace downpour {
namespace {

const std::vector<std::string> kRoles = {"coordinator", "shard/0", "worker", "evaluator", "observer"};

// Who may call what, said a second time.
const std::map<std::string, std::set<std::string>> kMay = {
    {"downpour.ClusterCoordinator.Describe", {"worker", "evaluator"}},
    {"downpour.ClusterCoordinator.RegisterShard", {"shard/0"}},
    {"downpour.ClusterCoordinator.Join", {"worker", "evaluator"}},
    {"downpour.ClusterCoordinator.Report", {"worker"}},
    {"downpour.ClusterCoordinator.Leave", {"worker"}},
    {"downpour.ClusterCoordinator.NextEvaluation", {"evaluator"}},
    {"downpour.ClusterCoordinator.RecordEvaluation", {"evaluator"}},
    {"downpour.ClusterCoordinator.GetRunStatus", {"shard/0", "worker", "evaluator", "observer"}},
    {"downpour.ClusterCoordinator.GetOverview", {"observer"}},
    {"downpour.ParameterServer.Push", {"worker"}},
    {"downpour.ParameterServer.Fetch", {"worker", "evaluator"}},
    {"downpour.ParameterServer.GetStatus", {"observer"}},
    {"downpour.ParameterServer.SampleElements", {"observer"}},
    {"downpour.SharedMemory.Attach", {"worker", "evaluator"}},
    {"downpour.ShardReplication.Follow", {"shard/0"}},
    {"grpc.health.v1.Health.Check", {"coordinator", "shard/0", "worker", "evaluator", "observer"}}};

TEST(Permissions, EveryMethodOfEveryServiceIsForTheseRolesAndNoOther) {
  size_t methods = 0;
  for (const google::protobuf::FileDescriptor* file :
       {JoinRequest::descriptor()->file(), PushChunk::descriptor()->file(),
        SharedMemoryRequest::descriptor()->file(), FollowRequest::descriptor()->file(),
        grpc::health::v1::HealthCheckRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) {
        const google::protobuf::MethodDescriptor& method = *file->service(i)->method(j);
        const std::string path = absl::StrCat("/", method.service()->full_name(), "/", method.name());
        ASSERT_TRUE(kMay.contains(method.full_name())) << "nobody has said who may call " << path;
        ++methods;
        for (const std::string& role : kRoles) {
          const absl::Status status = CheckMayCall(Caller({role}), path);
          EXPECT_EQ(status.ok(), kMay.at(method.full_name()).contains(role)) << role << " " << path;
          EXPECT_TRUE(status.ok() || absl::IsPermissionDenied(status)) << status;
        }
        EXPECT_TRUE(absl::IsPermissionDenied(CheckMayCall(Caller(std::vector<std::string>()), path))) << path;
      }
    }
  }
  EXPECT_EQ(methods, kMay.size());
}

TEST(Permissions, AMethodThatNobodyKnowsIsNobodys) {
  for (const std::string& role : kRoles)
    EXPECT_TRUE(absl::IsPermissionDenied(CheckMayCall(Caller({role}), "/downpour.ParameterServer/Pus")));
  EXPECT_TRUE(absl::IsPermissionDenied(CheckMayCall(Caller({"worker"}), "")));
  EXPECT_TRUE(CheckMayCall(Caller::Unproven(), "/downpour.ParameterServer/Push").ok());
}

TEST(Permissions, AShardIsThatShardOnly) {
  EXPECT_TRUE(Caller({"shard/3"}).CheckIsShard(3, "it").ok());
  EXPECT_TRUE(Caller({"shard/1", "shard/3"}).CheckIsShard(3, "it").ok());
  for (const char* role : {"shard/2", "shard/33", "worker", "coordinator"})
    EXPECT_TRUE(absl::IsPermissionDenied(Caller({role}).CheckIsShard(3, "it"))) << role;
}

TEST(Permissions, OnlyAWorkerJoinsAsAReplicaAndPushes) {
  EXPECT_TRUE(CheckMayJoin(Caller({"worker"}), /*evaluator=*/false).ok());
  EXPECT_TRUE(CheckMayJoin(Caller({"worker"}), /*evaluator=*/true).ok());
  EXPECT_TRUE(CheckMayJoin(Caller({"evaluator"}), /*evaluator=*/true).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(CheckMayJoin(Caller({"evaluator"}), /*evaluator=*/false)));
  EXPECT_TRUE(CheckMayPush(Caller({"worker"})).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(CheckMayPush(Caller({"evaluator"}))));
}

TEST(Permissions, AUriNamesARoleOrNone) {
  EXPECT_EQ(RoleOfUri("downpour://role/worker"), "worker");
  EXPECT_EQ(RoleOfUri("downpour://role/shard/12"), "shard/12");
  for (const char* other :
       {"", "worker", "https://role/worker", "downpour://role/", "downpour://role/workers",
        "downpour://role/shard", "downpour://role/shard/", "downpour://role/shard/01",
        "downpour://role/shard/-1", "downpour://role/shard/*", "downpour://role/shard/ 1"})
    EXPECT_EQ(RoleOfUri(other), std::nullopt) << other;
}

}  // namespace
}  // namespace downpour
