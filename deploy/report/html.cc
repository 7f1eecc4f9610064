// Where on the data's way: the report; writes the HTML elements, and the style sheet into the page itself.
#include "deploy/report/html.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "deploy/report/chart_frame.h"
#include "deploy/report/format.h"

namespace downpour {
namespace {

constexpr char kStyle[] = R"(:root{color-scheme:light dark;--ink:#222;--soft:#666;--paper:#fff;--rule:#ddd}
@media screen and (prefers-color-scheme: dark){:root{--ink:#e6e6e6;--soft:#a2a6ad;--paper:#16181c;--rule:#363a41}}
body{margin:2.5rem auto;padding:0 1.2rem;max-width:60rem;background:var(--paper);color:var(--ink);
font:16px/1.5 "Helvetica Neue",Helvetica,Arial,"Liberation Sans",sans-serif}
h1{font-size:1.6rem;margin:0 0 .3rem}
p.about,figcaption,.notes{color:var(--soft)}
figure{margin:2.2rem 0;break-inside:avoid}
figure svg{display:block;max-width:100%;height:auto}
figcaption{max-width:46rem;font-size:.9rem;margin-top:.3rem}
figcaption b{color:var(--ink)}
.row{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:1.2rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;
border-top:2px solid var(--ink);border-bottom:2px solid var(--ink)}
th,td{padding:.28rem 0 .28rem 2rem;text-align:right}
th:first-child,td:first-child{text-align:left;padding-left:0;color:var(--soft)}
thead th{border-bottom:1px solid var(--ink)}
tbody tr+tr td{border-top:1px solid var(--rule)}
.notes{font-size:.9rem}
@media print{body{margin:0;max-width:none;font-size:11pt}}
)";

// The number of characters in UTF-8 text: that of the bytes that are not continuation bytes.
size_t Characters(absl::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

}  // namespace

std::string HtmlTable(const TextTable& table) {
  std::string html = "<div class=\"scroll\"><table>\n<thead><tr>";
  for (const std::string& cell : table.header) absl::StrAppend(&html, "<th>", EscapeMarkup(cell), "</th>");
  absl::StrAppend(&html, "</tr></thead>\n<tbody>\n");
  for (const auto& row : table.rows) {
    absl::StrAppend(&html, "<tr>");
    for (const std::string& cell : row) absl::StrAppend(&html, "<td>", EscapeMarkup(cell), "</td>");
    absl::StrAppend(&html, "</tr>\n");
  }
  return absl::StrCat(html, "</tbody></table></div>\n");
}

std::string PlainTable(const TextTable& table) {
  std::vector<std::vector<std::string>> lines = {table.header};
  lines.insert(lines.end(), table.rows.begin(), table.rows.end());
  std::vector<size_t> widths(table.header.size());
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], Characters(line[i]));
  }
  std::string text;
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      const std::string blanks(widths[i] - Characters(line[i]), ' ');
      absl::StrAppend(&text, i == 0 ? "" : "  ", i == 0 ? "" : blanks, line[i], i == 0 ? blanks : "");
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string HtmlFigure(absl::string_view drawing, absl::string_view number, absl::string_view caption) {
  return absl::StrCat("<figure>\n", drawing, "<figcaption><b>Figure ", EscapeMarkup(number), ".</b> ",
                      EscapeMarkup(caption), "</figcaption>\n</figure>\n");
}

std::string HtmlPage(absl::string_view title, absl::string_view body) {
  return absl::StrCat("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
                      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
                      EscapeMarkup(title), "</title>\n<style>\n", kStyle, DrawingStyle(/*dark=*/true),
                      "</style>\n</head>\n<body>\n<h1>", EscapeMarkup(title), "</h1>\n", body,
                      "</body>\n</html>\n");
}

}  // namespace downpour
