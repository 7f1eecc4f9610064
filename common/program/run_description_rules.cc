// Where on the data's way: common/program, before a run; fields' bounds, and which may differ in a run.
#include "common/program/run_description_rules.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/message_differencer.h>

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "common/program/rounds.h"
#include "common/program/update_rules.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

// Bounds; the last three are of what must be finite, above 0, below 1.
constexpr double kInfinity = std::numeric_limits<double>::infinity();  // for whole numbers
constexpr double kLargest = std::numeric_limits<double>::max();
constexpr double kAboveZero = std::numeric_limits<double>::denorm_min();
constexpr double kBelowOne = 1 - std::numeric_limits<double>::epsilon() / 2;
// No run needs more, and the sizes that are computed from these do not overflow.
constexpr int32_t kMaxContext = 1000;     // frames
constexpr int32_t kMaxWidth = 1 << 20;    // units of a layer
constexpr int32_t kMaxParties = 1 << 16;  // shards, or replicas
constexpr int32_t kMaxMinibatch = 1 << 20;

// OK if `seen` is in [low, high], otherwise an error that names the field and the values seen and wanted.
template <typename T>
absl::Status Want(T seen, double low, double high, absl::string_view field, absl::string_view wanted) {
  if (static_cast<double>(seen) >= low && static_cast<double>(seen) <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, " is ", seen, ", want ", wanted));
}

absl::Status ValidateData(const DataDescription& data) {
  RETURN_IF_ERROR(CheckKindOfData(data));
  RETURN_IF_ERROR(Want(data.left_context(), 0, kMaxContext, "data.left_context", "0 to 1000"));
  RETURN_IF_ERROR(Want(data.right_context(), 0, kMaxContext, "data.right_context", "0 to 1000"));
  RETURN_IF_ERROR(Want(data.classes(), 0, kMaxWidth, "data.classes", "0 (from the data) to 1048576"));
  return Want(data.slice_frames(), 1, kInfinity, "data.slice_frames", "1 or more");
}

absl::Status ValidateCluster(const ClusterDescription& cluster) {
  RETURN_IF_ERROR(Want(cluster.shards(), 1, kMaxParties, "cluster.shards", "1 to 65536"));
  RETURN_IF_ERROR(Want(cluster.replicas(), 1, kMaxParties, "cluster.replicas", "1 to 65536"));
  RETURN_IF_ERROR(Want(cluster.minibatch(), 1, kMaxMinibatch, "cluster.minibatch", "1 to 1048576 frames"));
  RETURN_IF_ERROR(Want(cluster.n_push(), 1, kInfinity, "cluster.n_push", "1 or more"));
  RETURN_IF_ERROR(Want(cluster.n_fetch(), 1, kInfinity, "cluster.n_fetch", "1 or more"));
  RETURN_IF_ERROR(
      Want(cluster.warm_start_updates(), 0, kInfinity, "cluster.warm_start_updates", "0 or more"));
  const absl::Status warm_start = ValidateOptimizer(cluster.warm_start_optimizer());
  if (!warm_start.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("cluster.warm_start_optimizer: ", warm_start.message()));
  }
  const bool waits = cluster.consistency() != ClusterDescription::ASYNCHRONOUS;
  RETURN_IF_ERROR(Want(cluster.join_every_updates(), 0, waits ? 0 : kInfinity, "cluster.join_every_updates",
                       waits ? "0 unless cluster.consistency is ASYNCHRONOUS" : "0 or more"));
  RETURN_IF_ERROR(Want(cluster.standbys(), 0, 1, "cluster.standbys", "0 or 1"));
  RETURN_IF_ERROR(Want(cluster.staleness_bound(), 0, kInfinity, "cluster.staleness_bound", "0 or more"));
  RETURN_IF_ERROR(Want(cluster.backup_replicas(), 0, cluster.replicas() - 1, "cluster.backup_replicas",
                       "0 or more, and below cluster.replicas"));
  if (RoundsOf(cluster).pushes > 0) {
    const char* const wanted = "1 where cluster.consistency is SYNCHRONOUS (take a larger cluster.minibatch)";
    RETURN_IF_ERROR(Want(cluster.n_push(), 1, 1, "cluster.n_push", wanted));
    RETURN_IF_ERROR(Want(cluster.n_fetch(), 1, 1, "cluster.n_fetch", wanted));
  }
  RETURN_IF_ERROR(Want(cluster.top_k_share(), kAboveZero, 1, "cluster.top_k_share", "above 0, up to 1"));
  return Want(cluster.replica_timeout_s(), kAboveZero, kLargest, "cluster.replica_timeout_s",
              "a finite time above 0");
}

