// Where on the data's way: from the coordinator to the run folder; evaluations become files for the report.
#ifndef DOWNPOUR_SERVER_COORDINATOR_RUN_LOG_H_
#define DOWNPOUR_SERVER_COORDINATOR_RUN_LOG_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "server/coordinator/evaluation_line.h"
#include "server/coordinator/run_observer.h"
#include "server/storage/append_file.h"

namespace downpour {

// Writes <folder>/run.textproto, the description with every override. Statuses as ReplaceFile().
absl::Status WriteRunDescription(const std::string& folder, const RunDescription& description);

// Keeps frame_accuracy.csv, staleness.csv, data_summary.textproto and a TensorBoard event file of the run
// folder. Thread-safe. The calls hand over to a thread of the log's own, which gives every line to the
// operating system as soon as it comes; a call blocks only while kMaxWaiting are waiting, that is when the
// disk hangs. A write that fails (a full disk) is logged and tried again with the next write and by Flush().
class RunLog final : public RunObserver {
 public:
  struct Options {
    std::string folder;  // made if it is not there
    // A resumed run keeps the lines that its checkpoint counts, cuts off the rest, and writes those again.
    CountedLines keep = {};
    Clock* wall_clock = Clock::Real();  // not owned; names the event file
    RunDescription description = {};    // for TensorBoard
  };
  static constexpr size_t kMaxWaiting = 256;

  // RESOURCE_EXHAUSTED, UNAVAILABLE: a file cannot be opened or written. DATA_LOSS: the frame_accuracy.csv
  // that is there has another form (FrameAccuracyToKeep); the message names the line.
  static absl::StatusOr<std::unique_ptr<RunLog>> Open(Options options);
  // Writes what is waiting.
  ~RunLog() override;

  void OnDataSummary(const DataSummary& data) override;
  void OnEvaluation(const EvaluationRecord& record) override;

  // Waits until what was handed over before is on the disk, tries once more what failed, and returns the
  // status of that. Call it before writing a checkpoint: no line that it counts may be lost in a crash.
  absl::Status Flush();

 private:
  // What is to be written; std::monostate: nothing new, what failed is tried again, and all is synced.
  using Entry = std::variant<std::monostate, DataSummary, EvaluationRecord>;

  RunLog(Options options, AppendFile csv, AppendFile events);
  void HandOver(Entry entry);
  void WriteEntries();
  // Called by the writer thread only, which alone uses the members from csv_ to data_summary_.
  absl::Status Write(const Entry& entry);
  // Replaces the file by `content` and clears that; does nothing if it is empty.
  absl::Status ReplaceOnce(absl::string_view name, std::string* content);

  const Options options_;
  AppendFile csv_;
  AppendFile events_;
  std::string staleness_;     // what staleness.csv is to hold; empty once it does
  std::string data_summary_;  // likewise of data_summary.textproto
  absl::Mutex mutex_;
  std::deque<Entry> waiting_ ABSL_GUARDED_BY(mutex_);  // the one being written stays at the front
  absl::Status last_write_ ABSL_GUARDED_BY(mutex_);
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread writer_;  // last: it uses all of the above
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_RUN_LOG_H_
