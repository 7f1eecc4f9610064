// Where on the data's way: for simulations of a cluster: the server's loop and its disk, and what befalls both.
#include "tests/testing/simulated_host.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <utility>

#include "common/status_macros.h"
#include "server/shard/checkpointer.h"
#include "server/shard/server_loop.h"
#include "server/shard/shard_start.h"

namespace downpour {

SimulatedHost::SimulatedHost(Options options, SimulatedCoordinator* coordinator, SimulatedThreads* threads)
    : options_(std::move(options)), coordinator_(coordinator), threads_(threads) {
  std::filesystem::remove_all(options_.folder);
  std::filesystem::create_directories(options_.folder);
}

void SimulatedHost::StartServer() {
  Process* const process = processes_.emplace_back(std::make_unique<Process>()).get();
  process->reached_since = threads_->Now();
  process->caller = Caller({ShardRole(options_.shard)});
  threads_->Start([this, process] { RunProcess(process); });
}

void SimulatedHost::RunProcess(Process* process) {
  ServerLoopOptions options;
  options.get_run_status = [this, process] {
    return coordinator_->Call(process, &Coordinator::GetRunStatus, RunStatusRequest());
  };
  options.register_shard = [this, process](const RegisterShardRequest& request) {
    return coordinator_->Call(process, &Coordinator::RegisterShard, request);
  };
  options.request.set_shard(options_.shard);
  options.request.set_address(options_.address);
  options.request.set_folder(std::hash<std::string>()(options_.folder));
  options.request.set_take_over(options_.take_over);
  options.serve = [this](const RegisterShardReply& registered, const std::shared_ptr<ParameterShard>&) {
    return Serve(registered);
  };
  options.clock = threads_;
  options.stopped = [process] { return process->stopping || process->killed; };
  process->end = RunServer(options);
  if (!process->killed && serving_ != nullptr) {
    WriteCheckpoint(/*full=*/false);
    serving_.reset();
  }
  process->ended = true;
}

absl::StatusOr<std::shared_ptr<ParameterShard>> SimulatedHost::Serve(const RegisterShardReply& registered) {
  const LostState lost = options_.take_over ? LostState::kInitialParameters : LostState::kRefused;
  ASSIGN_OR_RETURN(serving_, StartShard(registered, options_.folder, lost, options_.segment_elements));
  if (!newest_.has_value()) newest_ = older_;
  if (!newest_.has_value()) newest_.emplace();  // its first checkpoint, of the initial parameters
  held_ = *newest_;
  return serving_;
}

void SimulatedHost::Kill() {
  process().killed = true;
  serving_.reset();
  std::ofstream(ShardCheckpointPath(options_.folder, options_.shard) + ".partial") << "half a checkpoint";
}

void SimulatedHost::WriteCheckpoint(bool full) {
  if (serving_ == nullptr) return;
  const std::string path = ShardCheckpointPath(options_.folder, options_.shard);
  const std::string partial = path + ".partial";
  if (full) {
    std::filesystem::remove(partial);
    std::filesystem::create_symlink("/dev/full", partial);
  }
  const absl::Status written = SaveShardSnapshot(path, serving_->Snapshot());
  EXPECT_EQ(written.ok(), !full) << written;
  std::filesystem::remove(partial);
  if (!full) older_ = std::exchange(newest_, held_);
}

void SimulatedHost::DamageNewestCheckpoint(Random* random) {
  if (!newest_.has_value() || !older_.has_value()) return;
  const std::string path = ShardCheckpointPath(options_.folder, options_.shard);
  if (!std::filesystem::exists(path)) return;  // it has been found damaged before, and put aside
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const auto at = static_cast<std::streamoff>(random->Below(std::filesystem::file_size(path)));
  file.seekg(at);
  const auto byte = static_cast<char>(file.get() ^ 1 << random->Below(8));
  file.seekp(at);
  file.put(byte);
  newest_.reset();
}

}  // namespace downpour