// Rules that want more than the gradient take each push by itself (server/optimizer/optimizer.h).
absl::Status ValidatePlanes(const RunDescription& description) {
  const ClusterDescription& cluster = description.cluster();
  const auto planes = [](const OptimizerDescription& optimizer) {
    return kUpdateRules[optimizer.kind()].planes;
  };
  if (planes(cluster.warm_start_optimizer()) > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("cluster.warm_start_optimizer.kind is ",
                     OptimizerDescription::Kind_Name(cluster.warm_start_optimizer().kind()),
                     ", want a rule that wants the gradient alone"));
  }
  if (planes(description.optimizer()) == 1) return absl::OkStatus();
  RETURN_IF_ERROR(Want(cluster.n_push(), 1, 1, "cluster.n_push", "1 for a rule that wants the curvature"));
  if (RoundsOf(cluster).pushes == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "cluster.consistency is SYNCHRONOUS, want ASYNCHRONOUS or BOUNDED for a rule that wants the curvature");
}

absl::Status ValidateVirtualClock(const VirtualClockDescription& clock) {
  RETURN_IF_ERROR(Want(clock.compute_mean_s(), kAboveZero, kLargest, "virtual_clock.compute_mean_s",
                       "a finite time above 0"));
  RETURN_IF_ERROR(Want(clock.compute_sigma(), 0, kLargest, "virtual_clock.compute_sigma", "0 or more"));
  RETURN_IF_ERROR(
      Want(clock.replica_speed_sigma(), 0, kLargest, "virtual_clock.replica_speed_sigma", "0 or more"));
  RETURN_IF_ERROR(Want(clock.straggler_probability(), 0, 1, "virtual_clock.straggler_probability", "0 to 1"));
  RETURN_IF_ERROR(Want(clock.straggler_factor(), 1, kLargest, "virtual_clock.straggler_factor", "1 or more"));
  RETURN_IF_ERROR(Want(clock.latency_s(), 0, kLargest, "virtual_clock.latency_s", "0 or more"));
  RETURN_IF_ERROR(Want(clock.shard_bytes_per_s(), 0, kLargest, "virtual_clock.shard_bytes_per_s",
                       "0 (any amount) or more"));
  return Want(clock.bandwidth_bytes_per_s(), kAboveZero, kLargest, "virtual_clock.bandwidth_bytes_per_s",
              "a finite number above 0");
}

absl::Status ValidateNoise(const NoiseDescription& noise, double replica_timeout_s) {
  RETURN_IF_ERROR(Want(noise.label_share(), 0, 1, "noise.label_share", "0 to 1"));
  RETURN_IF_ERROR(Want(noise.push_delay_share(), 0, 1, "noise.push_delay_share", "0 to 1"));
  RETURN_IF_ERROR(Want(noise.push_repeat_share(), 0, 1, "noise.push_repeat_share", "0 to 1"));
  RETURN_IF_ERROR(Want(noise.adversary_share(), 0, 1, "noise.adversary_share", "0 to 1"));
  RETURN_IF_ERROR(Want(noise.slow_share(), 0, 1, "noise.slow_share", "0 to 1"));
  RETURN_IF_ERROR(Want(noise.push_drop_share(), 0, kBelowOne, "noise.push_drop_share",
                       "0 or more, and below 1: a run without pushes never ends"));
  RETURN_IF_ERROR(Want(noise.gradient_sigma(), 0, kLargest, "noise.gradient_sigma", "0 or more"));
  RETURN_IF_ERROR(
      Want(noise.adversary_scale(), -kLargest, kLargest, "noise.adversary_scale", "a finite factor"));
  RETURN_IF_ERROR(Want(noise.slow_factor(), 1, kLargest, "noise.slow_factor", "1 or more"));
  const double longest = noise.push_delay_share() > 0 ? std::nextafter(replica_timeout_s, 0) : kLargest;
  return Want(noise.push_delay_s(), 0, longest, "noise.push_delay_s",
              "0 or more, and below cluster.replica_timeout_s");
}

constexpr absl::string_view kReplicas = "cluster.replicas";

// Fields in which two descriptions of one run may differ, everything within them included.
constexpr struct {
  absl::string_view path;
  bool only_of_processes;  // read by the in-process cluster alone, where it must be equal
} kMayDiffer[] = {
    {"name", false},           {"budget", false},
    {"evaluation", false},     {"sampling", false},
    {"checkpoint", false},     {"data.train_dir", false},
    {"data.test_dir", false},  {"data.test_human_dir", false},
    {"data.mnist_dir", false}, {"cluster.replica_timeout_s", false},
    {kReplicas, true},         {"cluster.clock", true},
    {"virtual_clock", true},
};

const google::protobuf::FieldDescriptor* FieldAt(absl::string_view path) {
  const google::protobuf::Descriptor* message = RunDescription::descriptor();
  const google::protobuf::FieldDescriptor* field = nullptr;
  for (absl::string_view name : absl::StrSplit(path, '.')) {
    field = message->FindFieldByName(std::string(name));
    DOWNPOUR_CHECK(field != nullptr);
    message = field->message_type();
  }
  return field;
}

