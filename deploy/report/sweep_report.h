// Where on the data's way: at its end; the runs of a grid (optimizers, replica counts, noise) on one page.
#ifndef DOWNPOUR_DEPLOY_REPORT_SWEEP_REPORT_H_
#define DOWNPOUR_DEPLOY_REPORT_SWEEP_REPORT_H_

#include <vector>

#include "deploy/report/logged_run.h"
#include "deploy/report/report.h"

namespace downpour {

// Of at least one run. The main figure is final accuracy against the replica count without noise or, where all
// have one count, by noise. A run's final accuracy here is the mean of its last three evaluations: one swings by
// more than the settings differ. Runs that differ in other settings than these are drawn side by side all the
// same. Depends on `runs` alone.
Report MakeSweepReport(std::vector<LoggedRun> runs);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_SWEEP_REPORT_H_
