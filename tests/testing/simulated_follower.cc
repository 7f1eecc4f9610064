// Where on the data's way: for simulations of a cluster: a stream from a primary to whoever follows it.
#include "tests/testing/simulated_follower.h"

#include <optional>

#include "common/status_macros.h"
#include "server/shard/shard_feed.h"

namespace downpour {
namespace {

constexpr double kLost = 0.0005;  // of the messages
constexpr absl::Duration kLongestWait = absl::Seconds(3);

}  // namespace

absl::Status AwaitSafe(std::shared_ptr<ParameterShard> shard, const ServingParty& server,
                       SimulatedThreads* threads) {
  const auto safe = std::make_shared<std::optional<absl::Status>>();
  shard->log().WhenSafe([safe](const absl::Status& status) { *safe = status; });
  const absl::Time give_up = threads->Now() + kLongestWait;
  while (!safe->has_value() && !server.killed && threads->Now() < give_up)
    threads->SleepFor(absl::Milliseconds(10));
  if (server.killed || !safe->has_value()) return absl::UnavailableError("no reply");
  return **safe;
}

void SimulatedFollower::Follow(const RegisterShardReply& registered, uint64_t server) {
  Stop();
  stream_ = std::make_shared<Stream>(options_.shard, server);
  options_.threads->Start(
      [this, stream = stream_, address = registered.primary()] { Work(address, stream.get()); });
}

bool SimulatedFollower::Reaches(const ServingParty& primary, const Stream& stream) const {
  return stream.stands && !self_->killed && !options_.network->Cut(*self_) && !primary.killed &&
         !options_.network->Cut(primary) && primary.serving != nullptr;
}

void SimulatedFollower::Work(const std::string& address, Stream* stream) {
  options_.network->Travel();
  ServingParty* const primary = options_.at(address);
  if (primary != nullptr && Reaches(*primary, *stream)) FollowFrom(primary, stream).IgnoreError();
  stream->stands = false;
}

absl::Status SimulatedFollower::FollowFrom(ServingParty* primary, Stream* stream) {
  ASSIGN_OR_RETURN(std::unique_ptr<ShardFeed> feed, ShardFeed::Create(primary->serving, stream->server));
  *stream->held = *primary->held;
  size_t seen = primary->arrivals.size();
  const auto end = [&] {
    stream->stands = false;
    for (int i = 0; i < 2; ++i) options_.network->Travel();  // before the primary notices it
    return absl::UnavailableError("the stream is broken");
  };
  while (Reaches(*primary, *stream)) {
    std::vector<std::pair<FollowReply, std::string>> under_way;  // at the same time
    for (bool more = true; more;) {
      const auto message = feed->Next(/*wait=*/false);
      if (!message.ok()) return end();
      more = *message != nullptr;
      if (more) under_way.emplace_back((*message)->fields, (*message)->payload);
    }
    const size_t arrived = primary->arrivals.size();
    options_.network->Travel();
    for (const auto& [fields, payload] : under_way) {
      if (!Reaches(*primary, *stream) || options_.random->Uniform() < kLost) return end();
      for (; seen < arrived; ++seen)
        stream->held->Reach(primary->arrivals[seen].first, primary->arrivals[seen].second);
      const bool had = stream->followed.shard() != nullptr;
      EXPECT_EQ(stream->followed.Take(fields, payload), absl::OkStatus());
      if (!had && stream->followed.shard() != nullptr) keep_();
    }
    if (under_way.empty() || stream->followed.shard() == nullptr) continue;
    const uint64_t applied = stream->followed.applied();
    options_.network->Travel();
    if (Reaches(*primary, *stream)) feed->Applied(applied);
  }
  return end();
}

}  // namespace downpour
