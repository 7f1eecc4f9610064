// Where on the data's way: for simulations of a cluster: which acknowledged pushes a standby must have.
#ifndef DOWNPOUR_TESTS_TESTING_STANDBY_ORACLE_H_
#define DOWNPOUR_TESTS_TESTING_STANDBY_ORACLE_H_

#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "gtest/gtest.h"
#include "tests/testing/simulated_host.h"

namespace downpour {

// Asks neither shard nor coordinator who has what. From what stands on the coordinator's disk it knows who may
// take a primary's place: that one's state must have what the primary has acknowledged, until a later view on
// disk is without it. Not thread-safe.
class StandbyOracle {
 public:
  // `at`: the host with that address.
  explicit StandbyOracle(std::function<SimulatedHost&(const std::string& address)> at) : at_(std::move(at)) {}

  // To be called whenever the coordinator has written its checkpoint, before anybody goes on.
  void Look(const CoordinatorCheckpoint& on_disk) {
    for (const ShardAddress& shard : on_disk.shards()) LookAt(shard);
  }

  // A server has told a replica that its push, which ends at key `end`, is applied.
  void Acknowledged(SimulatedHost::Process* server, const PushId& id, int64_t end) {
    ++acknowledged_;
    server->held->acknowledged.insert(id);
    const auto heir = heirs_.find(server);
    if (heir == heirs_.end()) return;
    HeldPushes& held = *heir->second.held;
    held.acknowledged.insert(id);
    const auto reached = held.reached.find(id);
    EXPECT_TRUE(reached != held.reached.end() && reached->second == end)
        << "a push is acknowledged that the standby does not have";
  }

  int64_t acknowledged() const { return acknowledged_; }
  int promotions() const { return promotions_; }

 private:
  struct Heir {
    uint64_t server = 0;
    std::shared_ptr<HeldPushes> held;
  };

  void LookAt(const ShardAddress& shard) {
    const ShardAddress before = std::exchange(last_[shard.shard()], shard);
    if (before.standby_server() != 0 && shard.server() != before.server()) {
      const bool promoted = shard.server() == before.standby_server();
      promotions_ += promoted ? 1 : 0;
      EXPECT_TRUE(promoted || before.standby_leaves() || at_(shard.address()).options().take_over ||
                  Standby(before) == nullptr)
          << "shard " << shard.shard() << " goes on with less than its standby has";
    }
    SimulatedHost::Process& primary = at_(shard.address()).process();
    if (!primary.numbers.contains(shard.server())) return;
    if (shard.standby_server() == 0 || shard.standby_leaves()) {
      heirs_.erase(&primary);
    } else if (primary.serving != nullptr && heirs_[&primary].server != shard.standby_server()) {
      auto held = Standby(shard);
      if (held == nullptr) held = std::make_shared<HeldPushes>(*primary.held);  // it is dead already
      held->acknowledged.insert(primary.held->acknowledged.begin(), primary.held->acknowledged.end());
      heirs_[&primary] = {shard.standby_server(), held};
    }
  }
  // Null: it is not there any more.
  std::shared_ptr<HeldPushes> Standby(const ShardAddress& shard) const {
    const SimulatedHost::Process& process = at_(shard.standby_address()).process();
    if (!process.follows_with_shard() || process.follower->server() != shard.standby_server()) return nullptr;
    return process.follower->held();
  }

  const std::function<SimulatedHost&(const std::string& address)> at_;
  std::map<uint32_t, ShardAddress> last_;  // that was on disk, of each shard
  std::map<const SimulatedHost::Process*, Heir> heirs_;
  int64_t acknowledged_ = 0;
  int promotions_ = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_STANDBY_ORACLE_H_
