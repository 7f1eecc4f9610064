// Where on the data's way: from the coordinator to the run folder; header, lines and scalars of one list.
#include "server/coordinator/evaluation_line.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <set>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

constexpr absl::string_view kUpdates = "updates";

struct Column {
  const char* name;
  const char* scalar;  // TensorBoard's tag; null: not shown there
  int decimals;
  std::optional<double> value;
};

std::optional<double> Ratio(double numerator, int64_t denominator) {
  return denominator == 0 ? std::nullopt : std::optional(numerator / denominator);
}

// Every value of a line, in order: the one list that the header, the lines and the scalars come from.
std::vector<Column> Columns(const EvaluationRecord& record) {
  const EvaluationPoint& point = record.point;
  const StalenessHistogram& staleness = record.reported.staleness;
  const TestSetResult& test = record.result.test();
  const TestSetResult& human = record.result.test_human();  // all 0 where there is none
  const auto p99 = staleness.pushes() > 0 ? std::optional<double>(staleness.Percentile(99)) : std::nullopt;
  return {
      {"wall_s", nullptr, 3, point.wall_s()},
      {"virtual_s", "train/virtual_s", 3, point.virtual_s()},
      {kUpdates.data(), nullptr, 0, point.updates()},
      {"frames", "train/frames", 0, point.frames()},
      {"epoch", "train/epoch", 6, point.epoch()},
      {"train_loss", "train/loss", 6, Ratio(record.reported.loss_sum, record.reported.frames)},
      {"test_loss", "test/loss", 6, MeanLoss(test)},
      {"test_frame_accuracy", "test/frame_accuracy", 6, Ratio(test.correct(), test.frames())},
      {"live_replicas", "cluster/live_replicas", 0, point.live_replicas()},
      {"staleness_mean", "cluster/staleness_mean", 3,
       staleness.pushes() > 0 ? std::optional(staleness.Mean()) : std::nullopt},
      {"staleness_p99", "cluster/staleness_p99", 0, p99},
      {"pushes_rejected", "cluster/pushes_rejected", 0, point.pushes_rejected()},
      {"test_nonsilence_frame_accuracy", "test/nonsilence_frame_accuracy", 6,
       Ratio(test.nonsilence_correct(), test.nonsilence_frames())},
      {"test_human_loss", "test_human/loss", 6, MeanLoss(human)},
      {"test_human_frame_accuracy", "test_human/frame_accuracy", 6, Ratio(human.correct(), human.frames())},
      {"test_human_nonsilence_frame_accuracy", "test_human/nonsilence_frame_accuracy", 6,
       Ratio(human.nonsilence_correct(), human.nonsilence_frames())},
      {"gradient_variance", "gradient/variance", 9, record.reported.gradient_noise.Variance()},
      {"gradient_squared_norm", "gradient/squared_norm", 9, record.reported.gradient_noise.SquaredNorm()},
      {"gradient_noise_scale", "gradient/noise_scale", 3, record.reported.gradient_noise.NoiseScale()},
  };
}

// Exact below 16; from there on a bucket has an eighth of the values between two powers of two.
tensorboard::Histogram HistogramOf(const StalenessHistogram& staleness) {
  tensorboard::Histogram histogram;
  histogram.set_min(static_cast<double>(staleness.counts().begin()->first));
  histogram.set_max(static_cast<double>(staleness.counts().rbegin()->first));
  for (const auto& [value, pushes] : staleness.counts()) {
    const int dropped_bits = std::max(0, static_cast<int>(std::bit_width(value)) - 4);
    const auto limit = static_cast<double>(value | ((uint64_t{1} << dropped_bits) - 1));
    if (histogram.bucket_limit().empty() || *histogram.bucket_limit().rbegin() != limit) {
      histogram.add_bucket_limit(limit);
      histogram.add_bucket(0);
    }
    const auto count = static_cast<double>(pushes), number = static_cast<double>(value);
    *histogram.mutable_bucket()->rbegin() += count;
    histogram.set_num(histogram.num() + count);
    histogram.set_sum(histogram.sum() + count * number);
    histogram.set_sum_squares(histogram.sum_squares() + count * number * number);
  }
  return histogram;
}

std::vector<absl::string_view> ColumnNames() {
  std::vector<absl::string_view> names;
  for (const Column& column : Columns(EvaluationRecord())) names.push_back(column.name);
  return names;
}

}  // namespace

std::optional<double> MeanLoss(const TestSetResult& result) {
  return result.has_loss_sum() ? Ratio(result.loss_sum(), result.frames()) : std::nullopt;
}

std::string FrameAccuracyHeader() { return absl::StrCat(absl::StrJoin(ColumnNames(), ","), "\n"); }

std::string FrameAccuracyLine(const EvaluationRecord& record) {
  const auto value = [](std::string* out, const Column& column) {
    if (column.value.has_value()) absl::StrAppendFormat(out, "%.*f", column.decimals, *column.value);
  };
  return absl::StrCat(absl::StrJoin(Columns(record), ",", value), "\n");
}

