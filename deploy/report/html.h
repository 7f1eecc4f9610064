// Where on the data's way: the report; drawings, captions and a table come in, an HTML page goes out.
#ifndef DOWNPOUR_DEPLOY_REPORT_HTML_H_
#define DOWNPOUR_DEPLOY_REPORT_HTML_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace downpour {

// A table. The first column names the rows.
struct TextTable {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  // each as long as `header`
};

std::string HtmlTable(const TextTable& table);
// For a terminal: columns are two blanks apart, the first is aligned left, the others right. Text is UTF-8.
std::string PlainTable(const TextTable& table);

// `drawing` (markup) with a numbered caption (text) under it.
std::string HtmlFigure(absl::string_view drawing, absl::string_view number, absl::string_view caption);

// A page that loads nothing else, neither script, font nor style sheet. It has a light and a dark scheme and
// can be printed. `body` is markup, `title` text.
std::string HtmlPage(absl::string_view title, absl::string_view body);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_HTML_H_
