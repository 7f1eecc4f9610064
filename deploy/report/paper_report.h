// Where on the data's way: the report; the runs of deploy/paper come in, one page beside the paper goes out.
#ifndef DOWNPOUR_DEPLOY_REPORT_PAPER_REPORT_H_
#define DOWNPOUR_DEPLOY_REPORT_PAPER_REPORT_H_

#include <string>
#include <vector>

#include "deploy/report/html.h"
#include "deploy/report/logged_run.h"

namespace downpour {

// The runs of each part of deploy/paper; those that are not made yet are missing. A run counts once it has
// reached its budget. A value.
struct PaperRuns {
  std::vector<LoggedRun> tanh, table1, table2, figure1, figure2;
  CsvTable samples;  // samples.csv of figure2's run
};

struct PaperReport {
  std::string html;               // a page of its own, which loads nothing else
  std::vector<TextTable> tables;  // those of the page, for a terminal
};

// Zeiler 2012, sections 4.1 to 4.3, with each printed number beside ours: the test error after the last epoch,
// as mean and range over the runs with the same settings. A printed error below 10 % is reached within 0.3
// points, the others if ours is above 10 %, too; what is not reached is marked. The same runs give the same
// bytes.
PaperReport MakePaperReport(const PaperRuns& runs);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_PAPER_REPORT_H_
