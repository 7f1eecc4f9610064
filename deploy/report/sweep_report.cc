// Where on the data's way: the report; sorts runs into a grid, draws each row and column that has several.
#include "deploy/report/sweep_report.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/program/update_rules.h"
#include "common/staleness_counts.h"
#include "common/wire/serialize.h"
#include "deploy/report/format.h"

namespace downpour {
namespace {

using google::protobuf::Message;
using google::protobuf::TextFormat;

constexpr char kAccuracy[] = "test_frame_accuracy";
// Dean et al. 2012 measure the time to the first of them.
constexpr double kAccuracies[] = {0.16, 0.20};
constexpr char kSeveralSeeds[] = " Each is the mean of runs with different seeds; a bar is their range.";

// A place in the grid with its runs, which differ in seed only.
struct Cell {
  std::string settings;   // what the runs have in common, as bytes
  std::string optimizer;  // with the other fields that differ in the grid
  int replicas;
  std::string noise;
  std::vector<const LoggedRun*> runs = {};

  // The mean of value(run) over the runs that have it.
  std::optional<double> Mean(const auto& value) const {
    double sum = 0, count = 0;
    for (const LoggedRun* run : runs) {
      if (const auto known = value(*run)) {
        sum += static_cast<double>(*known);
        ++count;
      }
    }
    return count > 0 ? std::optional<double>(sum / count) : std::nullopt;
  }
  std::optional<double> Last(const char* column) const {
    return Mean([column](const LoggedRun& run) { return run.log.Last(column); });
  }
  std::optional<double> SecondsTo(double accuracy) const {
    return Mean([accuracy](const LoggedRun& run) { return SecondsToAccuracy(accuracy, run); });
  }
  std::optional<double> accuracy() const { return Mean(FinalAccuracy); }
  // The least and the largest final accuracy. At least one run has one.
  std::pair<double, double> range() const {
    std::vector<double> values;
    for (const LoggedRun* run : runs) {
      if (const auto known = FinalAccuracy(*run)) values.push_back(*known);
    }
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return {*low, *high};
  }
};

// Every field with its value, e.g. "cluster.minibatch" and "100", also where that is the default.
void AppendFields(const Message& message, const std::string& prefix,
                  std::map<std::string, std::string>* out) {
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const google::protobuf::FieldDescriptor* field = message.GetDescriptor()->field(i);
    const std::string path = prefix + std::string(field->name());
    if (field->message_type() != nullptr) {
      AppendFields(message.GetReflection()->GetMessage(message, field), path + ".", out);
      continue;
    }
    const int count = field->is_repeated() ? message.GetReflection()->FieldSize(message, field) : 1;
    std::vector<std::string> values(count);
    for (int k = 0; k < count; ++k)
      TextFormat::PrintFieldValueToString(message, field, field->is_repeated() ? k : -1, &values[k]);
    (*out)[path] = absl::StrJoin(values, "-");
  }
}

// For each run the fields in which the runs differ, and which have no place of their own in the report, nor
// change what is computed: ", minibatch 50".
std::vector<std::string> OtherDifferences(const std::vector<LoggedRun>& runs) {
  std::vector<std::map<std::string, std::string>> fields(runs.size());
  for (size_t i = 0; i < runs.size(); ++i) {
    RunDescription description = runs[i].description;
    for (const char* told : {"name", "seed", "optimizer", "noise", "checkpoint"})
      description.GetReflection()->ClearField(&description,
                                              description.GetDescriptor()->FindFieldByName(told));
    description.mutable_cluster()->clear_replicas();
    AppendFields(description, "", &fields[i]);
  }
  std::vector<std::string> texts(runs.size());
  for (const auto& field : fields[0]) {
    const std::string& path = field.first;
    const auto same = [&](const auto& other) { return other.at(path) == field.second; };
    if (std::all_of(fields.begin(), fields.end(), same)) continue;
    for (size_t i = 0; i < runs.size(); ++i)
      absl::StrAppend(&texts[i], ", ", path.substr(path.find('.') + 1), " ", fields[i].at(path));
  }
  return texts;
}

std::vector<Cell> Cells(const std::vector<LoggedRun>& runs) {
  const std::vector<std::string> others = OtherDifferences(runs);
  std::vector<Cell> cells;
  for (size_t i = 0; i < runs.size(); ++i) {
    RunDescription common = runs[i].description;
    common.clear_name();
    common.clear_seed();
    common.clear_checkpoint();
    const Cell place{SerializeSmall(common), OptimizerText(common.optimizer()) + others[i],
                     common.cluster().replicas(), NoiseText(common.noise())};
    auto cell = std::find_if(cells.begin(), cells.end(),
                             [&](const Cell& known) { return known.settings == place.settings; });
    if (cell == cells.end()) cell = cells.insert(cells.end(), place);
    cell->runs.push_back(&runs[i]);
  }
  return cells;
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

// The cells of one line against the number of replicas, by that number.
std::vector<Cell> ByReplicas(const std::vector<Cell>& cells, const std::string& optimizer,
                             const std::string& noise) {
  std::vector<Cell> here =
      Where(cells, [&](const Cell& cell) { return cell.optimizer == optimizer && cell.noise == noise; });
  std::stable_sort(here.begin(), here.end(),
                   [](const Cell& a, const Cell& b) { return a.replicas < b.replicas; });
  return here;
}

bool SeveralSeeds(const std::vector<Cell>& cells) {
  return std::any_of(cells.begin(), cells.end(), [](const Cell& cell) { return cell.runs.size() > 1; });
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
    for (const Cell& cell : ByReplicas(cells, optimizer, noise)) {
      if (!cell.accuracy()) continue;
      line.points.emplace_back(cell.replicas, *cell.accuracy());
      if (SeveralSeeds(cells)) line.ranges.push_back(cell.range());
    }
    chart.lines.push_back(std::move(line));
  }
  return Draw(chart);
}

// How many times as fast as one replica each number of replicas reaches kAccuracies; nothing to compare: "".
std::string SpeedUps(const std::vector<Cell>& cells, const std::vector<std::string>& optimizers,
                     const std::string& noise) {
  LineChart chart{"Time to an accuracy, compared with one replica",
                  absl::StrCat("noise: ", noise, "; on the cluster's clock, from its first update on"),
                  "replicas (logarithmic)", "times as fast as one replica"};
  chart.from_zero = true;
  chart.log_x = true;
  for (const std::string& optimizer : optimizers) {
    const std::vector<Cell> here = ByReplicas(cells, optimizer, noise);
    for (const double accuracy : kAccuracies) {
      const auto alone = here.empty() || here[0].replicas > 1 ? std::nullopt : here[0].SecondsTo(accuracy);
      LineChart::Line line{absl::StrCat(Percent(accuracy), ", ", optimizer),
                           ColorOf(optimizers, optimizer),
                           /*dashed=*/accuracy != kAccuracies[0],
                           {}};
      for (const Cell& cell : here) {
        const auto seconds = cell.SecondsTo(accuracy);
        if (alone && seconds) line.points.emplace_back(cell.replicas, *alone / *seconds);
      }
      if (line.points.size() > 1) chart.lines.push_back(std::move(line));
    }
  }
  return chart.lines.empty() ? "" : Draw(chart);
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
      if (cell.noise != noise || !cell.accuracy()) continue;
      const auto [low, high] = cell.range();
      row.dots.push_back({cell.optimizer, ColorOf(optimizers, cell.optimizer), *cell.accuracy(), low, high});
    }
    chart.rows.push_back(std::move(row));
  }
  return Draw(chart);
}

