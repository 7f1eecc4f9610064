// Where on the data's way: a coordinator and two shards that fail as a test says.
#ifndef DOWNPOUR_TESTS_UNIT_WORKER_FAKE_CLUSTER_H_
#define DOWNPOUR_TESTS_UNIT_WORKER_FAKE_CLUSTER_H_

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/layout/shard_map.h"
#include "gtest/gtest.h"
#include "tests/testing/synthetic_data.h"
#include "worker/network/network.h"
#include "worker/replica/coordinator_client.h"
#include "worker/replica/shard_client.h"

namespace downpour {

// A coordinator and two shards of SyntheticRun(), at the addresses "s0" and "s1". Deals one slice with all
// the data, and says STOP after the fifth applied push, or after the second evaluation. For one thread.
struct FakeCluster final : public CoordinatorClient {
  FakeCluster() {
    const auto network = Network::Create(
        {.network = description.network(), .input_dim = 2, .classes = kSyntheticClasses, .max_frames = 20});
    run.set_run_id("run");
    run.set_layout_fingerprint((*network)->layout().fingerprint());
    for (const KeyRange& range : {ShardMap::Create((*network)->layout().size(), 2)->range(0),
                                  ShardMap::Create((*network)->layout().size(), 2)->range(1)}) {
      ranges.push_back(range);
    }
  }

  absl::StatusOr<JoinReply> Join(const JoinRequest& request) override {
    JoinReply reply;
    *reply.mutable_run() = run;
    *reply.mutable_description() = description;
    *reply.mutable_data() = data->summary;
    for (uint32_t shard = 0; shard < known_at.size(); ++shard) {
      reply.add_shards()->set_shard(shard);
      reply.mutable_shards(shard)->set_address(known_at[shard]);
    }
    if (request.evaluator()) {
      ++lookups;
      on_lookup();
      return reply;
    }
    joins.push_back(request);
    reply.set_replica_id(100 + joins.size());
    reply.set_incarnation(joins.size());
    return reply;
  }
  absl::StatusOr<ReportReply> Report(const ReportRequest& request) override {
    reports.push_back(request);
    const absl::Status status = on_report();
    if (!status.ok()) return status;
    ReportReply reply;
    if (request.pushes_applied() >= 5) reply.set_directive(ReportReply::STOP);
    if (request.wants_slice()) reply.mutable_slice()->set_end(40);
    return reply;
  }
  absl::StatusOr<LeaveReply> Leave(const LeaveRequest&) override {
    ++leaves;
    return LeaveReply();
  }
  absl::StatusOr<NextEvaluationReply> NextEvaluation(const NextEvaluationRequest&) override {
    NextEvaluationReply reply;
    if (evaluations.size() == 2) {
      reply.set_directive(NextEvaluationReply::STOP);
    } else if (std::exchange(evaluations_handed_out, evaluations.size() + 1) > evaluations.size()) {
      reply.set_directive(NextEvaluationReply::WAIT);  // the result of the last one has not come yet
    }
    return reply;
  }
  absl::StatusOr<RecordEvaluationReply> RecordEvaluation(const EvaluationResult& result) override {
    evaluations.push_back(result);
    return RecordEvaluationReply();
  }
  absl::StatusOr<RunStatus> GetRunStatus(const RunStatusRequest&) override {
    RunStatus status;
    status.set_phase(finished ? RunStatus::FINISHED : RunStatus::TRAINING);
    return status;
  }
  absl::StatusOr<DescribeReply> Describe(const DescribeRequest&) override { return described; }

  ShardConnector Connector();

  std::shared_ptr<const RunData> data = SyntheticRunData();
  RunDescription description = SyntheticRun();
  DescribeReply described;
  RunIdentity run;
  std::vector<KeyRange> ranges;
  std::vector<std::string> known_at = {"s0", "s1"};               // as the coordinator knows them
  std::map<std::string, int> really_at = {{"s0", 0}, {"s1", 1}};  // which shard answers at which address
  bool finished = false;
  std::function<absl::Status()> on_report = [] { return absl::OkStatus(); };
  std::function<void()> on_lookup = [] {};
  // Called after shard 0 has applied a push.
  std::function<absl::Status()> on_push = [] { return absl::OkStatus(); };
  int bad_fetch = 0;  // this fetch from shard 0, counted from 1, brings NaN; the others bring 0

  std::vector<JoinRequest> joins;  // of replicas
  std::vector<ReportRequest> reports;
  std::vector<EvaluationResult> evaluations;
  size_t evaluations_handed_out = 0;
  std::vector<PushHeader> pushes;   // that shard 0 has received, repeats included
  bool pushed_in_bfloat16 = false;  // the last of them
  std::string trace;                // what shard 0 has received: F for a fetch, P for a push
  int lookups = 0;
  int leaves = 0;
};

class FakeShardClient final : public ShardClient {
 public:
  FakeShardClient(FakeCluster* cluster, std::string address, KeyRange range)
      : cluster_(cluster), address_(std::move(address)), range_(range) {}

  KeyRange range() const override { return range_; }
  absl::StatusOr<PushOutcome> Push(const PushHeader& header, const PushPlanes& planes) override {
    const int shard = Find();
    if (shard < 0) return absl::UnavailableError("nobody there");
    if (cluster_->ranges[shard].begin != range_.begin) return absl::OutOfRangeError("of another shard");
    if (shard == 1) return PushOutcome{};
    cluster_->pushes.push_back(header);
    cluster_->pushed_in_bfloat16 = planes.gradient().is_bfloat16();
    cluster_->trace += 'P';
    const absl::Status status = cluster_->on_push();
    if (!status.ok()) return status;
    return PushOutcome{};
  }
  absl::StatusOr<uint64_t> Fetch(MutableTensorView parameters) override {
    const int shard = Find();
    if (shard < 0) return absl::UnavailableError("nobody there");
    if (cluster_->ranges[shard].begin != range_.begin) return absl::DataLossError("of another shard");
    if (shard == 0) cluster_->trace += 'F';
    const bool bad =
        shard == 0 && std::count(cluster_->trace.begin(), cluster_->trace.end(), 'F') == cluster_->bad_fetch;
    std::fill(parameters.floats().begin(), parameters.floats().end(),
              bad ? std::numeric_limits<float>::quiet_NaN() : 0.0f);
    return 1;
  }

 private:
  int Find() const {
    const auto found = cluster_->really_at.find(address_);
    return found == cluster_->really_at.end() ? -1 : found->second;
  }

  FakeCluster* cluster_;
  std::string address_;
  KeyRange range_;
};

inline ShardConnector FakeCluster::Connector() {
  return
      [this](const ShardAddress& address, const KeyRange& range, const RunKey&, const ClusterDescription&) {
        return std::make_unique<FakeShardClient>(this, address.address(), range);
      };
}

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_UNIT_WORKER_FAKE_CLUSTER_H_
