// Where on the data's way: from the coordinator to the run's log; what the coordinator tells it.
#ifndef DOWNPOUR_SERVER_COORDINATOR_RUN_OBSERVER_H_
#define DOWNPOUR_SERVER_COORDINATOR_RUN_OBSERVER_H_

#include "proto/checkpoint.pb.h"
#include "server/coordinator/evaluation_schedule.h"
#include "server/coordinator/staleness_histogram.h"

namespace downpour {

// One line of frame_accuracy.csv.
struct EvaluationRecord {
  EvaluationPoint point;         // the run when the evaluation was handed out
  ReportedSpan reported;         // since the line before
  EvaluationResult result;       // what the evaluator found
  StalenessHistogram staleness;  // of the whole run
};

// Called by the coordinator outside its lock, one call at a time, in order. A call must be cheap: it may run
// in a gRPC callback, so it must not touch the disk.
class RunObserver {
 public:
  virtual ~RunObserver() = default;

  // Once in a run, before the first evaluation.
  virtual void OnDataSummary(const DataSummary& data) = 0;
  virtual void OnEvaluation(const EvaluationRecord& record) = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_RUN_OBSERVER_H_
