// Where on the data's way: at its end; the report's page around its figures and table.
#ifndef DOWNPOUR_DEPLOY_REPORT_HTML_H_
#define DOWNPOUR_DEPLOY_REPORT_HTML_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace downpour {

// A table with one column a run. The first column names the rows.
struct TextTable {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  // each as long as `header`
};

std::string HtmlTable(const TextTable& table);
// For a terminal: columns two blanks apart, the first left-aligned, the others right-aligned. Text is UTF-8.
std::string PlainTable(const TextTable& table);

// `drawing` (markup) with a numbered caption (text) below.
std::string HtmlFigure(absl::string_view drawing, absl::string_view number, absl::string_view caption);

// A page that needs nothing but itself: no script, no font or style sheet from elsewhere; light, dark and
// print. `body` is markup, `title` text.
std::string HtmlPage(absl::string_view title, absl::string_view body);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_HTML_H_
