// Where on the data's way: deploy/grid, after the runs; writes one line a run, as RFC 4180 has it.
#include "deploy/grid/grid_results.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace downpour {
namespace {

std::string Quoted(const std::string& name) {
  if (name.find_first_of(",\"\r\n") == std::string::npos) return name;
  return absl::StrCat("\"", absl::StrReplaceAll(name, {{"\"", "\"\""}}), "\"");
}

std::string OrEmpty(std::optional<double> value) { return value ? absl::StrFormat("%.10g", *value) : ""; }

}  // namespace

std::string SweepCsv(const GridDescription& grid, const std::vector<GridRun>& runs,
                     const std::vector<LoggedRun>& logs) {
  std::string csv;
  for (const GridDimension& dimension : grid.dimension())
    absl::StrAppend(&csv, Quoted(dimension.name()), ",");
  absl::StrAppend(&csv, "seed,final_accuracy,test_loss,updates,frames,virtual_s_to_16,virtual_s_to_20\n");
  for (size_t i = 0; i < runs.size(); ++i) {
    std::vector<std::string> fields;
    for (const std::string& value : runs[i].values) fields.push_back(Quoted(value));
    fields.push_back(absl::StrCat(runs[i].description.seed()));
    for (const std::optional<double> value :
         {FinalAccuracy(logs[i]), logs[i].log.Last("test_loss"), logs[i].log.Last("updates"),
          logs[i].log.Last("frames"), SecondsToAccuracy(0.16, logs[i]), SecondsToAccuracy(0.20, logs[i])}) {
      fields.push_back(OrEmpty(value));
    }
    absl::StrAppend(&csv, absl::StrJoin(fields, ","), "\n");
  }
  return csv;
}

}  // namespace downpour
