// Where on the data's way: for simulations of a cluster: a machine with a disk on which servers of one shard
// run, one after the other.
#ifndef DOWNPOUR_TESTS_TESTING_SIMULATED_HOST_H_
#define DOWNPOUR_TESTS_TESTING_SIMULATED_HOST_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/random.h"
#include "server/shard/parameter_shard.h"
#include "tests/testing/push_oracle.h"
#include "tests/testing/simulated_coordinator.h"
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
  };
  struct Process : Party {
    bool stopping = false, ended = false;
    absl::Status end;
  };

  // Nothing is owned.
  SimulatedHost(Options options, SimulatedCoordinator* coordinator, SimulatedThreads* threads);

  const Options& options() const { return options_; }
  // What answers at the host's address; null: nothing.
  ParameterShard* serving() const { return serving_.get(); }
  HeldPushes& held() { return held_; }
  Process& process() { return *processes_.back(); }

  void StartServer();
  void Kill();
  // `full`: the disk has no place for it.
  void WriteCheckpoint(bool full);
  // Flips one bit of the newest checkpoint, if the one before it is there and whole.
  void DamageNewestCheckpoint(Random* random);

 private:
  absl::StatusOr<std::shared_ptr<ParameterShard>> Serve(const RegisterShardReply& registered);
  void RunProcess(Process* process);

  const Options options_;
  SimulatedCoordinator* const coordinator_;
  SimulatedThreads* const threads_;
  std::shared_ptr<ParameterShard> serving_;
  HeldPushes held_;                           // by serving_
  std::optional<HeldPushes> newest_, older_;  // by the checkpoints that are whole
  std::vector<std::unique_ptr<Process>> processes_;
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_SIMULATED_HOST_H_
