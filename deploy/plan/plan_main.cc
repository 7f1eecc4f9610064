// Where on the data's way: deploy/plan, the program before a run; says what a cluster for it must have.
#include <cmath>
#include <iostream>
#include <limits>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/program/checked_flag.h"
#include "common/program/run_description_rules.h"
#include "common/program/run_program.h"
#include "common/status_macros.h"
#include "deploy/plan/plan.h"

ABSL_FLAG(int, workers, 0, "workers, of one replica each; 0: cluster.replicas");
ABSL_FLAG(std::string, link, "10Gbit",
          "each machine's link, in each direction: in Gbit, Mbit, GB or MB a second");
ABSL_FLAG(std::string, worker_link, "", "that of the workers, where it is another");
ABSL_FLAG(int, shard_cores, 8, "cores of a shard's machine");
ABSL_FLAG(int, feature_dim, 40, "values of one frame, as the data are not read");

namespace downpour {
namespace {

constexpr char kUsage[] =
    R"(Says what a cluster must have for a run, before there is one: memory, disk, links and shards, the updates a
second to expect, and what it comes to the end of first with more workers. Neither the data nor a network is
made. Wants data.classes, since the data are not read; the time of one gradient is virtual_clock's.

  downpour-plan deploy/full_scale.textproto --workers=200 --link=10Gbit --virtual_clock.compute_mean_s=1

Any field of the run description can be set. Every worker and every shard has a machine of its own.
deploy/PLANNING.md has the formulas, and what they were checked against.)";

std::string Bytes(double bytes) {
  for (const auto& [unit, size] : {std::pair("TB", 1e12), {"GB", 1e9}, {"MB", 1e6}})
    if (bytes >= size) return absl::StrFormat("%.3g %s", bytes / size, unit);
  return absl::StrFormat("%.3g kB", bytes / 1e3);
}

std::string Name(Bound bound) {
  switch (bound) {
    case Bound::kWorkers:
      return "the workers";
    case Bound::kShardLinks:
      return "shards' links";
    case Bound::kShardCores:
      return "shards' cores";
    case Bound::kCoordinator:
      return "the coordinator";
  }
  return "";
}

std::string Shards(int64_t shards) { return shards == 0 ? "none" : absl::StrCat(shards); }

std::string Standbys(const RunDescription& description, const Plan& plan) {
  if (description.cluster().standbys() > 0) {
    return absl::StrFormat(
        "standbys     1 for each shard, on a machine like a shard's; %s more out of the shards a push\n",
        Bytes(plan.standby_bytes));
  }
  return absl::StrCat(
      "standbys     0: a shard that dies is started again, and loses up to checkpoint.every_s (",
      description.checkpoint().every_s(), " s) of its updates\n");
}

void PrintPlan(const RunDescription& description, const Machines& machines, const Plan& plan) {
  const int shards = description.cluster().shards();
  std::cout
      << absl::StrFormat("network      %d parameters; %s a push, %s a fetch\n", plan.parameters,
                         Bytes(plan.push_bytes), Bytes(plan.fetch_bytes))
      << absl::StrFormat(
             "a worker     %.3g s a gradient, %.3g s a fetch, %.3g s a push; %s of memory beside the data\n",
             plan.compute_s, plan.fetch_s, plan.push_s, Bytes(plan.worker_memory))
      << absl::StrFormat(
             "a shard      %s of memory, %s of disk, %d descriptors (ulimit -Hn), with %d shards\n",
             Bytes(plan.shard_memory), Bytes(plan.shard_disk), plan.shard_descriptors, shards)
      << absl::StrFormat("evaluator    %s of memory beside the test sets\n", Bytes(plan.evaluator_memory))
      << Standbys(description, plan)
      << absl::StrFormat("updates      %d workers ask for %.4g a second, %s each way\n", machines.workers,
                         plan.asked, Bytes(plan.asked * std::max(plan.push_bytes, plan.fetch_bytes)))
      << absl::StrFormat(
             "             the links of %d shards carry %.4g, their cores %.4g, the coordinator %.4g\n",
             shards, plan.links_carry, plan.cores_carry, plan.coordinator_carries)
      << absl::StrFormat("expected     %.4g updates a second, bounded by %s%s\n", plan.updates,
                         Name(plan.bound),
                         description.cluster().consistency() == ClusterDescription::ASYNCHRONOUS
                             ? ""
                             : "; less, as replicas wait for each other too")
      << absl::StrFormat("shards       for all that is asked: %s for their links, %s for their cores\n",
                         Shards(plan.shards_for_links), Shards(plan.shards_for_cores));
  Bound first = Bound::kWorkers;
  for (const Bound bound : {Bound::kShardLinks, Bound::kShardCores, Bound::kCoordinator})
    if (WorkersAt(plan, bound, machines) < WorkersAt(plan, first, machines)) first = bound;
  std::cout << absl::StrFormat("breaks first %s, at %.4g workers with %d shards\n\n", Name(first),
                               WorkersAt(plan, first, machines), shards);
}

// With as many shards as each number of workers needs.
absl::Status PrintGrowth(RunDescription description, int64_t input_dim, Machines machines) {
  std::cout << "workers  asked/s  shards for links, cores  expected/s  memory of a shard  bounded by\n";
  for (const int64_t workers : {int64_t{10}, int64_t{100}, int64_t{1000}, int64_t{10000}}) {
    machines.workers = workers;
    description.mutable_cluster()->set_shards(1);
    ASSIGN_OR_RETURN(Plan plan, MakePlan(description, input_dim, machines));
    const int64_t links = plan.shards_for_links, cores = plan.shards_for_cores;
    description.mutable_cluster()->set_shards(
        static_cast<int32_t>(std::min({std::max(links, cores), plan.parameters, int64_t{1} << 16})));
    ASSIGN_OR_RETURN(plan, MakePlan(description, input_dim, machines));
    std::cout << absl::StrFormat("%7d  %7.4g  %16s, %5s  %10.4g  %17s  %s\n", workers, plan.asked,
                                 Shards(links), Shards(cores), plan.updates, Bytes(plan.shard_memory),
                                 Name(plan.bound));
  }
  return absl::OkStatus();
}

absl::Status Run(const CommandLine& command_line) {
  RunDescription description;
  RETURN_IF_ERROR(ApplyCommandLine(command_line, &description));
  // What a plan has no need of: a budget, and data that are there.
  RunDescription whole = description;
  if (!whole.data().has_mnist_dir()) {
    whole.mutable_data()->set_train_dir("unread");
    whole.mutable_data()->set_test_dir("unread");
  }
  whole.mutable_budget()->set_updates(1);
  RETURN_IF_ERROR(ValidateRunDescription(whole));
  Machines machines;
  ASSIGN_OR_RETURN(machines.workers, FlagFrom(FLAGS_workers, 0));
  ASSIGN_OR_RETURN(machines.shard_cores, FlagFrom(FLAGS_shard_cores, 1));
  ASSIGN_OR_RETURN(const int feature_dim, FlagFrom(FLAGS_feature_dim, 1));
  if (machines.workers == 0) machines.workers = description.cluster().replicas();
  const std::string link = absl::GetFlag(FLAGS_link), worker_link = absl::GetFlag(FLAGS_worker_link);
  ASSIGN_OR_RETURN(machines.shard_bytes_per_s, ParseLink(link));
  ASSIGN_OR_RETURN(machines.worker_bytes_per_s, ParseLink(worker_link.empty() ? link : worker_link));
  const DataDescription& data = description.data();
  if (data.classes() == 0) {
    return absl::InvalidArgumentError(
        "data.classes is 0 (from the data), which are not read here: want --data.classes=N");
  }
  const int64_t input_dim = data.has_mnist_dir()
                                ? feature_dim
                                : (int64_t{data.left_context()} + 1 + data.right_context()) * feature_dim;
  ASSIGN_OR_RETURN(const Plan plan, MakePlan(description, input_dim, machines));
  PrintPlan(description, machines, plan);
  return PrintGrowth(description, input_dim, machines);
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  return downpour::RunProgram(argc, argv,
                              {"downpour-plan", downpour::kUsage, downpour::Run,
                               downpour::Program::kRunDescription, /*looks_at_interrupts=*/false});
}