// The mean over the seeds of each evaluation's frames and accuracy, as far as all runs have got.
std::vector<std::pair<double, double>> MeanCurve(const Cell& cell) {
  std::vector<std::pair<double, double>> mean;
  for (const LoggedRun* run : cell.runs) {
    const auto points = run->log.Points("frames", kAccuracy);
    mean.resize(run == cell.runs[0] ? points.size() : std::min(mean.size(), points.size()));
    for (size_t i = 0; i < mean.size(); ++i) {
      mean[i].first += points[i].first / static_cast<double>(cell.runs.size());
      mean[i].second += points[i].second / static_cast<double>(cell.runs.size());
    }
  }
  return mean;
}

// Accuracy against frames, not updates, so that runs whose pushes are dropped or repeated can be compared.
std::string Curves(const std::vector<Cell>& cells, const std::string& title, const auto& name) {
  LineChart chart{title, "", "frames trained on", "test frame accuracy (%)"};
  chart.fractions = true;
  for (const Cell& cell : cells) {
    const int color = static_cast<int>(chart.lines.size());
    chart.lines.push_back({name(cell), color, /*dashed=*/color >= 7, MeanCurve(cell)});
  }
  return Draw(chart);
}

// Only of the first optimizer's runs, because staleness depends on the cluster and not on the rule; of
// several seeds only the first.
std::string StalenessFigures(const std::vector<Cell>& cells) {
  std::string drawings = "<div class=\"row\">\n";
  for (const Cell& cell : cells) {
    if (cell.optimizer != cells[0].optimizer) continue;
    const std::string whose = absl::StrCat(cell.replicas, cell.replicas == 1 ? " replica" : " replicas",
                                           cell.noise == "none" ? "" : absl::StrCat(", ", cell.noise));
    const double most = StalenessQuantile(cell.runs[0]->staleness, 0.999).value_or(0);
    absl::StrAppend(&drawings, Draw(StalenessOf(*cell.runs[0], whose, most)));
  }
  return absl::StrCat(drawings, "</div>\n");
}

