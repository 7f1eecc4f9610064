// Where on the data's way: deploy/report, the program after or during runs; turns their folders into a page.
#include <filesystem>
#include <iostream>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "common/file/file.h"
#include "common/program/run_program.h"
#include "common/status_macros.h"
#include "deploy/report/sweep_report.h"

ABSL_FLAG(std::string, out, "",
          "where to write the page; the main figure has the same name with .svg; empty: report.html in the "
          "folder that holds the run folders");
ABSL_FLAG(bool, sweep, false,
          "the runs are a grid of optimizers, replica counts and noise: draw final accuracy against replicas "
          "and by noise");

namespace downpour {
namespace {

namespace fs = std::filesystem;

constexpr char kUsage[] =
    R"(Draws one or several runs: test frame accuracy against updates and time, loss, accuracy on human
speech, staleness histograms and a table, in one self-contained page. The main figure is also written next to
the page, as SVG. A run may still be going on; what cannot be read is noted on the page.

  downpour-report [--out=report.html] RUN_DIR...
  downpour-report --sweep RUN_DIR...          (deploy/sweep makes such runs))";

// report.html in the deepest folder that holds every run folder.
fs::path DefaultOut(const std::vector<std::string>& directories) {
  fs::path common = fs::absolute(directories[0]).lexically_normal();
  if (!common.has_filename()) common = common.parent_path();
  common = common.parent_path();
  for (const std::string& directory : directories) {
    const fs::path path = fs::absolute(directory).lexically_normal();
    while (common != common.root_path() && *path.lexically_relative(common).begin() == "..")
      common = common.parent_path();
  }
  return (common / "report.html").lexically_relative(fs::current_path());
}

absl::Status WriteReport(const CommandLine& command_line) {
  const std::vector<std::string>& directories = command_line.positional;
  if (directories.empty())
    return absl::InvalidArgumentError("no argument, want the folder of one run or more; see --help");
  fs::path out = absl::GetFlag(FLAGS_out);
  if (out.empty()) out = DefaultOut(directories);
  fs::path figure = out;
  figure.replace_extension(".svg");
  if (figure == out) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--out is ", out.string(), ", want the name of the page; the figure has the same name with .svg"));
  }
  std::vector<LoggedRun> runs;
  for (const std::string& directory : directories) {
    ASSIGN_OR_RETURN(LoggedRun run, ReadRun(directory));
    runs.push_back(std::move(run));
  }
  const Report report =
      absl::GetFlag(FLAGS_sweep) ? MakeSweepReport(std::move(runs)) : MakeReport(std::move(runs));
  RETURN_IF_ERROR(ReplaceFile(out.string(), {report.html}));
  RETURN_IF_ERROR(ReplaceFile(figure.string(), {report.svg}));
  std::cout << PlainTable(report.results) << "\n" << out.string() << "\n" << figure.string() << "\n";
  return absl::OkStatus();
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  return downpour::RunProgram(argc, argv,
                              {"downpour-report", downpour::kUsage, downpour::WriteReport,
                               downpour::Program::kPaths, /*looks_at_interrupts=*/false});
}
