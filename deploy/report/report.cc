// Where on the data's way: the report; takes each figure's columns from the runs' logs, writes captions.
#include "deploy/report/report.h"

#include <algorithm>
#include <set>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/program/update_rules.h"
#include "common/staleness_counts.h"
#include "deploy/report/chart_frame.h"
#include "deploy/report/format.h"

namespace downpour {
namespace {

constexpr char kMajority[] = "always the most frequent class";
constexpr char kHumanAccuracy[] = "test_human_frame_accuracy";

bool Virtual(const LoggedRun& run) {
  switch (run.description.cluster().clock()) {
    case ClusterDescription::VIRTUAL:
      return true;
    case ClusterDescription::WALL:
      return false;
  }
  return false;
}

// what(run) of all runs, each text once: "20 replicas, 2 shards or 100 replicas, 2 shards".
std::string Common(const std::vector<LoggedRun>& runs, std::string (*what)(const LoggedRun&)) {
  std::vector<std::string> seen;
  for (const LoggedRun& run : runs) {
    std::string text = what(run);
    if (std::find(seen.begin(), seen.end(), text) == seen.end()) seen.push_back(std::move(text));
  }
  return absl::StrJoin(seen, " or ");
}
std::string Cluster(const LoggedRun& run) {
  const ClusterDescription& cluster = run.description.cluster();
  return absl::StrCat(cluster.replicas(), cluster.replicas() == 1 ? " replica, " : " replicas, ",
                      cluster.shards(), cluster.shards() == 1 ? " shard" : " shards");
}
std::string Network(const LoggedRun& run) { return NetworkText(run.description.network()); }
std::string TestSet(const LoggedRun& run) {
  const DataDescription& data = run.description.data();
  return data.has_mnist_dir() ? data.mnist_dir() : data.test_dir();
}
std::string HumanTestSet(const LoggedRun& run) { return run.description.data().test_human_dir(); }
std::string Minibatch(const LoggedRun& run) {
  return absl::StrCat("minibatches of ", run.description.cluster().minibatch(), " frames");
}

void AddLines(const std::vector<LoggedRun>& runs, absl::string_view x, absl::string_view y, double x_unit,
              absl::string_view suffix, bool dashed, LineChart* chart) {
  for (size_t i = 0; i < runs.size(); ++i) {
    LineChart::Line line{absl::StrCat(runs[i].name, suffix), static_cast<int>(i), dashed,
                         runs[i].log.Points(x, y)};
    for (auto& point : line.points) point.first /= x_unit;
    chart->lines.push_back(std::move(line));
  }
}

LineChart AccuracyAgainstUpdates(const std::vector<LoggedRun>& runs) {
  LineChart chart{"Test frame accuracy against updates",
                  absl::StrCat(Common(runs, Cluster), "; ", Common(runs, Network)), "updates",
                  "test frame accuracy (%)"};
  chart.fractions = true;
  AddLines(runs, "updates", "test_frame_accuracy", 1, "", false, &chart);
  if (const double majority = runs[0].majority_test_accuracy; majority > 0) {
    double most = 0;
    for (const LoggedRun& run : runs) most = std::max(most, run.log.Max("updates").value_or(0));
    chart.lines.push_back({kMajority, kBaseline, /*dashed=*/true, {{0, majority}, {most, majority}}});
  }
  return chart;
}

LineChart AccuracyAgainstTime(const std::vector<LoggedRun>& runs) {
  const bool simulated = std::all_of(runs.begin(), runs.end(), Virtual);
  const std::string column = simulated ? "virtual_s" : "wall_s";
  double longest = 0;
  for (const LoggedRun& run : runs) longest = std::max(longest, run.log.Max(column).value_or(0));
  const auto [unit, unit_name] = longest > 7200  ? std::pair<double, const char*>(3600, "hours")
                                 : longest > 180 ? std::pair<double, const char*>(60, "minutes")
                                                 : std::pair<double, const char*>(1, "seconds");
  LineChart chart{"Test frame accuracy against time",
                  simulated ? "time as it passes in the simulated cluster" : "wall-clock time",
                  absl::StrCat(simulated ? "virtual time (" : "wall time (", unit_name, ")"),
                  "test frame accuracy (%)"};
  chart.fractions = true;
  AddLines(runs, column, "test_frame_accuracy", unit, "", false, &chart);
  return chart;
}

// The y axis ends a quarter above the first test loss, so that a loss that explodes presses no curve flat.
LineChart Loss(const std::vector<LoggedRun>& runs) {
  double first = 0, largest = 0;
  for (const LoggedRun& run : runs) {
    const auto points = run.log.Points("updates", "test_loss");
    if (!points.empty()) first = std::max(first, points[0].second);
    largest =
        std::max({largest, run.log.Max("test_loss").value_or(0), run.log.Max("train_loss").value_or(0)});
  }
  LineChart chart{"Loss against updates", "mean cross-entropy a frame", "updates", "loss (nats)"};
  if (first > 0 && largest > 1.25 * first) {
    chart.y_most = 1.25 * first;
    absl::StrAppend(&chart.subtitle, "; values above ", Number(chart.y_most, 1), " are drawn at ",
                    Number(chart.y_most, 1));
  }
  AddLines(runs, "updates", "test_loss", 1, ", test", false, &chart);
  AddLines(runs, "updates", "train_loss", 1, ", train", true, &chart);
  return chart;
}

LineChart HumanAccuracy(const std::vector<LoggedRun>& runs) {
  LineChart chart{"Real human speech: frame accuracy against updates",
                  "another test set than above: recordings of a human speaker, not seen in training",
                  "updates", "human test frame accuracy (%)"};
  chart.fractions = true;
  AddLines(runs, "updates", kHumanAccuracy, 1, "", false, &chart);
  AddLines(runs, "updates", "test_human_nonsilence_frame_accuracy", 1, ", non-silence", true, &chart);
  return chart;
}

std::string StalenessFigures(const std::vector<LoggedRun>& runs) {
  std::string drawings = "<div class=\"row\">\n";
  double largest = 0;
  for (const LoggedRun& run : runs) {
    if (!run.staleness.empty()) largest = std::max(largest, run.staleness.back().first);
  }
  for (size_t i = 0; i < runs.size(); ++i) {
    Histogram histogram = StalenessOf(runs[i], runs[i].name, largest);
    histogram.color = static_cast<int>(i);
    if (const auto p99 = StalenessQuantile(runs[i].staleness, 0.99))
      histogram.marks.emplace_back(absl::StrCat("99th percentile ", Number(*p99, 0)), *p99);
    absl::StrAppend(&drawings, Draw(histogram));
  }
  return absl::StrCat(drawings, "</div>\n");
}

std::string Replicas(const LoggedRun& run) {
  const ClusterDescription& cluster = run.description.cluster();
  std::string replicas = absl::StrCat(cluster.replicas());
  switch (cluster.consistency()) {
    case ClusterDescription::ASYNCHRONOUS:
      break;
    case ClusterDescription::BOUNDED:
      return absl::StrCat(replicas, ", at most ", cluster.staleness_bound(), " steps ahead");
    case ClusterDescription::SYNCHRONOUS:
      return absl::StrCat(replicas, ", in rounds, ", cluster.backup_replicas(), " of them backups");
  }
  return replicas;
}

bool HasWarmStart(const LoggedRun& run) { return run.description.cluster().warm_start_updates() > 0; }

std::string WarmStartText(const LoggedRun& run) {
  const ClusterDescription& cluster = run.description.cluster();
  if (!HasWarmStart(run)) return "none";
  const bool own = cluster.has_warm_start_optimizer();
  return absl::StrCat(cluster.warm_start_updates(), " updates by one replica",
                      own ? absl::StrCat(", ", OptimizerText(cluster.warm_start_optimizer())) : "");
}

TextTable Results(const std::vector<LoggedRun>& runs) {
  TextTable table;
  table.header = {"run"};
  for (const LoggedRun& run : runs) table.header.push_back(run.name);
  const auto row = [&](const char* name, auto value) {
    table.rows.push_back({name});
    for (const LoggedRun& run : runs) table.rows.back().push_back(value(run));
  };
  const auto last = [&](const char* name, const char* column, auto format) {
    row(name, [=](const LoggedRun& run) { return OrDash(run.log.Last(column), format); });
  };
  row("optimizer", [](const LoggedRun& run) { return OptimizerText(run.description.optimizer()); });
  if (absl::c_any_of(runs, HasWarmStart)) row("warm start", WarmStartText);
  row("network", Network);
  row("replicas", Replicas);
  last("updates", "updates", 0);
  last("frames", "frames", 0);
  last("test frame accuracy, final", "test_frame_accuracy", Percent);
  row("test frame accuracy, best",
      [](const LoggedRun& run) { return OrDash(run.log.Max("test_frame_accuracy"), Percent); });
  row(kMajority, [](const LoggedRun& run) {
    return run.majority_test_accuracy > 0 ? Percent(run.majority_test_accuracy) : "–";
  });
  last("test, non-silence frames, final", "test_nonsilence_frame_accuracy", Percent);
  last("human test frame accuracy, final", kHumanAccuracy, Percent);
  last("human test, non-silence frames, final", "test_human_nonsilence_frame_accuracy", Percent);
  row("staleness, mean", [](const LoggedRun& run) { return OrDash(StalenessMean(run.staleness), 1); });
  row("staleness, 99th percentile",
      [](const LoggedRun& run) { return OrDash(StalenessQuantile(run.staleness, 0.99), 1); });
  row("gradient noise scale, frames", [](const LoggedRun& run) { return OrDash(NoiseScaleFrames(run), 0); });
  last("pushes rejected", "pushes_rejected", 0);
  last("wall time", "wall_s", Seconds);
  return table;
}

void TellApart(std::vector<LoggedRun>* runs) {
  std::multiset<std::string> names;
  for (const LoggedRun& run : *runs) names.insert(run.name);
  for (LoggedRun& run : *runs) {
    if (names.count(run.name) > 1) run.name = absl::StrCat(run.name, " (", run.directory, ")");
  }
}

// In the order of the page.
std::vector<Figure> Figures(const std::vector<LoggedRun>& runs) {
  const std::string test_set = absl::StrCat("the test set (", Common(runs, TestSet), ")");
  const std::string each = absl::StrCat(runs.size() == 1 ? "One run, with " : "One line a run, each with ",
                                        Common(runs, Cluster), ".");
  std::vector<Figure> figures;
  figures.emplace_back(Draw(AccuracyAgainstUpdates(runs)),
                       absl::StrCat("Share of the frames of ", test_set,
                                    " whose most probable class is the right one, against updates. ",
                                    "An update is one replica's push, applied on every shard. ", each,
                                    runs[0].majority_test_accuracy > 0
                                        ? " Grey: what always giving the training part's most frequent "
                                          "class would score."
                                        : ""));
  figures.emplace_back(
      Draw(AccuracyAgainstTime(runs)),
      absl::StrCat("The accuracy of Figure 1 against the time that the cluster took. ", each));
  figures.emplace_back(Draw(Loss(runs)), absl::StrCat("Cross-entropy on ", test_set,
                                                      " (solid) and on the training minibatches since the ",
                                                      "point before (dotted), against updates. ", each));
  if (std::any_of(runs.begin(), runs.end(),
                  [](const LoggedRun& run) { return run.log.Max(kHumanAccuracy).has_value(); })) {
    figures.emplace_back(Draw(HumanAccuracy(runs)),
                         absl::StrCat("Other data than in the figures above: recordings of a human speaker (",
                                      Common(runs, HumanTestSet),
                                      "), never trained on. Frame accuracy over all frames (solid) and over ",
                                      "those that are not silence (dotted), against updates. ", each));
  }
  figures.emplace_back(
      StalenessFigures(runs),
      absl::StrCat("Histogram of the staleness of all pushes of the run so far: how many updates a ",
                   "shard applied between a replica's fetch and the push computed from it. Each run with ",
                   Common(runs, Cluster), "."));
  return figures;
}

}  // namespace

Histogram StalenessOf(const LoggedRun& run, absl::string_view whose, double largest) {
  Histogram histogram{absl::StrCat("Staleness, ", whose), "staleness (updates)", "share of pushes (%)"};
  histogram.largest = largest;
  histogram.counts = run.staleness;
  if (const auto mean = StalenessMean(run.staleness))
    histogram.marks.emplace_back(absl::StrCat("mean ", Number(*mean, 1)), *mean);
  return histogram;
}

std::string ReportBody(const std::vector<Figure>& figures, const TextTable& results,
                       const std::vector<LoggedRun>& runs) {
  std::string body, notes;
  int number = 0;
  for (const auto& [drawing, caption] : figures) {
    absl::StrAppend(&body, HtmlFigure(drawing, absl::StrCat(++number), caption));
    if (number == 1) absl::StrAppend(&body, HtmlTable(results));
  }
  for (const LoggedRun& run : runs) {
    for (const std::string& note : run.notes)
      absl::StrAppend(&notes, "<li>", EscapeMarkup(absl::StrCat(run.name, ": ", note)), "</li>\n");
  }
  if (!notes.empty()) absl::StrAppend(&body, "<h2>Notes</h2>\n<ul class=\"notes\">\n", notes, "</ul>\n");
  return body;
}

std::string StandAlone(const std::string& drawing) {
  // The style sheet goes before the drawing's first element.
  constexpr char kPaper[] = "<rect class=\"paper\"";
  return absl::StrReplaceAll(
      drawing, {{kPaper, absl::StrCat("<style>\n", DrawingStyle(/*dark=*/false), "</style>\n", kPaper)}});
}

Report MakeReport(std::vector<LoggedRun> runs) {
  TellApart(&runs);
  Report report;
  report.results = Results(runs);
  report.svg = StandAlone(Draw(AccuracyAgainstUpdates(runs)));
  const std::string about =
      absl::StrCat("<p class=\"about\">",
                   EscapeMarkup(absl::StrCat("Asynchronous training on ", Common(runs, Cluster), "; ",
                                             Common(runs, Network), "; ", Common(runs, Minibatch), ".")),
                   "</p>\n");
  const auto append_name = [](std::string* text, const LoggedRun& run) { absl::StrAppend(text, run.name); };
  report.body = about + ReportBody(Figures(runs), report.results, runs);
  report.html = HtmlPage(absl::StrCat("Downpour: ", absl::StrJoin(runs, ", ", append_name)), report.body);
  return report;
}

}  // namespace downpour
