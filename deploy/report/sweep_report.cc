// Where on the data's way: at its end; the runs of a grid (optimizers, replica counts, noise) on one page.
#include "deploy/report/sweep_report.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/program/update_rules.h"
#include "deploy/report/chart.h"
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
  std::optional<double> accuracy;  // final, as MakeSweepReport says
};

std::optional<double> FinalAccuracy(const LoggedRun& run) {
  const auto points = run.log.Points("updates", kAccuracy);
  if (points.empty()) return std::nullopt;
  const size_t count = std::min(kFinalEvaluations, points.size());
  double sum = 0;
  for (size_t i = points.size() - count; i < points.size(); ++i) sum += points[i].second;
  return sum / static_cast<double>(count);
}

// In order of first appearance, as the sweep was asked for.
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
  LineChart chart;
  chart.title = "Final test frame accuracy against the number of replicas";
  chart.subtitle = absl::StrCat("noise: ", noise, "; mean of the last three evaluations");
  chart.x_label = "replicas (logarithmic)";
  chart.y_label = "final test frame accuracy (%)";
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
  DotChart chart;
  chart.title = "Final test frame accuracy by noise";
  chart.subtitle = absl::StrCat(replicas, " replicas; mean of the last three evaluations");
  chart.x_label = "final test frame accuracy (%)";
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

// Accuracy against frames, so that runs whose pushes are dropped or repeated stay comparable.
std::string Curves(const std::vector<Cell>& cells, const std::string& title, const auto& name) {
  LineChart chart;
  chart.title = title;
  chart.x_label = "frames trained on";
  chart.y_label = "test frame accuracy (%)";
  chart.fractions = true;
  for (const Cell& cell : cells) {
    const int color = static_cast<int>(chart.lines.size());
    chart.lines.push_back(
        {name(cell), color, /*dashed=*/color >= 7, cell.run->log.Points("frames", kAccuracy)});
  }
  return Draw(chart);
}

std::string StalenessOf(const Cell& cell, double largest) {
  Histogram histogram;
  histogram.title = absl::StrCat("Staleness, ", cell.replicas, cell.replicas == 1 ? " replica" : " replicas",
                                 cell.noise == "none" ? "" : absl::StrCat(", ", cell.noise));
  histogram.x_label = "staleness (updates)";
  histogram.y_label = "share of pushes (%)";
  histogram.largest = largest;
  histogram.counts = cell.run->staleness;
  if (const auto mean = StalenessMean(*cell.run))
    histogram.marks.emplace_back(absl::StrCat("mean ", Number(*mean, 1)), *mean);
  return Draw(histogram);
}

// Of one optimizer: staleness is the cluster's, whatever rule the shards apply.
std::string StalenessFigures(const std::vector<Cell>& cells) {
  std::string drawings = "<div class=\"row\">\n";
  for (const Cell& cell : cells) {
    if (cell.optimizer != cells[0].optimizer) continue;
    const double p99 = StalenessQuantile(*cell.run, 0.999).value_or(0);
    absl::StrAppend(&drawings, StalenessOf(cell, p99));
  }
  return absl::StrCat(drawings, "</div>\n");
}

TextTable Results(const std::vector<Cell>& cells) {
  TextTable table;
  table.header = {
      "optimizer",       "replicas",        "noise",           "updates",           "final accuracy",
      "best accuracy",   "staleness, mean", "99th percentile", "gradient variance", "noise scale (frames)",
      "pushes rejected", "wall time"};
  const auto or_dash = [](std::optional<double> value, auto format) {
    return value ? format(*value) : std::string("–");
  };
  const auto decimals = [](int count) { return [count](double value) { return Number(value, count); }; };
  for (const Cell& cell : cells) {
    const LoggedRun& run = *cell.run;
    table.rows.push_back(
        {cell.optimizer, absl::StrCat(cell.replicas), cell.noise,
         or_dash(run.log.Last("updates"), decimals(0)), or_dash(cell.accuracy, Percent),
         or_dash(run.log.Max(kAccuracy), Percent), or_dash(StalenessMean(run), decimals(1)),
         or_dash(StalenessQuantile(run, 0.99), decimals(0)),
         or_dash(run.log.Last("gradient_variance"), decimals(4)), or_dash(NoiseScaleFrames(run), decimals(0)),
         or_dash(run.log.Last("pushes_rejected"), decimals(0)), or_dash(run.log.Last("wall_s"), Seconds)});
  }
  return table;
}

// Each figure with its caption, in order.
std::vector<std::pair<std::string, std::string>> Figures(const std::vector<Cell>& cells) {
  const std::vector<std::string> optimizers = Seen(cells, &Cell::optimizer);
  std::vector<std::pair<std::string, std::string>> figures;
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
  std::string body = absl::StrCat(
      "<p class=\"about\">", cells.size(), " runs; ",
      EscapeMarkup(NetworkText(runs[0].description.network())), ". Noise scale: tr(Σ)/|g|² of ",
      "McCandlish et al. 2018, the frames that would have to be averaged for the gradient's noise to be as ",
      "large as the gradient, measured across replicas in the second half of the run (–: the gradient "
      "drowned); gradient variance: tr(Σ) "
      "of ",
      "a push.</p>\n");
  int number = 0;
  for (const auto& [drawing, caption] : figures) {
    absl::StrAppend(&body, HtmlFigure(drawing, absl::StrCat(++number), caption));
    if (number == 1) absl::StrAppend(&body, HtmlTable(report.results));
  }
  absl::StrAppend(&body, NotesOf(runs));
  report.html = HtmlPage("Downpour: a sweep", body);
  return report;
}

}  // namespace downpour
