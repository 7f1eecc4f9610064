// Where on the data's way: all of it in one process: a seeded discrete-event simulation that really trains.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_CLUSTER_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_CLUSTER_H_

#include "common/metrics/metric_families.h"
#include "deploy/in_process/cluster_evaluator.h"
#include "deploy/in_process/compute_pool.h"
#include "deploy/in_process/event_queue.h"
#include "deploy/in_process/sample_file.h"
#include "deploy/in_process/virtual_cluster_checkpoint.h"
#include "deploy/in_process/virtual_time.h"
#include "worker/replica/model_replica.h"
#include "worker/replica/parameter_snapshot.h"

namespace downpour {

// Each replica repeats this cycle:
//   REPORT -> (a transfer a shard) FETCHED -> (compute time) COMPUTED -> (a transfer a shard) PUSHED
//          -> (latency) ACKNOWLEDGED, which reports and begins the next cycle.
// Each shard is read for a fetch, and applies its part of a push, at a virtual time of its own, in the order
// of the event queue. A gradient depends on the replica's snapshot and minibatch alone, so threads can
// compute it before its COMPUTED event, and the same description and data give the same bits for any number
// of `threads`. A replica that waits for others (cluster.consistency) reports again at the instant at which
// one of them may have let it go on; ASYNCHRONOUS ones report at intervals during the warm start. An
// evaluation takes place within the report that makes it due, and the run ends with the report that reaches
// the budget. Not thread-safe.
class VirtualCluster {
 public:
  struct Options {
    RunDescription description;  // valid by ValidateRunDescription
    std::string run_id;
    std::shared_ptr<const RunData> data;
    int threads = 1;              // compute gradients and evaluations; the caller's is one of them
    std::string checkpoint_path;  // empty: no checkpoint is written
    // Called before each checkpoint is written, perhaps on another thread. If it fails, none is written.
    std::function<absl::Status()> before_checkpoint = [] { return absl::OkStatus(); };
    // Called after each that is on the disk, on the same thread; if it fails, so does the checkpoint.
    std::function<absl::Status()> after_checkpoint = [] { return absl::OkStatus(); };
    RunObserver* observer = nullptr;    // not owned
    SampleFile* samples = nullptr;      // not owned, may be null; written before each checkpoint
    Clock* wall_clock = Clock::Real();  // not owned; measures wall_s and checkpoint.every_s
    std::function<bool()> stopped = [] { return false; };                      // asked before each event
    std::function<void(const RunStatus&)> progress = [](const RunStatus&) {};  // at most 5 times a second
  };

  // Makes the cluster of a run at its beginning or, if `checkpoint` is not null, as that checkpoint holds it.
  // INVALID_ARGUMENT: no cluster can be made of this description. FAILED_PRECONDITION: the checkpoint is of
  // another run, data or size; the message names the difference. DATA_LOSS: its parts do not fit together.
  static absl::StatusOr<std::unique_ptr<VirtualCluster>> Create(Options options,
                                                                const VirtualClusterSnapshot* checkpoint);

  // Runs until the budget is used up (OK) or stopped() returns true (CANCELLED). In both cases it has written
  // a last checkpoint; if that fails, its status is returned. Other statuses as Network::ComputeGradient,
  // EvaluateTestSet and ParameterShard::ApplyChunk (except INVALID_ARGUMENT, counted as a rejected push).
  absl::Status Run();

  absl::StatusOr<RunStatus> Status() { return coordinator_->GetRunStatus({}); }
  // The run's metrics. Thread-safe.
  void AddMetrics(MetricFamilies* families) const;
  // The whole parameter vector as the shards hold it now.
  std::vector<float> Parameters() const;

 private:
  struct Replica {
    std::unique_ptr<ModelReplica> model;
    ReplicaTimes times;
    std::optional<ParameterSnapshot> parameters = {};  // as of the last fetch; none before the first
    int transfers_left = 0;
    std::vector<uint64_t> answers = {};  // one per shard: version (fetch) or staleness (push)
    bool push_rejected = false;
    int late_shards = 0;         // that have acknowledged the push as late
    bool waiting = false;        // for other replicas, without an event of its own
    bool in_pool = false;        // submitted and not finished
    absl::Status computed = {};  // of the last gradient
  };

  explicit VirtualCluster(Options options);
  absl::Status CreateComputation();
  Coordinator::Options CoordinatorOptions();
  absl::Status Begin();
  absl::Status Resume(const VirtualClusterSnapshot& checkpoint);
  std::unique_ptr<ModelReplica> NewModel(uint64_t replica_id, uint64_t incarnation);
  // The memory of the replica's parameters, which its first call allocates.
  ParameterSnapshot& ParametersOf(Replica* replica) const;

  absl::Status Handle(const EventQueue::Event& event);
  absl::Status Report(uint32_t index);
  void BeginStep(uint32_t index);
  void BeginTransfers(uint32_t index, EventQueue::Kind arrival, absl::Duration delay = absl::ZeroDuration());
  void BeginCompute(uint32_t index);
  absl::Status Fetched(uint32_t index, uint32_t shard);
  absl::Status Computed(uint32_t index);
  absl::Status Pushed(uint32_t index, uint32_t shard);
  absl::Status Acknowledged(uint32_t index);
  absl::Status EvaluateIfDue();
  absl::Status TakeSamples();
  void ReportLater(uint32_t index);
  void WakeWaiting();

  // Refers to the replicas' memory, so the pool must be paused until the snapshot has been written or copied.
  VirtualClusterSnapshot Snapshot();

  const Options options_;
  const VirtualClockDescription times_;
  int64_t elements_ = 0;  // in the parameter vector
  VirtualClock clock_;
  InProcessShards shards_;
  std::unique_ptr<Coordinator> coordinator_;
  std::optional<ClusterEvaluator> evaluator_;
  std::unique_ptr<GradientPool> gradients_;
  std::unique_ptr<RoundedGradientPool> rounded_gradients_;  // null where pushes are in float32
  std::vector<Replica> replicas_;
  EventQueue events_;
  std::vector<int64_t> link_free_ns_;  // as VirtualClusterCheckpoint.link_free_ns
  bool finished_ = false;
  VirtualClusterCheckpointer checkpointer_;
  std::unique_ptr<ComputePool> pool_;  // last, so that its threads end before the replicas
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_VIRTUAL_CLUSTER_H_
