// Where on the data's way: the report; runs of a grid (optimizers, replica counts, noise) become one page.
#ifndef DOWNPOUR_DEPLOY_REPORT_SWEEP_REPORT_H_
#define DOWNPOUR_DEPLOY_REPORT_SWEEP_REPORT_H_

#include "deploy/report/report.h"

namespace downpour {

// The report of at least one run. The main figure shows final accuracy against the number of replicas, for
// the first kind of noise in `runs` (usually none), or by noise where all runs have the same number of
// replicas. A run's final accuracy is the mean of its last three evaluations, because a single one varies by
// more than the settings differ. Other settings are not told apart. The same runs give the same bytes.
Report MakeSweepReport(std::vector<LoggedRun> runs);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_SWEEP_REPORT_H_
