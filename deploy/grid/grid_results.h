// Where on the data's way: deploy/grid, after the runs; their logs come in, a table for programs goes out.
#ifndef DOWNPOUR_DEPLOY_GRID_GRID_RESULTS_H_
#define DOWNPOUR_DEPLOY_GRID_GRID_RESULTS_H_

#include <string>
#include <vector>

#include "deploy/grid/grid.h"
#include "deploy/report/logged_run.h"

namespace downpour {

// The content of sweep.csv: a header and one line for each run, logs[i] being that of runs[i]. Columns:
//   a column for each dimension          the name of its value
//   seed
//   final_accuracy                       FinalAccuracy() of deploy/report/logged_run.h, a fraction
//   test_loss                            of the last evaluation, in nats
//   updates,frames                       at the last evaluation
//   virtual_s_to_16,virtual_s_to_20      SecondsToAccuracy() of 0.16 and of 0.20
// A value that is not known is left empty. Names are quoted where CSV (RFC 4180) wants it.
std::string SweepCsv(const GridDescription& grid, const std::vector<GridRun>& runs,
                     const std::vector<LoggedRun>& logs);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_GRID_GRID_RESULTS_H_
