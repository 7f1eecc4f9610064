// Where on the data's way: the coordinator; compares each server's view and folder with those of the shard.
#include "server/coordinator/shard_views.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/program/logging.h"
#include "common/status_macros.h"

namespace downpour {

std::string ShardViews::Describe(const ShardAddress& server) {
  return absl::StrCat("shard ", server.shard(), " is in view ", server.view(), ", at '", server.address(),
                      "'");
}

absl::StatusOr<uint32_t> ShardViews::IndexFor(const RegisterShardRequest& request, absl::Time now) const {
  const auto count = static_cast<uint32_t>(count_);
  if (request.has_shard()) {
    if (request.shard() < count) return request.shard();
    return absl::InvalidArgumentError(absl::StrCat("shard is ", request.shard(), ", want 0 to ", count - 1));
  }
  for (const auto& [index, shard] : shards_) {
    for (const std::string& address :
         {shard.server.address(), shard.server.standby_address(), shard.follower.address})
      if (!address.empty() && address == request.address()) return index;
  }
  for (uint32_t index = 0; index < count; ++index) {
    if (!shards_.contains(index)) return index;
  }
  for (const auto& [index, shard] : shards_) {
    const bool has_follower = now - std::max(shard.standby_last_call, shard.follower.last_call) < kSilent;
    if (standbys_ > 0 && !has_follower) return index;
  }
  return absl::FailedPreconditionError(absl::StrCat("all ", count,
                                                    " shards of the run are registered; a server that ",
                                                    "takes the place of one must name its index"));
}

absl::Status ShardViews::Refresh(const RegisterShardRequest& request, absl::Time now, Shard* shard) const {
  const ShardAddress& server = shard->server;
  const bool same = server.address() == request.address() && server.view() == request.view();
  if (request.view() < server.view() || (request.view() == server.view() && !same) || shard->deposed) {
    return absl::FailedPreconditionError(absl::StrCat(
        Describe(server), shard->deposed ? ", and another server takes it over" : "", ": the server at '",
        request.address(), "' has view ", request.view(), " and must stop"));
  }
  // A later view than is known: the coordinator has come back with an older checkpoint.
  shard->server.set_address(request.address());
  shard->server.set_view(request.view());
  shard->server.set_folder(request.folder());
  shard->server.set_server(request.server());
  shard->told = true;
  shard->last_call = now;
  return absl::OkStatus();
}

absl::Status ShardViews::Claim(const RegisterShardRequest& request, absl::Time now, Shard* shard) const {
  ShardAddress& server = shard->server;
  const bool own = server.view() == 0 || server.folder() == request.folder();
  if (!own && !request.take_over()) {
    return absl::FailedPreconditionError(
        absl::StrCat(Describe(server), ", with its state in another folder than that of the server at '",
                     request.address(),
                     "', which would lose what was acknowledged since; want the server with that folder, or ",
                     "--take_over"));
  }
  if (!own && now - shard->last_call < kSilent) {
    shard->deposed = true;
    shard->claimed = now;
    return absl::UnavailableError(absl::StrCat(Describe(server), ", and is told to stop"));
  }
  // A server repeats its first call until it is told its view.
  if (server.view() > 0 && !shard->told && own && server.address() == request.address()) {
    return absl::OkStatus();
  }
  const bool back = server.view() > 0 && server.address() == request.address();
  BeginView({request.address(), request.folder(), request.server()}, now, shard);
  LogInfo("shard ", server.shard(), back ? " is back at '" : " registered at '", server.address(),
          "' in view ", server.view(), own ? "" : ", and has taken it over");
  return absl::OkStatus();
}

void ShardViews::BeginView(const Follower& primary, absl::Time now, Shard* shard) {
  ShardAddress& server = shard->server;
  server.set_address(primary.address);
  server.set_folder(primary.folder);
  server.set_server(primary.server);
  server.set_view(server.view() + 1);
  ClearStandby(shard);
  shard->told = shard->deposed = false;
  shard->last_call = now;
}

absl::StatusOr<ShardViews::Registered> ShardViews::Register(const RegisterShardRequest& request,
                                                            absl::Time now) {
  ASSIGN_OR_RETURN(const uint32_t index, IndexFor(request, now));
  if (request.follows() && !shards_.contains(index))
    return absl::UnavailableError(absl::StrCat("shard ", index, " has no primary that could be followed"));
  Shard& shard = shards_[index];
  shard.server.set_shard(index);
  ASSIGN_OR_RETURN(const RegisterShardReply::Role role, RoleOf(request, now, &shard));
  if (checkpointed_ && request.folder() != 0 && shard.view_on_disk < shard.server.view()) {
    return absl::UnavailableError(absl::StrCat(Describe(shard.server), ", which is not on disk yet"));
  }
  if (role == RegisterShardReply::PRIMARY) shard.told = shard.told_alone = true;
  const bool follows = now - shard.follower.last_call < kSilent;
  Registered registered{shard.server, role, follows ? shard.follower.server : 0};
  if (shard.server.standby_leaves()) registered.shard.clear_standby_server();
  return registered;
}

absl::Status ShardViews::Complete() const {
  if (size() == count_) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(size(), " of ", count_, " shards are registered"));
}

void ShardViews::AddTo(JoinReply* reply) const {
  for (const auto& [index, shard] : shards_) {
    ShardAddress* const server = reply->add_shards();
    server->set_shard(index);
    server->set_address(shard.server.address());
    server->set_view(shard.server.view());
  }
}

void ShardViews::Save(CoordinatorCheckpoint* checkpoint) const {
  for (const auto& [index, shard] : shards_) *checkpoint->add_shards() = shard.server;
}

absl::Status ShardViews::Load(const CoordinatorCheckpoint& checkpoint, absl::Time now) {
  shards_.clear();
  for (const ShardAddress& server : checkpoint.shards()) {
    if (server.shard() >= static_cast<uint32_t>(count_)) {
      return absl::InvalidArgumentError(
          absl::StrCat("checkpoint: shard ", server.shard(), ", want 0 to ", count_ - 1));
    }
    // Who has a view is taken to know it, and to have called just now.
    shards_[server.shard()] = {
        server,
        server.view(),
        /*told=*/true,
        /*deposed=*/false,
        /*claimed=*/absl::InfinitePast(),
        /*last_call=*/now,
        /*standby_last_call=*/server.standby_server() != 0 ? now : absl::InfinitePast(),
        /*standby_dead=*/false,
        /*told_alone=*/true,
        /*follower=*/{}};
  }
  return absl::OkStatus();
}

void ShardViews::Written(const CoordinatorCheckpoint& checkpoint) {
  for (const ShardAddress& server : checkpoint.shards()) {
    const auto shard = shards_.find(server.shard());
    if (shard != shards_.end()) shard->second.view_on_disk = server.view();
  }
}

}  // namespace downpour