// "25.1 %" or, of several seeds, "25.1 % (24.8 % to 25.4 %)".
std::string AccuracyText(const Cell& cell) {
  std::string text = OrDash(cell.accuracy(), Percent);
  if (!cell.accuracy() || cell.runs.size() == 1) return text;
  return absl::StrCat(text, " (", Percent(cell.range().first), " to ", Percent(cell.range().second), ")");
}

TextTable Results(const std::vector<Cell>& cells) {
  TextTable table;
  table.header = {
      "optimizer",       "replicas",        "noise",           "updates",           "final accuracy",
      "best accuracy",   "staleness, mean", "99th percentile", "gradient variance", "noise scale (frames)",
      "pushes rejected", "time to 16 %",    "time to 20 %",    "wall time"};
  for (const Cell& cell : cells) {
    const auto max = [](const LoggedRun& run) { return run.log.Max(kAccuracy); };
    const auto mean = [](const LoggedRun& run) { return StalenessMean(run.staleness); };
    const auto most = [](const LoggedRun& run) { return StalenessQuantile(run.staleness, 0.99); };
    table.rows.push_back(
        {cell.optimizer, absl::StrCat(cell.replicas), cell.noise, OrDash(cell.Last("updates"), 0),
         AccuracyText(cell), OrDash(cell.Mean(max), Percent), OrDash(cell.Mean(mean), 1),
         OrDash(cell.Mean(most), 0), OrDash(cell.Last("gradient_variance"), 4),
         OrDash(cell.Mean(NoiseScaleFrames), 0), OrDash(cell.Last("pushes_rejected"), 0),
         OrDash(cell.SecondsTo(kAccuracies[0]), Seconds), OrDash(cell.SecondsTo(kAccuracies[1]), Seconds),
         OrDash(cell.Last("wall_s"), Seconds)});
  }
  return table;
}

// In the order of the page.
std::vector<Figure> Figures(const std::vector<Cell>& cells) {
  const std::vector<std::string> optimizers = Seen(cells, &Cell::optimizer);
  const char* const seeds = SeveralSeeds(cells) ? kSeveralSeeds : "";
  std::vector<Figure> figures;
  for (const std::string& noise : Seen(cells, &Cell::noise)) {
    const auto here = Where(cells, [&](const Cell& cell) { return cell.noise == noise; });
    if (Seen(here, &Cell::replicas).size() < 2) continue;
    figures.emplace_back(AgainstReplicas(cells, optimizers, noise),
                         absl::StrCat("One line an optimizer, one point a run: what each number of replicas ",
                                      "ends at.", seeds));
    if (std::string drawing = SpeedUps(cells, optimizers, noise); !drawing.empty()) {
      figures.emplace_back(
          std::move(drawing),
          "How many times as fast as one replica each number of replicas first reached a test "
          "accuracy, between two evaluations by a straight line.");
    }
  }
  for (const int replicas : Seen(cells, &Cell::replicas)) {
    const auto here = Where(cells, [&](const Cell& cell) { return cell.replicas == replicas; });
    if (Seen(here, &Cell::noise).size() < 2) continue;
    figures.emplace_back(ByNoise(cells, optimizers, replicas),
                         absl::StrCat("One row a kind of noise, one dot a run.", seeds));
  }
  for (const std::string& noise : Seen(cells, &Cell::noise)) {
    for (const int replicas : Seen(cells, &Cell::replicas)) {
      const auto lines =
          Where(cells, [&](const Cell& cell) { return cell.noise == noise && cell.replicas == replicas; });
      if (lines.size() < 2) continue;
      figures.emplace_back(
          Curves(lines, absl::StrCat(replicas, " replicas: accuracy by optimizer"),
                 [](const Cell& cell) { return cell.optimizer; }),
          absl::StrCat("One line an optimizer, the mean over its seeds; noise: ", noise, "."));
    }
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
  const std::vector<Cell> cells = Cells(runs);
  Report report;
  report.results = Results(cells);
  const auto figures = Figures(cells);
  report.svg = StandAlone(figures[0].first);
  const std::string speed_ups = SpeedUps(cells, Seen(cells, &Cell::optimizer), cells[0].noise);
  if (!speed_ups.empty()) report.speed_up_svg = StandAlone(speed_ups);
  const std::string about = absl::StrCat(
      "<p class=\"about\">", runs.size(), " runs; ", EscapeMarkup(NetworkText(runs[0].description.network())),
      ". Noise scale: tr(Σ)/|g|² of ",
      "McCandlish et al. 2018, the frames that would have to be averaged for the gradient's noise to be as ",
      "large as the gradient, measured across replicas in the second half of the run (–: the gradient ",
      "drowned); gradient variance: tr(Σ) of a push.</p>\n");
  report.html = HtmlPage("Downpour: a sweep", about + ReportBody(figures, report.results, runs));
  return report;
}

}  // namespace downpour
