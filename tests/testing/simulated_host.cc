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
  if (options_.following.has_value())
    process->follower = std::make_unique<SimulatedFollower>(
        *options_.following, process, [this] { WriteCheckpoint(/*full=*/false); });  // as server_main.cc does
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
  options.follower = process->follower.get();
  options.new_number = [this, process] {
    const uint64_t number = 1'000'000 * (1 + std::stoull(options_.address)) + last_number_++;
    process->numbers.insert(number);
    return number;
  };
  options.serve = [this](const RegisterShardReply& registered, std::shared_ptr<ParameterShard> followed) {
    return Serve(registered, std::move(followed));
  };
  options.stop_serving = [process] { process->serving.reset(); };
  options.clock = threads_;
  options.stopped = [process] { return process->stopping || process->killed; };
  process->end = RunServer(options);
  if (!process->killed) {  // as server_main.cc ends
    if (process->serving != nullptr) process->serving->log().Close();
    WriteCheckpoint(/*full=*/false);
    process->serving.reset();
  }
  if (process->follower != nullptr) process->follower->Stop();
  process->ended = true;
}

absl::StatusOr<std::shared_ptr<ParameterShard>> SimulatedHost::Serve(
    const RegisterShardReply& registered, std::shared_ptr<ParameterShard> followed) {
  Process& server = process();
  if (followed != nullptr) {
    server.held = server.follower->held();
    followed->set_view(registered.view());
    followed->set_run_secret(registered.run_secret());
    return server.serving = std::move(followed);
  }
  const LostState lost = options_.take_over ? LostState::kInitialParameters : LostState::kRefused;
  ASSIGN_OR_RETURN(server.serving, StartShard(registered, options_.folder, lost, options_.segment_elements));
  if (!newest_.has_value()) newest_ = older_;
  if (!newest_.has_value()) newest_.emplace();  // its first checkpoint, of the initial parameters
  server.held = std::make_shared<HeldPushes>(*newest_);
  return server.serving;
}

void SimulatedHost::Kill() {
  Process& server = process();
  server.killed = true;
  if (server.serving != nullptr) server.serving->log().Close();
  server.serving.reset();
  std::ofstream(ShardCheckpointPath(options_.folder, options_.shard) + ".partial") << "half a checkpoint";
}

void SimulatedHost::WriteCheckpoint(bool full) {
  const Process& server = process();
  if (server.serving != nullptr) {
    Write(*server.serving, *server.held, full);
  } else if (server.follows_with_shard()) {
    Write(*server.follower->shard(), *server.follower->held(), full);
  }
}

void SimulatedHost::Write(const ParameterShard& shard, const HeldPushes& held, bool full) {
  const std::string path = ShardCheckpointPath(options_.folder, options_.shard);
  const std::string partial = path + ".partial";
  if (full) {
    std::filesystem::remove(partial);
    std::filesystem::create_symlink("/dev/full", partial);
  }
  const absl::Status written = SaveShardSnapshot(path, shard.Snapshot());
  EXPECT_EQ(written.ok(), !full) << written;
  std::filesystem::remove(partial);
  if (!full) older_ = std::exchange(newest_, held);
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
