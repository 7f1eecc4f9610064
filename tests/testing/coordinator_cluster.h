// Where on the data's way: for tests of server/coordinator/: a coordinator with its shards registered, and
// replicas that report to it.
#ifndef DOWNPOUR_TESTS_TESTING_COORDINATOR_CLUSTER_H_
#define DOWNPOUR_TESTS_TESTING_COORDINATOR_CLUSTER_H_

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/coordinator/coordinator.h"
#include "tests/testing/fake_clock.h"

namespace downpour {

class RecordingObserver final : public RunObserver {
 public:
  void OnDataSummary(const DataSummary& data) override { summaries.push_back(data); }
  void OnEvaluation(const EvaluationRecord& record) override { records.push_back(record); }

  std::vector<DataSummary> summaries;
  std::vector<EvaluationRecord> records;
};

// A run of 10 utterances of 100 frames each in 5 slices, on 2 shards, with an evaluation every 10 updates. A
// replica that is silent for 30 s counts as dead.
inline RunDescription SmallRun() {
  RunDescription description;
  description.mutable_data()->set_train_dir("train");
  description.mutable_data()->set_slice_frames(200);
  description.mutable_network()->add_hidden_width(8);
  description.mutable_cluster()->set_shards(2);
  description.mutable_cluster()->set_replica_timeout_s(30);
  description.mutable_budget()->set_updates(100);
  description.mutable_evaluation()->set_every_updates(10);
  return description;
}

inline DataSummary SmallData() {
  DataSummary data;
  data.set_input_dim(6);
  data.set_classes(4);
  data.set_utterances(10);
  data.set_frames(1000);
  data.set_fingerprint(0xfeed);
  return data;
}

inline JoinRequest SmallJoin(const std::string& host) {
  JoinRequest request;
  *request.mutable_data() = SmallData();
  request.set_host(host);
  return request;
}

// What one replica says to the coordinator.
class FakeReplica {
 public:
  explicit FakeReplica(const JoinReply& joined) {
    report.set_replica_id(joined.replica_id());
    report.set_incarnation(joined.incarnation());
    report.set_token(joined.token());
  }

  // Makes `updates` pushes of one minibatch of 10 frames each at a loss of 2 nats a frame.
  FakeReplica& Push(int updates, uint64_t staleness = 0) {
    pushes_.insert(pushes_.end(), updates, staleness);
    return *this;
  }
  // One more minibatch, for which the caller counts a push.
  ReportRequest& AddMinibatch() {
    report.set_minibatches(report.minibatches() + 1);
    report.set_frames(report.frames() + 10);
    return report;
  }

  // Sends a report for each push, as a replica does, and one if there is none. Returns the last reply.
  absl::StatusOr<ReportReply> Report(Coordinator& coordinator, bool wants_slice = false) {
    if (!pushes_.empty()) {
      AddMinibatch().set_pushes_applied(report.pushes_applied() + 1);
      report.set_loss_sum(report.loss_sum() + 20);
      report.add_staleness(pushes_.front());
      pushes_.erase(pushes_.begin());
    }
    report.set_report(report.report() + 1);
    report.set_wants_slice(wants_slice && pushes_.empty());
    sent = report;
    report.clear_staleness();
    report.clear_finished();
    absl::StatusOr<ReportReply> reply = coordinator.Report(sent);
    return reply.ok() && !pushes_.empty() ? Report(coordinator, wants_slice) : reply;
  }

  ReportRequest report;  // the next one
  ReportRequest sent;    // the last one

 private:
  std::vector<uint64_t> pushes_;  // not reported yet, by staleness
};

class CoordinatorTest : public ::testing::Test {
 protected:
  // Makes a coordinator of `description` that knows its data and its shards.
  void Start(const RunDescription& description) {
    Create(description);
    EXPECT_EQ(coordinator->Join(SmallJoin("host")).status().code(), absl::StatusCode::kUnavailable);
    for (int shard = 0; shard < description.cluster().shards(); ++shard) {
      ASSERT_TRUE(coordinator->RegisterShard({}).ok());
    }
  }

  void Create(const RunDescription& description) {
    auto created = Coordinator::Create(OptionsFor(description));
    ASSERT_TRUE(created.ok()) << created.status();
    coordinator = *std::move(created);
  }

  Coordinator::Options OptionsFor(const RunDescription& description) {
    return {description, "run-1", &clock, &wall_clock, &observer};
  }

  FakeReplica Join(const std::string& host = "host") {
    const auto joined = coordinator->Join(SmallJoin(host));
    EXPECT_TRUE(joined.ok()) << joined.status();
    return FakeReplica(joined.value_or(JoinReply()));
  }

  RunStatus Status() { return coordinator->GetRunStatus({}).value(); }

  FakeClock clock;
  FakeClock wall_clock{absl::FromUnixSeconds(1000)};
  RecordingObserver observer;
  std::unique_ptr<Coordinator> coordinator;
};

// The status, or the StatusOr's status, has the code, and its message contains the text.
MATCHER_P2(FailsWith, code, text, "") {
  return arg.status().code() == code && std::string(arg.status().message()).find(text) != std::string::npos;
}

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_COORDINATOR_CLUSTER_H_
