// Where on the data's way: the coordinator; who follows a shard's primary, and when it takes that one's place.
#include "absl/strings/str_cat.h"
#include "common/program/logging.h"
#include "common/status_macros.h"
#include "server/coordinator/shard_views.h"

namespace downpour {

using Role = RegisterShardReply::Role;

absl::StatusOr<Role> ShardViews::RoleOf(const RegisterShardRequest& request, absl::Time now,
                                        Shard* shard) const {
  const ShardAddress& server = shard->server;
  if (standbys_ == 0) {
    RETURN_IF_ERROR(request.view() > 0 ? Refresh(request, now, shard) : Claim(request, now, shard));
    return RegisterShardReply::PRIMARY;
  }
  if (request.server() == 0)
    return absl::InvalidArgumentError("server is 0, want a random number, since cluster.standbys is 1");
  for (const uint64_t number : {request.server(), request.gives_up()}) {
    if (number != 0 && number == server.server() && !shard->deposed) {
      shard->last_call = now;
      if (request.view() == server.view()) {
        if (server.standby_leaves()) ClearStandby(shard);  // it has heard that it is alone
        ChangeStandby(request, shard);
      }
      return RegisterShardReply::PRIMARY;
    }
    if (number != 0 && number == server.standby_server()) return CallOfStandby(now, shard);
  }
  if (request.view() == 0 || request.follows()) return Newcomer(request, now, shard);
  // A primary that another one has replaced, or that this coordinator's old checkpoint does not know.
  RETURN_IF_ERROR(Refresh(request, now, shard));
  ClearStandby(shard);
  return RegisterShardReply::PRIMARY;
}

Role ShardViews::CallOfStandby(absl::Time now, Shard* shard) {
  shard->standby_last_call = now;
  // A primary that is alone may acknowledge for as long as it lives, however silent it is.
  const bool needs_proof = shard->server.standby_leaves() && shard->told_alone;
  const bool gone =
      shard->last_call == absl::InfinitePast() || (now - shard->last_call >= kSilent && !needs_proof);
  if (!gone) return RegisterShardReply::STANDBY;
  MakePrimary(now, shard);
  return RegisterShardReply::PRIMARY;
}

absl::StatusOr<Role> ShardViews::Newcomer(const RegisterShardRequest& request, absl::Time now,
                                          Shard* shard) const {
  const ShardAddress& server = shard->server;
  const bool own = server.view() == 0 || server.folder() == request.folder();
  // Only a server that has the lock of its folder's shard knows an index when it starts.
  if (own && server.view() > 0 && !request.has_shard()) {
    return absl::FailedPreconditionError(absl::StrCat("the server at '", request.address(),
                                                      "' has the folder of the primary of shard ",
                                                      server.shard(), ", want another for a standby"));
  }
  // The primary itself, which was told to stop for another server and now follows in the same process.
  if (own && request.follows() && shard->deposed && now - shard->claimed < kSilent) {
    return absl::UnavailableError(absl::StrCat(Describe(server), ", and another server is about to have it"));
  }
  // A server with --standby, too, goes on with a shard whose last primary had its folder.
  if (own || (request.take_over() && !request.follows())) {
    if (server.standby_server() != 0 && !shard->standby_dead && !request.take_over()) {
      shard->last_call = absl::InfinitePast();  // the primary before it is dead
      return absl::UnavailableError(absl::StrCat(
          Describe(server), ": its standby at '", server.standby_address(), "' has all that was ",
          "acknowledged and is to take its place; if it is gone for good, want --take_over"));
    }
    RETURN_IF_ERROR(Claim(request, now, shard));
    return RegisterShardReply::PRIMARY;
  }
  RETURN_IF_ERROR(LetFollow(request, now, shard));
  return RegisterShardReply::FOLLOWER;
}

absl::Status ShardViews::LetFollow(const RegisterShardRequest& request, absl::Time now, Shard* shard) {
  const ShardAddress& server = shard->server;
  // Its lock proves that the standby is dead.
  if (request.has_shard() && server.standby_folder() == request.folder()) {
    shard->standby_dead = true;
    shard->standby_last_call = absl::InfinitePast();
  }
  Follower& follower = shard->follower;
  const bool taken = (!server.standby_leaves() && now - shard->standby_last_call < kSilent) ||
                     (follower.folder != request.folder() && now - follower.last_call < kSilent);
  if (taken) {
    return absl::FailedPreconditionError(absl::StrCat(
        "shard ", server.shard(), " has its primary at '", server.address(),
        "' and another that follows it, ", "so the server at '", request.address(), "' is not needed"));
  }
  if (follower.server != request.server()) {
    LogInfo("shard ", server.shard(), ": the server at '", request.address(), "' follows the primary at '",
            server.address(), "'");
  }
  follower = {request.address(), request.folder(), request.server(), now};
  return absl::OkStatus();
}

void ShardViews::MakePrimary(absl::Time now, Shard* shard) {
  const ShardAddress& server = shard->server;
  const std::string before = server.address();
  BeginView({server.standby_address(), server.standby_folder(), server.standby_server()}, now, shard);
  LogWarning("shard ", server.shard(), ": its standby at '", server.address(),
             "' takes the place of the primary at '", before, "', in view ", server.view());
}

void ShardViews::ClearStandby(Shard* shard) {
  shard->server.clear_standby_address();
  shard->server.clear_standby_folder();
  shard->server.clear_standby_server();
  shard->server.clear_standby_leaves();
  shard->standby_last_call = absl::InfinitePast();
  shard->standby_dead = false;
}

void ShardViews::ChangeStandby(const RegisterShardRequest& request, Shard* shard) {
  ShardAddress& server = shard->server;
  Follower& follower = shard->follower;
  if (request.lost() != 0) {
    server.set_standby_leaves(server.standby_server() != 0);
    shard->told_alone = false;
    if (follower.server == request.lost()) follower = {};
    server.set_view(server.view() + 1);
    LogWarning("shard ", server.shard(), ": the primary at '", server.address(),
               "' goes on without a standby, in view ", server.view());
  } else if (request.ready() != 0 && request.ready() == follower.server && server.standby_server() == 0) {
    server.set_standby_address(follower.address);
    server.set_standby_folder(follower.folder);
    server.set_standby_server(follower.server);
    shard->standby_last_call = follower.last_call;
    follower = {};
    server.set_view(server.view() + 1);
    LogInfo("shard ", server.shard(), ": the server at '", server.standby_address(),
            "' has all that was acknowledged and is the standby, in view ", server.view());
  }
}

std::string ShardViews::StandbyOf(uint32_t shard, absl::Time now) const {
  const auto found = shards_.find(shard);
  if (found == shards_.end() || found->second.server.standby_leaves() ||
      now - found->second.standby_last_call >= kSilent) {
    return "";
  }
  return found->second.server.standby_address();
}

}  // namespace downpour
