// Where on the data's way: the report; a run folder's CSV log comes in, a table of numbers goes out.
#ifndef DOWNPOUR_DEPLOY_REPORT_CSV_H_
#define DOWNPOUR_DEPLOY_REPORT_CSV_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace downpour {

// Numbers in named columns; a field may be empty. A value.
struct CsvTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<double>>> rows;  // each as long as `columns`
  std::vector<std::string> notes;  // one for each line that was left out, with file and line number

  // No value where the field is empty or the table has no such column, as with the log of an older version.
  std::optional<double> Get(size_t row, absl::string_view column) const;
  // (x, y) of each row that has both values.
  std::vector<std::pair<double, double>> Points(absl::string_view x, absl::string_view y) const;
  // The last value of a column, and the largest. No value where the column has none.
  std::optional<double> Last(absl::string_view column) const;
  std::optional<double> Max(absl::string_view column) const;
};

// Takes any bytes. The first line names the columns. NaN and infinity count as empty fields. A line is left
// out, with a note, if it has not as many fields as the header, if a field is not a number, or if it has no
// newline because its writer was stopped in the middle. `name` is what the notes call the file.
CsvTable ParseCsv(absl::string_view text, absl::string_view name);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_CSV_H_
