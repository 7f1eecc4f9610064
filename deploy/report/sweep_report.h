// Where on the data's way: the report; the runs of a grid (optimizers, replica counts, noise) come in, one
// page goes out.
#ifndef DOWNPOUR_DEPLOY_REPORT_SWEEP_REPORT_H_
#define DOWNPOUR_DEPLOY_REPORT_SWEEP_REPORT_H_

#include <vector>

#include "deploy/report/logged_run.h"
#include "deploy/report/report.h"

namespace downpour {

// The report of at least one run. The main figure shows final accuracy against the number of replicas, for
// the first kind of noise in `runs` (usually none), or by noise where all runs have the same number of
// replicas. A run's final accuracy is the mean of its last three evaluations, because a single one varies by
// more than the settings differ. Runs that differ in other settings are drawn as if they did not. The report
// depends on `runs` alone.
Report MakeSweepReport(std::vector<LoggedRun> runs);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_SWEEP_REPORT_H_
