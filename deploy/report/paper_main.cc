// Where on the data's way: deploy/report, the program after deploy/paper's runs; puts them beside the paper.
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "common/file/file.h"
#include "common/program/run_program.h"
#include "common/status_macros.h"
#include "deploy/report/paper_report.h"

ABSL_FLAG(std::string, runs, "runs/paper",
          "folder with the runs of deploy/paper; report.html is written there");

namespace downpour {
namespace {

namespace fs = std::filesystem;

constexpr char kUsage[] =
    R"(Draws the runs that deploy/paper has made so far: each number that Zeiler 2012 prints of MNIST beside ours,
and Figures 1 and 2, in one self-contained page.

  downpour-paper [--runs=runs/paper])";

// The runs in the folder, by name; none where there is no such folder.
absl::StatusOr<std::vector<LoggedRun>> RunsIn(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (fs::exists(entry.path() / "run.textproto")) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<LoggedRun> runs;
  for (const fs::path& path : paths) {
    ASSIGN_OR_RETURN(runs.emplace_back(), ReadRun(path));
  }
  return runs;
}

absl::Status WriteReport(const CommandLine& command_line) {
  if (!command_line.positional.empty())
    return absl::InvalidArgumentError(
        absl::StrCat("an argument, '", command_line.positional[0], "', want none; see --help"));
  const fs::path folder = absl::GetFlag(FLAGS_runs);
  PaperRuns runs;
  for (const auto& [name, part] :
       {std::pair("tanh", &runs.tanh), std::pair("table1", &runs.table1), std::pair("table2", &runs.table2),
        std::pair("figure1", &runs.figure1), std::pair("figure2", &runs.figure2)}) {
    ASSIGN_OR_RETURN(*part, RunsIn(folder / name));
  }
  if (!runs.figure2.empty()) {
    const std::string path = runs.figure2[0].directory + "/samples.csv";
    const absl::StatusOr<std::string> text = ReadFile(path);
    if (!absl::IsNotFound(text.status())) RETURN_IF_ERROR(text.status());
    if (text.ok()) runs.samples = ParseCsv(*text, path);
  }
  const PaperReport report = MakePaperReport(runs);
  RETURN_IF_ERROR(ReplaceFile(folder / "report.html", {report.html}));
  for (const TextTable& table : report.tables) std::cout << PlainTable(table) << "\n";
  std::cout << (folder / "report.html").string() << "\n";
  return absl::OkStatus();
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  return downpour::RunProgram(argc, argv, {"downpour-paper", downpour::kUsage, downpour::WriteReport});
}
