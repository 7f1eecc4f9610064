// Where on the data's way: the report; runs of a grid (optimizers, replicas, noise, seeds) become one page.
#ifndef DOWNPOUR_DEPLOY_REPORT_SWEEP_REPORT_H_
#define DOWNPOUR_DEPLOY_REPORT_SWEEP_REPORT_H_

#include "deploy/report/report.h"

namespace downpour {

// The report of at least one run. The main figure shows final accuracy against the number of replicas, for
// the first kind of noise in `runs` (usually none), or by noise where all runs have the same number of
// replicas, or against the frames trained on where they also have the same noise. A run's final accuracy is
// FinalAccuracy() of deploy/report/logged_run.h. Fields other than replicas and noise that differ are told
// with the optimizer. Of runs that differ in seed only, the table has the means, and the figures the mean
// final accuracy and its range. The same runs give the same bytes.
Report MakeSweepReport(std::vector<LoggedRun> runs);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_SWEEP_REPORT_H_
