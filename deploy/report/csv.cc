// Where on the data's way: the report; splits a CSV log into fields, and leaves out what is damaged.
#include "deploy/report/csv.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace downpour {
namespace {

// Appends the numbers of a line to `row`. Returns why it is not a row of `width` numbers; empty if it is.
std::string ParseRow(absl::string_view line, size_t width, std::vector<std::optional<double>>* row) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ',');
  if (fields.size() != width) return absl::StrCat(fields.size(), " fields where the header has ", width);
  for (absl::string_view field : fields) {
    field = absl::StripAsciiWhitespace(field);
    double value = 0;
    if (field.empty()) {
      row->push_back(std::nullopt);
    } else if (!absl::SimpleAtod(field, &value)) {
      return absl::StrCat("\"", field.substr(0, 20), "\" is not a number");
    } else {
      // A run that has diverged has a loss that is NaN or infinite, but its accuracy is still a number.
      row->push_back(std::isfinite(value) ? std::optional(value) : std::nullopt);
    }
  }
  return "";
}

}  // namespace

std::optional<double> CsvTable::Get(size_t row, absl::string_view column) const {
  const auto found = std::find(columns.begin(), columns.end(), column);
  return found == columns.end() ? std::nullopt : rows[row][found - columns.begin()];
}

std::vector<std::pair<double, double>> CsvTable::Points(absl::string_view x, absl::string_view y) const {
  std::vector<std::pair<double, double>> points;
  for (size_t row = 0; row < rows.size(); ++row) {
    const std::optional<double> at_x = Get(row, x), at_y = Get(row, y);
    if (at_x && at_y) points.emplace_back(*at_x, *at_y);
  }
  return points;
}

std::optional<double> CsvTable::Last(absl::string_view column) const {
  for (size_t row = rows.size(); row-- > 0;) {
    if (const std::optional<double> value = Get(row, column)) return value;
  }
  return std::nullopt;
}

std::optional<double> CsvTable::Max(absl::string_view column) const {
  std::optional<double> largest;
  for (size_t row = 0; row < rows.size(); ++row) {
    const std::optional<double> value = Get(row, column);
    if (value && (!largest || *value > *largest)) largest = value;
  }
  return largest;
}

CsvTable ParseCsv(absl::string_view text, absl::string_view name) {
  CsvTable table;
  std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  const bool cut = !lines.back().empty();
  for (size_t i = 0; i < lines.size(); ++i) {
    const absl::string_view line = absl::StripAsciiWhitespace(lines[i]);
    if (line.empty()) continue;
    const bool last_is_cut = cut && i + 1 == lines.size();
    if (table.columns.empty() && !last_is_cut) {
      table.columns = absl::StrSplit(line, ',');
      continue;
    }
    std::vector<std::optional<double>> row;
    const std::string fault = last_is_cut ? "it breaks off" : ParseRow(line, table.columns.size(), &row);
    if (fault.empty()) {
      table.rows.push_back(std::move(row));
    } else {
      table.notes.push_back(absl::StrCat(name, ":", i + 1, ": line left out: ", fault));
    }
  }
  return table;
}

}  // namespace downpour