absl::Status CheckSame(const RunDescription& seen, const RunDescription& wanted, bool processes) {
  google::protobuf::util::MessageDifferencer differencer;
  differencer.set_message_field_comparison(google::protobuf::util::MessageDifferencer::EQUIVALENT);
  // A run with rounds is another if the number of replicas, and so of pushes a round, is another.
  const bool rounds = RoundsOf(wanted.cluster()).pushes > 0;
  for (const auto& [path, only_of_processes] : kMayDiffer) {
    if (rounds && path == kReplicas) continue;
    if (processes || !only_of_processes) differencer.IgnoreField(FieldAt(path));
  }
  std::string difference;
  differencer.ReportDifferencesToString(&difference);
  differencer.set_report_ignores(false);
  if (differencer.Compare(seen, wanted)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("another run's description: ", difference.substr(0, difference.find('\n'))));
}

}  // namespace

absl::Status CheckKindOfData(const DataDescription& data) {
  const bool kaldi = data.has_train_dir() || data.has_test_dir();
  if (kaldi && data.has_mnist_dir()) {
    return absl::InvalidArgumentError("data.mnist_dir and data.train_dir are both set, want one of them");
  }
  if (data.has_mnist_dir() || (data.has_train_dir() && data.has_test_dir())) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "no data: set data.train_dir and data.test_dir (Kaldi data directories), or data.mnist_dir");
}

absl::Status ValidateRunDescription(const RunDescription& description) {
  RETURN_IF_ERROR(ValidateData(description.data()));
  const NetworkDescription& network = description.network();
  for (int32_t width : network.hidden_width())
    RETURN_IF_ERROR(Want(width, 1, kMaxWidth, "network.hidden_width", "1 to 1048576 units in every layer"));
  RETURN_IF_ERROR(Want(network.loss_scale(), kAboveZero, kLargest, "network.loss_scale", "a number above 0"));
  RETURN_IF_ERROR(
      Want(network.weight_scale(), kAboveZero, kLargest, "network.weight_scale", "a number above 0"));
  RETURN_IF_ERROR(ValidateOptimizer(description.optimizer()));
  RETURN_IF_ERROR(ValidateCluster(description.cluster()));
  RETURN_IF_ERROR(ValidatePlanes(description));
  RETURN_IF_ERROR(ValidateVirtualClock(description.virtual_clock()));
  RETURN_IF_ERROR(ValidateNoise(description.noise(), description.cluster().replica_timeout_s()));
  const BudgetDescription& budget = description.budget();
  RETURN_IF_ERROR(Want(budget.epochs(), 0, kLargest, "budget.epochs", "0 or more"));
  RETURN_IF_ERROR(Want(budget.updates(), 0, kInfinity, "budget.updates", "0 or more"));
  if (budget.epochs() == 0 && budget.updates() == 0)
    return absl::InvalidArgumentError("budget.epochs and budget.updates are both 0, want a limit above 0");
  const EvaluationDescription& evaluation = description.evaluation();
  RETURN_IF_ERROR(Want(evaluation.every_updates(), 1, kInfinity, "evaluation.every_updates", "1 or more"));
  RETURN_IF_ERROR(Want(evaluation.max_frames(), 0, kInfinity, "evaluation.max_frames", "0 (all) or more"));
  const SamplingDescription& sampling = description.sampling();
  RETURN_IF_ERROR(Want(sampling.every_updates(), 0, kInfinity, "sampling.every_updates", "0 (none) or more"));
  RETURN_IF_ERROR(Want(sampling.elements(), 1, 100, "sampling.elements", "1 to 100 of each weight matrix"));
  const bool samples = sampling.every_updates() > 0;
  if (samples && description.optimizer().compensation() != OptimizerDescription::NONE)
    return absl::InvalidArgumentError("sampling.every_updates is set, want 0 with optimizer.compensation");
  return Want(description.checkpoint().every_s(), kAboveZero, kLargest, "checkpoint.every_s",
              "a finite time above 0");
}

absl::Status CheckSameRun(const RunDescription& seen, const RunDescription& wanted) {
  return CheckSame(seen, wanted, /*processes=*/false);
}

absl::Status CheckSameProcessRun(const RunDescription& seen, const RunDescription& wanted) {
  return CheckSame(seen, wanted, /*processes=*/true);
}

absl::Status CheckSameShards(const RunDescription& seen, const RunDescription& wanted) {
  if (seen.cluster().shards() == wanted.cluster().shards()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("cluster.shards is ", wanted.cluster().shards(), ", want ", seen.cluster().shards(),
                   " as in the run, or --reshard to go on with another number"));
}

}  // namespace downpour
