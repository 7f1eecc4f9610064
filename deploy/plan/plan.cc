// Where on the data's way: deploy/plan, before a run; the formulas, and the figures that were measured.
#include "deploy/plan/plan.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/program/descriptor_limit.h"
#include "common/program/update_rules.h"
#include "common/status_macros.h"
#include "server/shard/shard_start.h"
#include "worker/replica/gradient_compressor.h"

namespace downpour {
namespace {

// Parameters a second that one core of a Xeon receives in pushes, steps by ADADELTA and sends in fetches, by
// transport_bench (tests/bench/README.md), with both ends of the wire on these cores.
constexpr double kParametersPerCoreFloat32 = 102e6;
constexpr double kParametersPerCoreBfloat16 = 158e6;
// Memory of gRPC's for each connection that a shard has (tests/bench/README.md).
constexpr double kConnectionBytes = 0.15 * (1 << 20);
// Seconds of a core that the coordinator takes for the report of one update, and a shard for a fetch and a
// push, however small they are (deploy/PLANNING.md). More than one core of the coordinator was not measured.
constexpr double kReportCoreSeconds = 0.2e-3;
constexpr double kTransferCoreSeconds = 0.55e-3;

double MeanOfLogNormal(double sigma) { return std::exp(sigma * sigma / 2); }

// The mean of the greatest of `count` exponentially distributed times of mean 1.
double MeanOfGreatest(int64_t count) {
  double sum = 0;
  for (int64_t i = 1; i <= count; ++i) sum += 1 / static_cast<double>(i);
  return sum;
}

// Minibatches a second of one replica, whose compute time is `compute_s` times a log-normal speed: their mean
// over the replicas, by a sum over the normal distribution.
double MeanRate(double compute_s, double transfer_s, double speed_sigma) {
  double sum = 0;
  double weights = 0;
  for (int i = -40; i <= 40; ++i) {
    const double z = i / 10.0;
    const double weight = std::exp(-z * z / 2);
    sum += weight / (compute_s * std::exp(speed_sigma * z) + transfer_s);
    weights += weight;
  }
  return sum / weights;
}

// The number of shards that `shards` is rounded up to; 0: none would do.
int64_t Whole(double shards) {
  constexpr double kMostShards = 1 << 16;
  return shards >= 0 && shards <= kMostShards ? std::max<int64_t>(1, std::ceil(shards)) : 0;
}

void PlanRates(const RunDescription& description, const Machines& machines, Plan* plan) {
  const ClusterDescription& cluster = description.cluster();
  const VirtualClockDescription& clock = description.virtual_clock();
  const double shards = cluster.shards();
  const double latency_s = clock.latency_s() * MeanOfGreatest(cluster.shards());
  plan->compute_s = clock.compute_mean_s() * MeanOfLogNormal(clock.compute_sigma()) *
                    (1 + clock.straggler_probability() * (clock.straggler_factor() - 1));
  const double link = std::min(machines.worker_bytes_per_s, shards * machines.shard_bytes_per_s);
  plan->fetch_s = latency_s + plan->fetch_bytes / link;
  plan->push_s = latency_s + clock.latency_s() + plan->push_bytes / link;
  const double transfer_s = plan->fetch_s / cluster.n_fetch() + plan->push_s / cluster.n_push();
  const double slow = description.noise().slow_share();
  const double rate = (1 - slow) * MeanRate(plan->compute_s, transfer_s, clock.replica_speed_sigma()) +
                      slow * MeanRate(plan->compute_s * description.noise().slow_factor(), transfer_s,
                                      clock.replica_speed_sigma());
  plan->asked = static_cast<double>(machines.workers) * rate / cluster.n_push();

  const double fetches = static_cast<double>(cluster.n_push()) / cluster.n_fetch();  // for each push
  const double sent_bytes = plan->fetch_bytes * fetches + plan->standby_bytes;
  const double link_bytes = std::max(plan->push_bytes, sent_bytes);
  plan->links_carry = shards * machines.shard_bytes_per_s / link_bytes;
  const double core = TravelsInBfloat16(cluster) ? kParametersPerCoreBfloat16 : kParametersPerCoreFloat32;
  const double most_transfers = std::max(1.0, fetches);
  const double core_s = static_cast<double>(plan->parameters) / core * most_transfers;  // of all shards
  const double fixed_core_s = kTransferCoreSeconds * most_transfers;                    // of each shard
  plan->cores_carry = machines.shard_cores / (core_s / shards + fixed_core_s);
  plan->coordinator_carries = 1 / kReportCoreSeconds;
  plan->shards_for_links = Whole(plan->asked * shards / plan->links_carry);
  plan->shards_for_cores = Whole(core_s / (machines.shard_cores / plan->asked - fixed_core_s));
  const double rates[] = {plan->asked, plan->links_carry, plan->cores_carry, plan->coordinator_carries};
  plan->bound = static_cast<Bound>(std::min_element(std::begin(rates), std::end(rates)) - rates);
  plan->updates = rates[static_cast<int>(plan->bound)];
}

}  // namespace

absl::StatusOr<Plan> MakePlan(const RunDescription& description, int64_t input_dim,
                              const Machines& machines) {
  if (machines.workers < 1 || !(machines.worker_bytes_per_s > 0) || !(machines.shard_bytes_per_s > 0) ||
      machines.shard_cores < 1)
    return absl::InvalidArgumentError("want one worker and one core of a shard at least, and links above 0");
  const ClusterDescription& cluster = description.cluster();
  DataSummary data;
  data.set_input_dim(static_cast<int32_t>(input_dim));
  data.set_classes(description.data().classes());
  data.set_frames(1);  // for a schedule's length, which has no part in this
  ASSIGN_OR_RETURN(const std::vector<ParameterShard::Options> shards,
                   ShardOptions(description, "plan", data));
  // Parts of shards differ by one parameter at most.
  ASSIGN_OR_RETURN(const double shard_bytes, ShardBytes(shards.front()));
  Plan plan;
  plan.parameters = shards.front().layout.size();
  const auto parameters = static_cast<double>(plan.parameters);
  // Further planes are not compressed, and may come with one push of many.
  const OptimizerDescription& optimizer = description.optimizer();
  const int further_planes = kUpdateRules[optimizer.kind()].planes - 1;
  const double brought =
      further_planes *
      (PlanesOfPush(optimizer, 1) > 1 ? 1.0 : 1.0 / static_cast<double>(optimizer.curvature_every()));
  plan.push_bytes =
      parameters * (PushedBits(cluster) + brought * (PushesInBfloat16(cluster) ? 16.0 : 32.0)) / 8;
  plan.fetch_bytes = parameters * FetchedBits(cluster) / 8;
  // As the shard applies it: unpacked, and several planes in float32 (server/shard/replication_log.h).
  const bool in_bfloat16 = further_planes == 0 && PushesInBfloat16(cluster);
  plan.standby_bytes = cluster.standbys() * parameters * (1 + brought) * (in_bfloat16 ? 2 : 4);
  PlanRates(description, machines, &plan);
  const double rounded =
      TravelsInBfloat16(cluster) ? 2.0 * static_cast<double>(shards.front().range.size()) : 0;
  const double window =
      cluster.standbys() * static_cast<double>(ReplicationLog::Options().window_bytes);  // on its way
  plan.shard_memory =
      shard_bytes + rounded + window + kConnectionBytes * static_cast<double>(machines.workers);
  plan.shard_disk = 3 * shard_bytes;
  double units = static_cast<double>(input_dim);
  for (const int32_t width : description.network().hidden_width()) units += 2.0 * width;
  units += 2.0 * description.data().classes();  // activations and their gradients
  plan.worker_memory =
      parameters * ((1 + further_planes) * sizeof(float) + FetchedBits(cluster) / 8 +
                    (CompressesGradients(cluster) ? 2.0 * (1 + further_planes) + sizeof(float) : 0)) +
      sizeof(float) * units * cluster.minibatch();
  plan.evaluator_memory = parameters * sizeof(float);
  plan.shard_descriptors = machines.workers + kReservedDescriptors;
  return plan;
}

double WorkersAt(const Plan& plan, Bound bound, const Machines& machines) {
  const double one = plan.asked / static_cast<double>(machines.workers);
  switch (bound) {
    case Bound::kShardLinks:
      return plan.links_carry / one;
    case Bound::kShardCores:
      return plan.cores_carry / one;
    case Bound::kCoordinator:
      return plan.coordinator_carries / one;
    case Bound::kWorkers:
      break;
  }
  return std::numeric_limits<double>::infinity();
}

absl::StatusOr<double> ParseLink(absl::string_view text) {
  constexpr struct {
    absl::string_view name;
    double bytes;
  } kUnits[] = {{"Gbit", 1e9 / 8}, {"Mbit", 1e6 / 8}, {"GB", 1e9}, {"MB", 1e6}};
  for (const auto& unit : kUnits) {
    absl::string_view number = text;
    double value = 0;
    if (!absl::ConsumeSuffix(&number, unit.name)) continue;
    if (absl::SimpleAtod(number, &value) && std::isfinite(value) && value > 0) return value * unit.bytes;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "a link of '", text, "', want a speed a second above 0 in Gbit, Mbit, GB or MB, as 10Gbit"));
}

}  // namespace downpour
