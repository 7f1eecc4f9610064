// Where on the data's way: the report; sorts runs into a grid, draws each row and column that has several.
#include "deploy/report/sweep_report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/program/update_rules.h"
#include "common/staleness_counts.h"
#include "deploy/report/format.h"

namespace downpour {
namespace {

constexpr char kAccuracy[] = "test_frame_accuracy";
constexpr size_t kFinalEvaluations = 3;

// A run with its place in the grid.
struct Cell {
  const LoggedRun* run;
  std::string optimizer;
  int replicas;
  std::string noise;
  std::optional<double> accuracy;  // final accuracy, as MakeSweepReport defines it
};

std::optional<double> FinalAccuracy(const LoggedRun& run) {
  const auto points = run.log.Points("updates", kAccuracy);
  if (points.empty()) return std::nullopt;
  const size_t count = std::min(kFinalEvaluations, points.size());
  double sum = 0;
  for (size_t i = points.size() - count; i < points.size(); ++i) sum += points[i].second;
  return sum / static_cast<double>(count);
}

// The different values of a member, in the order in which the runs first have them.
template <typename Value>
std::vector<Value> Seen(const std::vector<Cell>& cells, Value Cell::*member) {
  std::vector<Value> seen;
  for (const Cell& cell : cells) {
    if (std::find(seen.begin(), seen.end(), cell.*member) == seen.end()) seen.push_back(cell.*member);
  }
  return seen;
}

std::vector<Cell> Where(const std::vector<Cell>& cells, const auto& condition) {
  std::vector<Cell> found;
  std::copy_if(cells.begin(), cells.end(), std::back_inserter(found), condition);
  return found;
}

int ColorOf(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<int>(std::find(names.begin(), names.end(), name) - names.begin());
}

std::string AgainstReplicas(const std::vector<Cell>& cells, const std::vector<std::string>& optimizers,
                            const std::string& noise) {
  LineChart chart{"Final test frame accuracy against the number of replicas",
                  absl::StrCat("noise: ", noise, "; mean of the last three evaluations"),
                  "replicas (logarithmic)", "final test frame accuracy (%)"};
  chart.fractions = true;
  chart.log_x = true;
  for (const std::string& optimizer : optimizers) {
    LineChart::Line line{optimizer, ColorOf(optimizers, optimizer), false, {}};
    for (const Cell& cell : cells) {
      if (cell.optimizer == optimizer && cell.noise == noise && cell.accuracy)
        line.points.emplace_back(cell.replicas, *cell.accuracy);
    }
    std::sort(line.points.begin(), line.points.end());
    chart.lines.push_back(std::move(line));
  }
  return Draw(chart);
}

std::string ByNoise(const std::vector<Cell>& cells, const std::vector<std::string>& optimizers,
                    int replicas) {
  DotChart chart{"Final test frame accuracy by noise",
                 absl::StrCat(replicas, " replicas; mean of the last three evaluations"),
                 "final test frame accuracy (%)"};
  const std::vector<Cell> here = Where(cells, [&](const Cell& cell) { return cell.replicas == replicas; });
  for (const std::string& noise : Seen(here, &Cell::noise)) {
    DotChart::Row row{noise, {}};
    for (const Cell& cell : here) {
      if (cell.noise == noise && cell.accuracy)
        row.dots.push_back({cell.optimizer, ColorOf(optimizers, cell.optimizer), *cell.accuracy});
    }
    chart.rows.push_back(std::move(row));
  }
  return Draw(chart);
}

// Accuracy against frames, not updates, so that runs whose pushes are dropped or repeated can be compared.
std::string Curves(const std::vector<Cell>& cells, const std::string& title, const auto& name) {
  LineChart chart{title, "", "frames trained on", "test frame accuracy (%)"};
  chart.fractions = true;
  for (const Cell& cell : cells) {
    const int color = static_cast<int>(chart.lines.size());
    chart.lines.push_back(
        {name(cell), color, /*dashed=*/color >= 7, cell.run->log.Points("frames", kAccuracy)});
  }
  return Draw(chart);
}

// Only of the first optimizer's runs, because staleness depends on the cluster and not on the rule.
std::string StalenessFigures(const std::vector<Cell>& cells) {
  std::string drawings = "<div class=\"row\">\n";
  for (const Cell& cell : cells) {
    if (cell.optimizer != cells[0].optimizer) continue;
    const std::string whose = absl::StrCat(cell.replicas, cell.replicas == 1 ? " replica" : " replicas",
                                           cell.noise == "none" ? "" : absl::StrCat(", ", cell.noise));
    const double most = StalenessQuantile(cell.run->staleness, 0.999).value_or(0);
    absl::StrAppend(&drawings, Draw(StalenessOf(*cell.run, whose, most)));
  }
  return absl::StrCat(drawings, "</div>\n");
}

TextTable Results(const std::vector<Cell>& cells) {
  TextTable table;
  table.header = {
      "optimizer",       "replicas",        "noise",           "updates",           "final accuracy",
      "best accuracy",   "staleness, mean", "99th percentile", "gradient variance", "noise scale (frames)",
      "pushes rejected", "wall time"};
  for (const Cell& cell : cells) {
    const LoggedRun& run = *cell.run;
    table.rows.push_back(
        {cell.optimizer, absl::StrCat(cell.replicas), cell.noise, OrDash(run.log.Last("updates"), 0),
         OrDash(cell.accuracy, Percent), OrDash(run.log.Max(kAccuracy), Percent),
         OrDash(StalenessMean(run.staleness), 1), OrDash(StalenessQuantile(run.staleness, 0.99), 0),
         OrDash(run.log.Last("gradient_variance"), 4), OrDash(NoiseScaleFrames(run), 0),
         OrDash(run.log.Last("pushes_rejected"), 0), OrDash(run.log.Last("wall_s"), Seconds)});
  }
  return table;
}

// In the order of the page.
std::vector<Figure> Figures(const std::vector<Cell>& cells) {
  const std::vector<std::string> optimizers = Seen(cells, &Cell::optimizer);
  std::vector<Figure> figures;
  for (const std::string& noise : Seen(cells, &Cell::noise)) {
    const auto here = Where(cells, [&](const Cell& cell) { return cell.noise == noise; });
    if (Seen(here, &Cell::replicas).size() < 2) continue;
    figures.emplace_back(AgainstReplicas(cells, optimizers, noise),
                         "One line an optimizer, one point a run: what each number of replicas ends at.");
  }
  for (const int replicas : Seen(cells, &Cell::replicas)) {
    const auto here = Where(cells, [&](const Cell& cell) { return cell.replicas == replicas; });
    if (Seen(here, &Cell::noise).size() < 2) continue;
    figures.emplace_back(ByNoise(cells, optimizers, replicas), "One row a kind of noise, one dot a run.");
  }
  for (const std::string& optimizer : optimizers) {
    const auto here = Where(cells, [&](const Cell& cell) { return cell.optimizer == optimizer; });
    for (const std::string& noise : Seen(here, &Cell::noise)) {
      const auto lines = Where(here, [&](const Cell& cell) { return cell.noise == noise; });
      if (lines.size() < 2) continue;
      figures.emplace_back(Curves(lines, absl::StrCat(optimizer, ": accuracy by number of replicas"),
                                  [](const Cell& cell) { return absl::StrCat(cell.replicas); }),
                           absl::StrCat("One line a number of replicas; noise: ", noise, "."));
    }
    for (const int replicas : Seen(here, &Cell::replicas)) {
      const auto lines = Where(here, [&](const Cell& cell) { return cell.replicas == replicas; });
      if (lines.size() < 2) continue;
      figures.emplace_back(Curves(lines, absl::StrCat(optimizer, ": accuracy by noise"),
                                  [](const Cell& cell) { return cell.noise; }),
                           absl::StrCat("One line a kind of noise; ", replicas, " replicas."));
    }
  }
  figures.emplace_back(StalenessFigures(cells),
                       absl::StrCat("How many updates a shard applied between a replica's fetch and the push "
                                    "computed from it; the runs of ",
                                    cells[0].optimizer, "."));
  return figures;
}

}  // namespace

Report MakeSweepReport(std::vector<LoggedRun> runs) {
  std::vector<Cell> cells;
  for (const LoggedRun& run : runs) {
    const RunDescription& description = run.description;
    cells.push_back({&run, OptimizerText(description.optimizer()), description.cluster().replicas(),
                     NoiseText(description.noise()), FinalAccuracy(run)});
  }
  Report report;
  report.results = Results(cells);
  const auto figures = Figures(cells);
  report.svg = StandAlone(figures[0].first);
  const std::string about = absl::StrCat(
      "<p class=\"about\">", cells.size(), " runs; ",
      EscapeMarkup(NetworkText(runs[0].description.network())), ". Noise scale: tr(Σ)/|g|² of ",
      "McCandlish et al. 2018, the frames that would have to be averaged for the gradient's noise to be as ",
      "large as the gradient, measured across replicas in the second half of the run (–: the gradient ",
      "drowned); gradient variance: tr(Σ) of a push.</p>\n");
  report.html = HtmlPage("Downpour: a sweep", about + ReportBody(figures, report.results, runs));
  return report;
}

}  // namespace downpour
