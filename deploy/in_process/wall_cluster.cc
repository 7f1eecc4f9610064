// Where on the data's way: replicas and evaluator run on threads over shards in memory.
#include "deploy/in_process/wall_cluster.h"

#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/metrics/metrics_endpoint.h"
#include "common/status_macros.h"
#include "deploy/in_process/in_process_clients.h"
#include "deploy/in_process/in_process_shards.h"
#include "deploy/in_process/sample_file.h"
#include "server/coordinator/run_folder.h"
#include "server/shard/checkpointer.h"
#include "server/shard/recut.h"
#include "server/shard/shard_start.h"
#include "worker/evaluator/evaluator_loop.h"
#include "worker/replica/replica_loop.h"

namespace downpour {
namespace {

constexpr absl::Duration kWatchInterval = absl::Milliseconds(200);

class WallCluster {
 public:
  explicit WallCluster(const TrainingJob& job) : job_(job) {}

  absl::StatusOr<RunStatus> Run();

 private:
  absl::Status StartShards();
  void StartThreads();
  // Runs `body` on a thread of its own. If it fails, the whole cluster stops.
  void Start(std::function<absl::Status()> body);
  absl::Status failure() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool stopped() const { return job_.stopped() || !failure().ok(); }
  ShardConnector Connector() const;

  const TrainingJob& job_;
  std::unique_ptr<RunFolder> folder_;
  std::unique_ptr<InProcessCoordinatorClient> coordinator_;
  InProcessShards shards_;
  std::vector<std::unique_ptr<Checkpointer>> checkpointers_;
  std::vector<std::thread> threads_;
  mutable absl::Mutex mutex_;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

absl::Status WallCluster::failure() const {
  absl::MutexLock lock(&mutex_);
  return failure_;
}

void WallCluster::Start(std::function<absl::Status()> body) {
  threads_.emplace_back([this, body = std::move(body)] {
    const absl::Status status = body();
    absl::MutexLock lock(&mutex_);
    failure_.Update(status);
  });
}

ShardConnector WallCluster::Connector() const {
  return [this](const ShardAddress& address, const KeyRange&, const RunKey& run,
                const ClusterDescription&) -> absl::StatusOr<std::unique_ptr<ShardClient>> {
    return std::make_unique<InProcessShardClient>(shards_[address.shard()].get(), run);
  };
}

absl::Status WallCluster::StartShards() {
  const std::string checkpoints = job_.run_dir + "/checkpoints";
  ASSIGN_OR_RETURN(
      const std::vector<RegisterShardReply> registered,
      RegisterShards(job_.description.cluster().shards(), job_.data->summary, folder_->coordinator()));
  for (const RegisterShardReply& reply : registered) {
    ASSIGN_OR_RETURN(shards_.emplace_back(), StartShard(reply, checkpoints, job_.lost));
    checkpointers_.push_back(
        std::make_unique<Checkpointer>(shards_.back().get(), ShardCheckpointPath(checkpoints, reply.shard()),
                                       absl::Seconds(job_.description.checkpoint().every_s())));
  }
  return absl::OkStatus();
}

void WallCluster::StartThreads() {
  EvaluatorLoopOptions evaluator;
  evaluator.coordinator = coordinator_.get();
  evaluator.connect_shard = Connector();
  evaluator.data = job_.data.get();
  evaluator.threads = job_.threads;
  evaluator.stopped = [this] { return stopped(); };
  Start([evaluator] { return RunEvaluator(evaluator); });

  ReplicaLoopOptions replica;
  replica.coordinator = coordinator_.get();
  replica.connect_shard = Connector();
  replica.data = job_.data->train;
  replica.data_summary = job_.data->summary;
  replica.host = "wall cluster";
  replica.parallel_shards = false;
  replica.stopped = [this] { return stopped(); };
  for (int index = 0; index < job_.description.cluster().replicas(); ++index) {
    replica.jitter_seed = index;
    Start([replica] { return RunReplica(replica); });
  }
}

absl::StatusOr<RunStatus> WallCluster::Run() {
  const RunFolderOptions options{.lost = job_.lost_coordinator, .reshard = job_.reshard};
  ASSIGN_OR_RETURN(RunFolder folder, RunFolder::Open(job_.run_dir, job_.description, Clock::Real(), options));
  if (job_.reshard && folder.resumed())
    RETURN_IF_ERROR(RecutCheckpoints(job_.run_dir + "/checkpoints", job_.description.cluster().shards()));
  folder_ = std::make_unique<RunFolder>(std::move(folder));
  Coordinator& coordinator = folder_->coordinator();
  coordinator_ = std::make_unique<InProcessCoordinatorClient>(&coordinator);
  RETURN_IF_ERROR(StartShards());
  ASSIGN_OR_RETURN(const auto metrics,
                   ServeMetrics(job_.security, [this](MetricFamilies* all) { folder_->AddMetrics(all); }));
  ASSIGN_OR_RETURN(RunStatus status, coordinator.GetRunStatus({}));
  job_.begun(status, folder_->resumed());
  if (status.phase() == RunStatus::FINISHED) return status;

  ASSIGN_OR_RETURN(SampleFile samples, SampleFile::Open(job_.run_dir, job_.description, job_.data->summary));
  RETURN_IF_ERROR(samples.TakeFrom(shards_));
  StartThreads();
  absl::Status sampled;
  while (status.phase() != RunStatus::FINISHED && !stopped()) {
    Clock::Real()->SleepFor(kWatchInterval);
    coordinator.RemoveDeadReplicas();
    status = coordinator.GetRunStatus({}).value();
    for (const auto& shard : shards_) shard->set_plateau_factor(status.plateau_factor());
    sampled.Update(samples.TakeFrom(shards_));
    job_.progress(status);
  }
  for (std::thread& thread : threads_) thread.join();
  RETURN_IF_ERROR(failure());
  sampled.Update(samples.TakeFrom(shards_));
  RETURN_IF_ERROR(sampled);
  for (const auto& checkpointer : checkpointers_) RETURN_IF_ERROR(checkpointer->CheckpointNow());
  RETURN_IF_ERROR(folder_->CheckpointNow());
  return coordinator.GetRunStatus({});
}

}  // namespace

absl::StatusOr<RunStatus> RunWallJob(const TrainingJob& job) { return WallCluster(job).Run(); }

}  // namespace downpour
