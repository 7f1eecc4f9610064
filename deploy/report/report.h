// Where on the data's way: the report; runs as read from their folders come in, a page and a figure go out.
#ifndef DOWNPOUR_DEPLOY_REPORT_REPORT_H_
#define DOWNPOUR_DEPLOY_REPORT_REPORT_H_

#include "deploy/report/charts.h"
#include "deploy/report/html.h"
#include "deploy/report/logged_run.h"

namespace downpour {

struct Report {
  std::string html;          // report.html: all figures, the table, and what could not be read
  std::string body;          // what that page has below its heading; not of a sweep
  std::string svg;           // report.svg: the main figure alone
  std::string speed_up_svg;  // of a sweep over numbers of replicas, one of them 1; else empty
  TextTable results;         // the table, with one column a run or, of a sweep, one row
};

// The report of at least one run. The same runs give the same bytes. The folder is added to equal names.
Report MakeReport(std::vector<LoggedRun> runs);

// A drawing (markup) and its caption (text).
using Figure = std::pair<std::string, std::string>;
// The page's markup below its introduction: numbered figures, the table after the first, the runs' notes.
std::string ReportBody(const std::vector<Figure>& figures, const TextTable& results,
                       const std::vector<LoggedRun>& runs);
// Histogram of a run's staleness, with a mark at the mean. `whose` ends the title; `largest` as Histogram's.
Histogram StalenessOf(const LoggedRun& run, absl::string_view whose, double largest);
// A drawing with its style sheet inside, for a file of its own.
std::string StandAlone(const std::string& drawing);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_REPORT_H_
