// Where on the data's way: for simulations of a cluster: a machine with a disk on which servers of one shard
// run, one after the other.
#ifndef DOWNPOUR_TESTS_TESTING_SIMULATED_HOST_H_
#define DOWNPOUR_TESTS_TESTING_SIMULATED_HOST_H_

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/random.h"
#include "server/shard/parameter_shard.h"
#include "tests/testing/push_oracle.h"
#include "tests/testing/simulated_coordinator.h"
#include "tests/testing/simulated_follower.h"
#include "tests/testing/simulated_threads.h"

namespace downpour {

// Runs the server's real loop, which reads and writes real checkpoint files. Beside each state of the shard
// it keeps what that state must hold. Not thread-safe, but for one SimulatedThreads.
class SimulatedHost {
 public:
  struct Options {
    uint32_t shard = 0;
    std::string address;
    bool take_over = false;  // its server has --take_over and --initial_parameters
    int64_t segment_elements = ParameterShard::kSegmentElements;
    std::string folder;  // is made anew
    // What its server follows a primary with; none where cluster.standbys is 0.
    std::optional<SimulatedFollower::Options> following = std::nullopt;
  };
  struct Process : ServingParty {
    bool stopping = false;
    std::set<uint64_t> numbers;  // that it has had (RegisterShardRequest.server)
    std::unique_ptr<SimulatedFollower> follower;
    bool follows_with_shard() const { return !killed && follower != nullptr && follower->has_shard(); }
  };

  // Nothing is owned.
  SimulatedHost(Options options, SimulatedCoordinator* coordinator, SimulatedThreads* threads);

  const Options& options() const { return options_; }
  // What answers at the host's address; null: nothing.
  ParameterShard* serving() const { return process().serving.get(); }
  Process& process() const { return *processes_.back(); }

  void StartServer();
  void Kill();
  // Of what its server serves or has as a follower, if it has anything. `full`: the disk has no place for it.
  void WriteCheckpoint(bool full);
  // Flips one bit of the newest checkpoint, if the one before it is there and whole.
  void DamageNewestCheckpoint(Random* random);

 private:
  absl::StatusOr<std::shared_ptr<ParameterShard>> Serve(const RegisterShardReply& registered,
                                                        std::shared_ptr<ParameterShard> followed);
  void RunProcess(Process* process);
  void Write(const ParameterShard& shard, const HeldPushes& held, bool full);

  const Options options_;
  SimulatedCoordinator* const coordinator_;
  SimulatedThreads* const threads_;
  uint64_t last_number_ = 0;
  std::optional<HeldPushes> newest_, older_;  // by the checkpoints that are whole
  std::vector<std::unique_ptr<Process>> processes_;
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_SIMULATED_HOST_H_
