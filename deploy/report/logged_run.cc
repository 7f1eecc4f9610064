// Where on the data's way: the report; reads each file by itself: a damaged one costs only its own numbers.
#include "deploy/report/logged_run.h"

#include <google/protobuf/text_format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/file/file.h"
#include "common/layout/nonlinearity.h"
#include "common/printable.h"
#include "common/program/run_description.h"
#include "deploy/report/format.h"
#include "proto/coordinator.pb.h"

namespace downpour {
namespace {

constexpr char kAccuracy[] = "test_frame_accuracy";
constexpr size_t kFinalEvaluations = 3;

CsvTable ReadCsv(const std::string& directory, const std::string& name, std::vector<std::string>* notes) {
  const absl::StatusOr<std::string> text = ReadFile(absl::StrCat(directory, "/", name));
  CsvTable table = ParseCsv(text.ok() ? *text : "", name);
  if (!text.ok()) {
    notes->push_back(std::string(text.status().message()));
  } else if (table.rows.empty()) {
    notes->push_back(absl::StrCat(name, ": no line yet"));
  }
  notes->insert(notes->end(), table.notes.begin(), table.notes.end());
  return table;
}

// How far the run is from its budget; empty if it has reached it, or has none.
std::string WhatIsLeft(const LoggedRun& run) {
  const BudgetDescription& budget = run.description.budget();
  const double updates = run.log.Last("updates").value_or(0), epochs = run.log.Last("epoch").value_or(0);
  const double rejected = run.log.Last("pushes_rejected").value_or(0);
  const bool updates_done =
      budget.updates() > 0 && updates + rejected >= static_cast<double>(budget.updates());
  const bool epochs_done = budget.epochs() > 0 && epochs >= budget.epochs() - 1e-6;
  if (updates_done || epochs_done || (budget.updates() == 0 && budget.epochs() == 0)) return "";
  std::string text = "not at its budget: ";
  if (budget.updates() > 0)
    absl::StrAppend(&text, Number(updates, 0), " of ", WithThousands(budget.updates()), " updates");
  if (budget.updates() > 0 && budget.epochs() > 0) absl::StrAppend(&text, ", ");
  if (budget.epochs() > 0)
    absl::StrAppend(&text, Number(epochs, 2), " of ", Number(budget.epochs(), 2), " epochs");
  return text;
}

// The rows whose numbers can be counts, staleness ascending. Others are left out, with a note.
std::vector<std::pair<double, double>> ReadStaleness(const CsvTable& table, std::vector<std::string>* notes) {
  const auto is_count = [](double value) {
    return value >= 0 && value <= 1e15 && value == std::floor(value);
  };
  std::vector<std::pair<double, double>> counts = table.Points("staleness", "pushes");
  const auto refused = std::remove_if(counts.begin(), counts.end(), [&](const auto& row) {
    return !is_count(row.first) || !is_count(row.second);
  });
  if (refused != counts.end()) {
    notes->push_back(absl::StrCat("staleness.csv: ", counts.end() - refused, " lines left out: not counts"));
  }
  counts.erase(refused, counts.end());
  std::sort(counts.begin(), counts.end());
  return counts;
}

// 0 where the folder has no data summary, or none that can be read.
double MajorityTestAccuracy(const std::string& directory) {
  const absl::StatusOr<std::string> text = ReadFile(absl::StrCat(directory, "/data_summary.textproto"));
  DataSummary summary;
  if (!text.ok() || !google::protobuf::TextFormat::ParseFromString(*text, &summary)) return 0;
  return summary.majority_test_accuracy();
}

}  // namespace

absl::StatusOr<LoggedRun> ReadRun(const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const std::string description_path = directory + "/run.textproto";
  const bool described = fs::exists(description_path, ignored);
  if (!described && !fs::exists(directory + "/frame_accuracy.csv", ignored))
    return absl::NotFoundError(directory +
                               ": not a run folder: neither run.textproto nor frame_accuracy.csv");
  LoggedRun run;
  run.directory = directory;
  fs::path folder = fs::absolute(directory).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  run.name = Printable(folder.filename().string());
  if (described) {
    absl::StatusOr<RunDescription> description = ReadRunDescription(description_path);
    if (description.ok()) {
      run.description = *std::move(description);
      if (run.description.has_name()) run.name = Printable(run.description.name());
    } else {
      run.notes.push_back(std::string(description.status().message()));
    }
  } else {
    run.notes.emplace_back("no run.textproto");
  }
  run.log = ReadCsv(directory, "frame_accuracy.csv", &run.notes);
  run.staleness = ReadStaleness(ReadCsv(directory, "staleness.csv", &run.notes), &run.notes);
  run.majority_test_accuracy = MajorityTestAccuracy(directory);
  std::string left = WhatIsLeft(run);
  run.at_budget = left.empty() && (run.description.has_budget() && !run.log.rows.empty());
  if (!left.empty()) run.notes.push_back(std::move(left));
  return run;
}

std::optional<double> FinalAccuracy(const LoggedRun& run) {
  const auto points = run.log.Points("updates", kAccuracy);
  if (points.empty()) return std::nullopt;
  const size_t count = std::min(kFinalEvaluations, points.size());
  double sum = 0;
  for (size_t i = points.size() - count; i < points.size(); ++i) sum += points[i].second;
  return sum / static_cast<double>(count);
}

std::optional<double> SecondsToAccuracy(double accuracy, const LoggedRun& run) {
  const auto points = run.log.Points("virtual_s", kAccuracy);
  const auto reached =
      std::find_if(points.begin(), points.end(), [&](const auto& point) { return point.second >= accuracy; });
  if (reached == points.end()) return std::nullopt;
  if (reached == points.begin()) return reached->first;
  const auto [seconds_before, accuracy_before] = *(reached - 1);
  return seconds_before + (reached->first - seconds_before) * (accuracy - accuracy_before) /
                              (reached->second - accuracy_before);
}

std::optional<double> NoiseScaleFrames(const LoggedRun& run) {
  double variance = 0, norm = 0, norm_squares = 0, count = 0;
  for (size_t row = run.log.rows.size() / 2; row < run.log.rows.size(); ++row) {
    const std::optional<double> squared_norm = run.log.Get(row, "gradient_squared_norm");
    if (!squared_norm) continue;
    variance += run.log.Get(row, "gradient_variance").value_or(0);
    norm += *squared_norm;
    norm_squares += *squared_norm * *squared_norm;
    ++count;
  }
  // The standard error of `norm`, a sum, from how much its terms scatter.
  const double error =
      count > 1 ? std::sqrt(std::max(0.0, norm_squares - norm * norm / count) * count / (count - 1)) : 0;
  if (norm <= 2 * error) return std::nullopt;
  const ClusterDescription& cluster = run.description.cluster();
  return cluster.minibatch() * cluster.n_push() * variance / norm;
}

std::string NoiseText(const NoiseDescription& noise) {
  std::vector<std::string> parts;
  const auto add_share = [&parts](double share, const auto&... what) {
    if (share > 0) parts.push_back(absl::StrCat(Number(100 * share, 1), " % of ", what...));
  };
  if (noise.gradient_sigma() > 0) parts.push_back(absl::StrCat("gradient σ ", noise.gradient_sigma()));
  add_share(noise.label_share(), "labels random");
  add_share(noise.push_drop_share(), "pushes dropped");
  add_share(noise.push_delay_share(), "pushes ", noise.push_delay_s(), " s late");
  add_share(noise.push_repeat_share(), "pushes repeated");
  add_share(noise.adversary_share(), "replicas × ", noise.adversary_scale());
  add_share(noise.slow_share(), "replicas ", noise.slow_factor(), " times slower");
  return parts.empty() ? "none" : absl::StrJoin(parts, ", ");
}

std::string NetworkText(const NetworkDescription& network) {
  if (network.hidden_width().empty()) return "softmax regression";
  return absl::StrCat(absl::StrJoin(network.hidden_width(), "-"), " ",
                      WithNonlinearity(network.nonlinearity(), [](auto f) { return f.kName; }), " units");
}

}  // namespace downpour