tensorboard::Event EvaluationEvent(const EvaluationRecord& record) {
  tensorboard::Event event;
  event.set_wall_time(record.point.unix_time_s());
  event.set_step(record.point.updates());
  for (const Column& column : Columns(record)) {
    if (column.scalar == nullptr || !column.value.has_value()) continue;
    tensorboard::Summary::Value* value = event.mutable_summary()->add_value();
    value->set_tag(column.scalar);
    value->set_simple_value(static_cast<float>(*column.value));
  }
  if (record.reported.staleness.pushes() > 0) {
    tensorboard::Summary::Value* value = event.mutable_summary()->add_value();
    value->set_tag("cluster/staleness");
    *value->mutable_histo() = HistogramOf(record.reported.staleness);
  }
  return event;
}

CountedLines LinesCountedBy(const CoordinatorCheckpoint& checkpoint) {
  const EvaluationScheduleState& evaluations = checkpoint.evaluations();
  if (!evaluations.has_last_recorded()) return {};
  return {evaluations.last_recorded().updates(), std::max<int64_t>(1, evaluations.recorded_there())};
}

absl::StatusOr<std::string> FrameAccuracyToKeep(absl::string_view csv, CountedLines counted) {
  const std::vector<absl::string_view> names = ColumnNames();
  std::string kept = FrameAccuracyHeader();
  std::vector<absl::string_view> lines = absl::StrSplit(csv, '\n');
  lines.pop_back();  // what follows the last line end
  if (lines.empty()) return kept;
  const std::vector<absl::string_view> columns = absl::StrSplit(lines[0], ',');
  const std::set<absl::string_view> known(names.begin(), names.end()), seen(columns.begin(), columns.end());
  if (seen.size() != columns.size() || !seen.contains(kUpdates) || !absl::c_includes(known, seen)) {
    return absl::DataLossError(absl::StrCat("line 1: is '", lines[0], "', want '", absl::StrJoin(names, ","),
                                            "', of which columns other than ", kUpdates, " may be missing"));
  }
  for (size_t line = 1; line < lines.size(); ++line) {
    const std::vector<absl::string_view> values = absl::StrSplit(lines[line], ',');
    std::map<absl::string_view, absl::string_view> value_of;
    for (size_t i = 0; i < std::min(values.size(), columns.size()); ++i) value_of[columns[i]] = values[i];
    int64_t updates;
    if (values.size() != columns.size() || !absl::SimpleAtoi(value_of[kUpdates], &updates)) {
      return absl::DataLossError(absl::StrCat("line ", line + 1, ": is '", lines[line], "', want ",
                                              columns.size(), " values, that of ", kUpdates,
                                              " a whole number"));
    }
    if (updates > counted.updates || (updates == counted.updates && counted.there-- < 1)) break;
    const auto append_value = [&](std::string* out, absl::string_view name) {
      absl::StrAppend(out, value_of[name]);
    };
    absl::StrAppend(&kept, absl::StrJoin(names, ",", append_value), "\n");
  }
  return kept;
}

absl::StatusOr<CoordinatorCheckpoint> LastLineAsCheckpoint(absl::string_view csv) {
  constexpr int64_t kAll = std::numeric_limits<int64_t>::max();
  ASSIGN_OR_RETURN(const std::string kept, FrameAccuracyToKeep(csv, {kAll, kAll}));
  CoordinatorCheckpoint checkpoint;
  const std::vector<absl::string_view> names = ColumnNames();
  std::vector<absl::string_view> lines = absl::StrSplit(kept, '\n', absl::SkipEmpty());
  lines.erase(lines.begin());  // the header
  EvaluationScheduleState& evaluations = *checkpoint.mutable_evaluations();
  for (const absl::string_view line : lines) {
    const std::vector<absl::string_view> values = absl::StrSplit(line, ',');
    const auto text = [&](absl::string_view name) {
      return values[absl::c_find(names, name) - names.begin()];
    };
    const auto whole = [&](absl::string_view name) {
      int64_t number = 0;
      return absl::SimpleAtoi(text(name), &number) ? number : 0;
    };
    const auto real = [&](absl::string_view name) {
      double number = 0;
      return absl::SimpleAtod(text(name), &number) ? number : 0;
    };
    const bool there = evaluations.has_last_recorded() && whole(kUpdates) == checkpoint.updates();
    evaluations.set_recorded_there(there ? evaluations.recorded_there() + 1 : 1);
    evaluations.mutable_last_recorded()->set_updates(whole(kUpdates));
    checkpoint.set_updates(whole(kUpdates));
    checkpoint.set_frames(whole("frames"));
    checkpoint.set_pushes_rejected(whole("pushes_rejected"));
    checkpoint.set_wall_s(real("wall_s"));
    checkpoint.set_virtual_s(real("virtual_s"));
  }
  return checkpoint;
}

std::string StalenessCsv(const StalenessHistogram& staleness) {
  std::string csv = "staleness,pushes\n";
  for (const auto& [updates, pushes] : staleness.counts()) absl::StrAppend(&csv, updates, ",", pushes, "\n");
  return csv;
}

}  // namespace downpour
