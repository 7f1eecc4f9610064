// Where on the data's way: for tests, a whole run in virtual time: runs a virtual cluster and returns what
// became of it.
#ifndef DOWNPOUR_TESTS_TESTING_VIRTUAL_RUN_H_
#define DOWNPOUR_TESTS_TESTING_VIRTUAL_RUN_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "deploy/in_process/virtual_cluster.h"
#include "gtest/gtest.h"
#include "server/coordinator/run_observer.h"
#include "tests/testing/synthetic_data.h"

namespace downpour {

// What a run leaves behind, without the wall clock's times.
struct VirtualRunResult {
  std::vector<float> parameters;
  std::vector<std::string> lines;  // one for each evaluation: everything in it
  std::vector<EvaluationRecord> records;
  absl::Status status;

  friend bool operator==(const VirtualRunResult& a, const VirtualRunResult& b) {
    return a.parameters == b.parameters && a.lines == b.lines && a.status == b.status;
  }
};

class RecordKeeper final : public RunObserver {
 public:
  explicit RecordKeeper(VirtualRunResult* result) : result_(result) {}
  void OnDataSummary(const DataSummary&) override {}
  void OnEvaluation(const EvaluationRecord& record) override {
    EvaluationPoint point = record.point;
    point.clear_wall_s();
    point.clear_unix_time_s();
    result_->lines.push_back(point.ShortDebugString() + " | " + record.result.ShortDebugString() + " | " +
                             record.reported.staleness.Save().ShortDebugString() + " | " +
                             record.reported.gradient_noise.Save().ShortDebugString() + " | " +
                             std::to_string(record.reported.loss_sum));
    result_->records.push_back(record);
  }

 private:
  VirtualRunResult* result_;
};

struct VirtualRunOptions {
  int threads = 1;
  std::string checkpoint_path = {};
  int64_t stop_at_event = -1;                              // -1: runs to its end
  std::function<void(int64_t)> at_event = [](int64_t) {};  // called before each event, from 0 on
  Clock* wall_clock = Clock::Real();
  const VirtualClusterSnapshot* resume_from = nullptr;
  std::shared_ptr<const RunData> data = SyntheticRunData();
};

inline VirtualRunResult RunVirtually(const RunDescription& description, VirtualRunOptions options = {}) {
  VirtualRunResult result;
  RecordKeeper keeper(&result);
  int64_t events = 0;
  VirtualCluster::Options cluster_options;
  cluster_options.description = description;
  cluster_options.run_id = "run-1";
  cluster_options.data = options.data;
  cluster_options.threads = options.threads;
  cluster_options.checkpoint_path = options.checkpoint_path;
  cluster_options.observer = &keeper;
  cluster_options.wall_clock = options.wall_clock;
  cluster_options.stopped = [&] {
    options.at_event(events);
    return events++ == options.stop_at_event;
  };
  auto cluster = VirtualCluster::Create(std::move(cluster_options), options.resume_from);
  result.status = cluster.status();
  if (!cluster.ok()) return result;
  result.status = (*cluster)->Run();
  result.parameters = (*cluster)->Parameters();
  return result;
}

// The run stopped at the event, and its checkpoint, whose file is named after the test.
inline VirtualClusterSnapshot StoppedAt(const RunDescription& description, int64_t event) {
  VirtualRunOptions options;
  options.checkpoint_path =
      ::testing::TempDir() + ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".ckpt";
  options.stop_at_event = event;
  EXPECT_TRUE(absl::IsCancelled(RunVirtually(description, options).status));
  return ReadVirtualCluster(options.checkpoint_path).value();
}

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_VIRTUAL_RUN_H_
