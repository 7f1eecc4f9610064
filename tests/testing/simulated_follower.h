// Where on the data's way: for simulations of a cluster: a server's process, and what it follows a primary with.
#ifndef DOWNPOUR_TESTS_TESTING_SIMULATED_FOLLOWER_H_
#define DOWNPOUR_TESTS_TESTING_SIMULATED_FOLLOWER_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/shard/followed_shard.h"
#include "server/shard/shard_follower.h"
#include "tests/testing/push_oracle.h"
#include "tests/testing/simulated_coordinator.h"
#include "tests/testing/simulated_threads.h"

namespace downpour {

// One process of a server.
struct ServingParty : Party {
  std::shared_ptr<ParameterShard> serving;  // that it answers with; null: nothing answers
  std::shared_ptr<HeldPushes> held = std::make_shared<HeldPushes>();  // by serving
  std::vector<std::pair<PushId, int64_t>> arrivals;  // what has come to it, and up to which key, in order
  bool ended = false;
  absl::Status end;

  void Arrive(const PushId& id, int64_t end_key) {
    held->Reach(id, end_key);
    arrivals.emplace_back(id, end_key);
  }
};

// The reply to a push that `shard`, of that server, has applied; it waits for the standby. UNAVAILABLE: none
// comes within three seconds, or as ReplicationLog::WhenSafe(). To be called by one of the threads.
absl::Status AwaitSafe(std::shared_ptr<ParameterShard> shard, const ServingParty& server,
                       SimulatedThreads* threads);

// Each stream has a thread of its own. Messages take their time, and may be lost with their stream; the
// primary notices later that a stream is broken. Not thread-safe, but for one SimulatedThreads.
class SimulatedFollower final : public ShardFollower {
 public:
  struct Options {
    ParameterShard::Options shard;
    std::function<ServingParty*(const std::string& address)> at;  // who answers there; null: nobody
    // Nothing is owned.
    SimulatedCoordinator* network = nullptr;
    SimulatedThreads* threads = nullptr;
    Random* random = nullptr;
  };
  // `keep` is called when it has the shard, before the primary is told so.
  SimulatedFollower(
      Options options, const ServingParty* self, std::function<void()> keep = [] {})
      : options_(std::move(options)), self_(self), keep_(std::move(keep)) {}

  void Follow(const RegisterShardReply& registered, uint64_t server) override;
  bool follows() const override { return stream_ != nullptr && stream_->stands; }
  bool has_shard() const override { return stream_ != nullptr && stream_->followed.shard() != nullptr; }
  std::shared_ptr<ParameterShard> TakeShard() override {
    if (!has_shard()) return nullptr;
    Stop();
    taken_ = std::move(stream_);
    return taken_->followed.shard();
  }

  void Stop() {
    if (stream_ != nullptr) stream_->stands = false;
  }
  // The number with which it follows; 0: it follows nobody.
  uint64_t server() const { return stream_ == nullptr ? 0 : stream_->server; }
  // What it has; to be called if has_shard().
  const std::shared_ptr<ParameterShard>& shard() const { return stream_->followed.shard(); }
  // What shard(), or the last that TakeShard() has returned, must and may hold. The pushes that the primary has
  // acknowledged since it sent its snapshot are not among them.
  std::shared_ptr<HeldPushes> held() const { return (stream_ != nullptr ? stream_ : taken_)->held; }

 private:
  struct Stream {
    Stream(const ParameterShard::Options& options, uint64_t number) : server(number), followed(options) {}
    const uint64_t server;
    bool stands = true;
    FollowedShard followed;
    const std::shared_ptr<HeldPushes> held = std::make_shared<HeldPushes>();
  };
  void Work(const std::string& address, Stream* stream);
  absl::Status FollowFrom(ServingParty* primary, Stream* stream);
  bool Reaches(const ServingParty& primary, const Stream& stream) const;

  const Options options_;
  const ServingParty* const self_;
  const std::function<void()> keep_;
  std::shared_ptr<Stream> stream_;  // null: it follows nobody
  std::shared_ptr<Stream> taken_;
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_SIMULATED_FOLLOWER_H_
