// Where on the data's way: the report; finds the runs of each printed cell, and draws the paper's figures.
#include "deploy/report/paper_report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/program/update_rules.h"
#include "common/wire/serialize.h"
#include "deploy/report/chart_frame.h"
#include "deploy/report/charts.h"
#include "deploy/report/format.h"

namespace downpour {
namespace {

using Kind = OptimizerDescription::Kind;

// As printed, in per cent.
constexpr float kRates[] = {1, 0.1f, 0.01f, 0.001f, 0.0001f};
constexpr Kind kTable1Rules[] = {OptimizerDescription::SGD, OptimizerDescription::MOMENTUM,
                                 OptimizerDescription::ADAGRAD};
constexpr double kTable1[5][3] = {
    {2.26, 89.68, 43.76}, {2.51, 2.03, 2.82}, {7.02, 2.68, 1.79}, {17.01, 6.98, 5.21}, {58.10, 16.98, 12.59}};
constexpr float kEpsilons[] = {1e-2f, 1e-4f, 1e-6f, 1e-8f};
constexpr float kRhos[] = {0.9f, 0.95f, 0.99f};
constexpr double kTable2[4][3] = {
    {2.59, 2.58, 2.32}, {2.05, 1.99, 2.28}, {1.90, 1.83, 2.05}, {2.29, 2.13, 2.00}};
constexpr double kTanhAdadelta = 2.00, kTanhVsgd = 2.10;

constexpr double kLarge = 10;    // from here on an error only says that training is slow or has diverged
constexpr double kWithin = 0.3;  // points

// Test errors in per cent of the finished runs that `is_wanted` names.
std::vector<double> TestErrors(const std::vector<LoggedRun>& runs, const auto& is_wanted) {
  std::vector<double> errors;
  for (const LoggedRun& run : runs) {
    const std::optional<double> accuracy = run.log.Last("test_frame_accuracy");
    if (run.at_budget && accuracy.has_value() && is_wanted(run.description.optimizer()))
      errors.push_back(100 * (1 - *accuracy));
  }
  return errors;
}

double Mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// "1.87 % (1.69–1.98)"; "–" without a value.
std::string ErrorText(const std::vector<double>& errors) {
  if (errors.empty()) return "–";
  const auto [low, high] = std::minmax_element(errors.begin(), errors.end());
  const std::string mean = absl::StrFormat("%.2f %%", Mean(errors));
  return errors.size() == 1 ? mean : absl::StrCat(mean, absl::StrFormat(" (%.2f–%.2f)", *low, *high));
}

bool IsReached(double printed, double ours) {
  return printed < kLarge ? std::abs(ours - printed) <= kWithin : ours >= kLarge;
}

// Counts how many cells there are, are made and are reached.
struct Tally {
  int cells = 0, made = 0, reached = 0;

