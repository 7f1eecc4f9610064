// Where on the data's way: at its end; run folders become the figures and the table that a person looks at.
#ifndef DOWNPOUR_DEPLOY_REPORT_REPORT_H_
#define DOWNPOUR_DEPLOY_REPORT_REPORT_H_

#include <string>
#include <vector>

#include "deploy/report/html.h"
#include "deploy/report/logged_run.h"

namespace downpour {

struct Report {
  std::string html;   // report.html: all figures, the table, and what could not be read
  std::string svg;    // report.svg: the main figure alone
  TextTable results;  // the table, for a terminal too
};

// Of at least one run. Depends on `runs` alone, so the same run folders give the same bytes. Runs of one name
// are told apart by folder.
Report MakeReport(std::vector<LoggedRun> runs);

// What could not be read of the runs, as markup; empty where all could.
std::string NotesOf(const std::vector<LoggedRun>& runs);
// A drawing with its style, for a file of its own.
std::string StandAlone(const std::string& drawing);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_REPORT_H_
