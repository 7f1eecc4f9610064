// Where on the data's way: the report; runs as read from their folders come in, the page and its main figure
// go out.
#ifndef DOWNPOUR_DEPLOY_REPORT_REPORT_H_
#define DOWNPOUR_DEPLOY_REPORT_REPORT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "deploy/report/histogram.h"
#include "deploy/report/html.h"
#include "deploy/report/logged_run.h"

namespace downpour {

struct Report {
  std::string html;   // report.html: all figures, the table, and what could not be read
  std::string svg;    // report.svg: the main figure alone
  TextTable results;  // the table, with one column a run or, of a sweep, one row
};

// The report of at least one run. It depends on `runs` alone, so the same run folders give the same bytes.
// Where several runs have the same name, the folder is added to it.
Report MakeReport(std::vector<LoggedRun> runs);

// A drawing (markup) and its caption (text).
using Figure = std::pair<std::string, std::string>;
// The page's markup below its introduction: the numbered figures, the table after the first, and what could
// not be read of the runs.
std::string ReportBody(const std::vector<Figure>& figures, const TextTable& results,
                       const std::vector<LoggedRun>& runs);
// The histogram of a run's staleness, with a mark at the mean. `whose` is the end of its title. Histograms
// with the same `largest` have the same x axis if no staleness is larger.
Histogram StalenessOf(const LoggedRun& run, absl::string_view whose, double largest);
// A drawing with its style sheet inside, for a file of its own.
std::string StandAlone(const std::string& drawing);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_REPORT_H_
