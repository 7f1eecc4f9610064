// Where on the data's way: at its end; the run folder's logs, read for the report.
#ifndef DOWNPOUR_DEPLOY_REPORT_CSV_H_
#define DOWNPOUR_DEPLOY_REPORT_CSV_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace downpour {

// Numbers under named columns; an empty field is absent. A value.
struct CsvTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<double>>> rows;  // each as long as `columns`
  std::vector<std::string> notes;                        // one for each line left out, with file and line

  // Absent where the column is not there.
  std::optional<double> Get(size_t row, absl::string_view column) const;
  // (x, y) of the rows that have both.
  std::vector<std::pair<double, double>> Points(absl::string_view x, absl::string_view y) const;
  // The last value there is in a column.
  std::optional<double> Last(absl::string_view column) const;
  std::optional<double> Max(absl::string_view column) const;
};

// Takes any bytes. NaN and infinity count as absent. A line that is not of the header's width, holds
// something other than numbers, or lacks its newline (its writer was stopped in the middle) is left out and
// noted; `name` stands for the file in the notes.
CsvTable ParseCsv(absl::string_view text, absl::string_view name);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_CSV_H_