  std::string Ours(double printed, const std::vector<double>& errors) {
    ++cells;
    if (errors.empty()) return "–";
    ++made;
    const bool is_reached = IsReached(printed, Mean(errors));
    if (is_reached) ++reached;
    return absl::StrCat(ErrorText(errors), is_reached ? "" : " ≠");
  }
  std::string Sentence() const {
    return absl::StrCat(made, " of ", cells, " cells are made; ", reached, " of them agree with the paper.");
  }
};

std::string Printed(double error) { return absl::StrFormat("%.2f %%", error); }

TextTable Table1(const std::vector<LoggedRun>& runs, Tally* tally) {
  TextTable table{
      {"learning rate", "SGD, printed", "ours", "momentum, printed", "ours", "ADAGRAD, printed", "ours"}, {}};
  for (size_t row = 0; row < std::size(kRates); ++row) {
    std::vector<std::string>& cells = table.rows.emplace_back();
    cells.push_back(absl::StrCat(kRates[row]));
    for (size_t rule = 0; rule < std::size(kTable1Rules); ++rule) {
      const std::vector<double> errors = TestErrors(runs, [&](const OptimizerDescription& optimizer) {
        return optimizer.kind() == kTable1Rules[rule] && optimizer.learning_rate() == kRates[row];
      });
      cells.push_back(Printed(kTable1[row][rule]));
      cells.push_back(tally->Ours(kTable1[row][rule], errors));
    }
  }
  return table;
}

TextTable Table2(const std::vector<LoggedRun>& runs, Tally* tally) {
  TextTable table{{"ε", "ρ 0.9, printed", "ours", "ρ 0.95, printed", "ours", "ρ 0.99, printed", "ours"}, {}};
  for (size_t row = 0; row < std::size(kEpsilons); ++row) {
    std::vector<std::string>& cells = table.rows.emplace_back();
    cells.push_back(absl::StrCat(kEpsilons[row]));
    for (size_t column = 0; column < std::size(kRhos); ++column) {
      const std::vector<double> errors = TestErrors(runs, [&](const OptimizerDescription& optimizer) {
        return optimizer.epsilon() == kEpsilons[row] && optimizer.rho() == kRhos[column];
      });
      cells.push_back(Printed(kTable2[row][column]));
      cells.push_back(tally->Ours(kTable2[row][column], errors));
    }
  }
  return table;
}

TextTable TanhTable(const std::vector<LoggedRun>& runs, Tally* tally) {
  TextTable table{{"rule", "printed", "ours"}, {}};
  for (const auto& [kind, printed] : {std::pair(OptimizerDescription::ADADELTA, kTanhAdadelta),
                                      std::pair(OptimizerDescription::VSGD, kTanhVsgd)}) {
    const Kind wanted = kind;
    const std::vector<double> errors =
        TestErrors(runs, [&](const OptimizerDescription& optimizer) { return optimizer.kind() == wanted; });
    table.rows.push_back({wanted == OptimizerDescription::VSGD ? "vSGD (Schaul et al.)" : "ADADELTA",
                          Printed(printed), tally->Ours(printed, errors)});
  }
  return table;
}

// Runs that differ in their seeds only, by what they have in common; in the order of the folders.
std::vector<std::vector<const LoggedRun*>> BySettings(const std::vector<LoggedRun>& runs) {
  std::map<std::string, std::vector<const LoggedRun*>> groups;
  for (const LoggedRun& run : runs) {
    RunDescription common = run.description;
    common.clear_name();
    common.clear_seed();
    groups[SerializeSmall(common)].push_back(&run);
  }
  std::vector<std::vector<const LoggedRun*>> ordered;
  ordered.reserve(groups.size());
  for (auto& group : groups) ordered.push_back(std::move(group.second));
  std::sort(ordered.begin(), ordered.end(),
            [](const auto& a, const auto& b) { return a[0]->directory < b[0]->directory; });
  return ordered;
}

LineChart Figure1(const std::vector<LoggedRun>& runs) {
  LineChart chart{.title = "Figure 1: test error on MNIST",
                  .subtitle = "Rectified linear units 500-300, minibatches of 100",
                  .x_label = "epochs",
                  .y_label = "test error",
                  .fractions = true,
                  .y_most = 0.05};
  for (const std::vector<const LoggedRun*>& group : BySettings(runs)) {
    std::map<double, std::vector<double>> errors;  // by epoch
    for (const LoggedRun* run : group) {
      for (const auto& [epoch, accuracy] : run->log.Points("epoch", "test_frame_accuracy"))
        errors[epoch].push_back(1 - accuracy);
    }
    LineChart::Line line{.name = OptimizerText(group[0]->description.optimizer()),
                         .color = static_cast<int>(chart.lines.size()),
                         .points = {}};
    for (const auto& [epoch, values] : errors) line.points.emplace_back(epoch, Mean(values));
    chart.lines.push_back(std::move(line));
  }
  return chart;
}

TextTable Figure1Table(const std::vector<LoggedRun>& runs) {
  TextTable table{{"rule", "seeds", "test error after the last epoch"}, {}};
  for (const std::vector<const LoggedRun*>& group : BySettings(runs)) {
    std::vector<double> errors;
    for (const LoggedRun* run : group) {
      const std::vector<double> of_run = TestErrors({*run}, [](const OptimizerDescription&) { return true; });
      errors.insert(errors.end(), of_run.begin(), of_run.end());
    }
    table.rows.push_back(
        {OptimizerText(group[0]->description.optimizer()), absl::StrCat(errors.size()), ErrorText(errors)});
  }
  return table;
}

// The samples of one layer: each element's points, by key.
using Elements = std::map<double, std::vector<std::pair<double, double>>>;

std::map<int, Elements> ByLayer(const CsvTable& samples, absl::string_view column) {
  std::map<int, Elements> layers;
  for (size_t row = 0; row < samples.rows.size(); ++row) {
    const auto layer = samples.Get(row, "layer"), key = samples.Get(row, "key"),
               update = samples.Get(row, "update"), value = samples.Get(row, column);
    if (layer && key && update && value) layers[static_cast<int>(*layer)][*key].emplace_back(*update, *value);
  }
  return layers;
}

// `of_value` of every fifth sample, which is as many as the eye can tell apart.
LineChart Figure2(const CsvTable& samples, const char* column, const char* title, const char* y_label,
                  double (*of_value)(double)) {
  LineChart chart{.title = title, .subtitle = "", .x_label = "minibatches", .y_label = y_label};
  for (const auto& [layer, elements] : ByLayer(samples, column)) {
    std::string name = absl::StrCat("weight matrix ", layer + 1);
    for (const auto& element : elements) {
      LineChart::Line line{.name = std::exchange(name, ""), .color = layer, .points = {}};
      for (size_t i = 0; i < element.second.size(); i += 5)
        line.points.emplace_back(element.second[i].first, of_value(element.second[i].second));
      chart.lines.push_back(std::move(line));
    }
  }
  return chart;
}

// What the paper says of Fig. 2, as numbers: medians over a layer's samples of the first and the last tenth of
// the updates.
TextTable Figure2Table(const CsvTable& samples) {
  TextTable table{
      {"weight matrix", "step size, first tenth", "last tenth", "|change|, first tenth", "last tenth"}, {}};
  const double last = samples.Max("update").value_or(0);
  const auto changes = ByLayer(samples, "change");
  for (const auto& [layer, elements] : ByLayer(samples, "step_size")) {
    std::vector<std::string>& row = table.rows.emplace_back();
    row.push_back(absl::StrCat(layer + 1));
    for (const Elements& of : {elements, changes.at(layer)}) {
      std::vector<double> early, late;
      for (const auto& element : of) {
        for (const auto& [update, value] : element.second) {
          if (update <= 0.1 * last) early.push_back(std::abs(value));
          if (update > 0.9 * last) late.push_back(std::abs(value));
        }
      }
      for (const auto* values : {&early, &late})
        row.push_back(values->empty() ? "–" : absl::StrFormat("%.3g", Median(*values)));
    }
  }
  return table;
}

constexpr char kAbout[] =
    "<p class=\"about\">Zeiler 2012, sections 4.1 to 4.3: each printed number beside ours, the test error "
    "after "
    "the last epoch as mean and range over the seeds. A printed error below 10 % counts as reached within "
    "0.3 "
    "points, a larger one if ours is above 10 %, too; what is not reached is marked with ≠. "
    "deploy/RESULTS.md "
    "says what differs, and why.</p>\n";

}  // namespace

PaperReport MakePaperReport(const PaperRuns& runs) {
  Tally tanh, table1, table2;
  PaperReport report;
  std::string body = kAbout;
  const auto add_table = [&](const std::string& heading, TextTable table, const std::string& sentence) {
    absl::StrAppend(&body, "<h2>", EscapeMarkup(heading), "</h2>\n", HtmlTable(table), "<p class=\"notes\">",
                    EscapeMarkup(sentence), "</p>\n");
    report.tables.push_back(std::move(table));
  };
  TextTable tanh_table = TanhTable(runs.tanh, &tanh);
  add_table("Section 4.1: tanh units 500-300, 6 epochs", std::move(tanh_table), tanh.Sentence());
  TextTable first = Table1(runs.table1, &table1);
  add_table("Table 1: test error after 6 epochs", std::move(first), table1.Sentence());
  TextTable second = Table2(runs.table2, &table2);
  add_table("Table 2: ADADELTA, test error after 6 epochs", std::move(second), table2.Sentence());
  if (!runs.figure1.empty()) {
    absl::StrAppend(&body, HtmlFigure(Draw(Figure1(runs.figure1)), "1",
                                      "Means over the seeds. Annealed ADADELTA is the paper's future work."));
    add_table("At the end of Figure 1", Figure1Table(runs.figure1), "");
  }
  if (!runs.samples.rows.empty()) {
    const auto log10 = [](double value) { return std::log10(std::max(value, 1e-12)); };
    const auto same = [](double value) { return value; };
    absl::StrAppend(&body,
                    HtmlFigure(Draw(Figure2(runs.samples, "step_size", "Figure 2, left: step sizes",
                                            "log10 of the step size", log10)),
                               "2", "All terms of equation 14 but the gradient."),
                    HtmlFigure(Draw(Figure2(runs.samples, "change", "Figure 2, right: changes of parameters",
                                            "change", same)),
                               "3", "Of the same elements."));
    add_table(
        "Figure 2 in numbers", Figure2Table(runs.samples),
        "Medians. The paper: larger steps in lower layers at first, towards 1 at the end, where changes go "
        "towards 0.");
  }
  report.html = HtmlPage("ADADELTA on MNIST, beside the paper", body);
  return report;
}

}  // namespace downpour
