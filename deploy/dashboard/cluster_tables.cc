// Where on the data's way: the live page; takes speeds from two answers of the coordinator, writes rows.
#include "deploy/dashboard/cluster_tables.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "deploy/report/format.h"

namespace downpour {
namespace {

constexpr const char* kOrders[] = {"id", "host", "speed", "silence", "staleness", "rejected"};
constexpr double kShareOfMedianThatIsSlow = 0.5;
constexpr double kShareOfTimeoutThatIsSilent = 0.5;

struct Row {
  const ReplicaOverview* replica;
  std::optional<double> speed;  // frames a second
  bool slow = false;
  bool silent = false;

  const char* State() const { return silent ? "silent" : slow ? "slow" : "works"; }
};

// (now - before) / span; none where there is no older answer, or the counter began anew.
std::optional<double> Rate(double now, double before, absl::Duration span) {
  if (span <= absl::ZeroDuration() || now < before) return std::nullopt;
  return (now - before) / absl::ToDoubleSeconds(span);
}

std::vector<Row> Rows(const ClusterNow& cluster) {
  std::map<uint64_t, const ReplicaOverview*> before;
  if (cluster.older != nullptr) {
    for (const ReplicaOverview& replica : cluster.older->replicas()) before[replica.replica_id()] = &replica;
  }
  std::vector<Row> rows;
  std::vector<double> speeds;
  for (const ReplicaOverview& replica : cluster.now.replicas()) {
    Row& row = rows.emplace_back(Row{&replica, std::nullopt});
    row.silent = replica.silent_s() > kShareOfTimeoutThatIsSilent * cluster.now.replica_timeout_s();
    if (const auto known = before.find(replica.replica_id()); known != before.end()) {
      row.speed = Rate(static_cast<double>(replica.frames()), static_cast<double>(known->second->frames()),
                       cluster.span);
    }
    if (row.speed.has_value()) speeds.push_back(*row.speed);
  }
  if (speeds.empty()) return rows;
  const auto middle = speeds.begin() + static_cast<std::ptrdiff_t>(speeds.size() / 2);
  std::nth_element(speeds.begin(), middle, speeds.end());
  for (Row& row : rows) row.slow = row.speed.has_value() && *row.speed < kShareOfMedianThatIsSlow * *middle;
  return rows;
}

std::string Cell(absl::string_view text) { return absl::StrCat("<td>", EscapeMarkup(text), "</td>"); }

std::string Plural(int64_t count, const char* what) {
  return absl::StrCat(WithThousands(count), " ", what, count == 1 ? "" : "s");
}

const char* PhaseText(RunStatus::Phase phase) {
  switch (phase) {
    case RunStatus::WAITING:
      return "Waits for shards";
    case RunStatus::FINISHED:
      return "Finished";
    default:
      return "Training";
  }
}

// A short duration: "0.4 s", "12 s", "3 min 20 s". It may come from a server that says anything.
std::string Ago(double seconds) {
  constexpr double kLongest = 1e10;
  if (!(std::abs(seconds) < kLongest)) return "–";
  return seconds < 10 ? absl::StrCat(Number(std::max(0.0, seconds), 1), " s") : Seconds(seconds);
}

void Sort(ReplicaOrder order, std::vector<Row>* rows) {
  const auto by = [rows](auto key) {
    std::stable_sort(rows->begin(), rows->end(), [&](const Row& a, const Row& b) { return key(a) < key(b); });
  };
  switch (order) {
    case ReplicaOrder::kId:
      return;
    case ReplicaOrder::kHost:
      return by([](const Row& row) { return row.replica->host(); });
    case ReplicaOrder::kSpeed:  // the slowest first, as they are looked for
      return by([](const Row& row) { return row.speed.value_or(0); });
    case ReplicaOrder::kSilence:
      return by([](const Row& row) { return -row.replica->silent_s(); });
    case ReplicaOrder::kStaleness:
      return by([](const Row& row) { return -row.replica->staleness_mean(); });
    case ReplicaOrder::kRejected:
      return by([](const Row& row) { return -row.replica->pushes_rejected(); });
  }
}

}  // namespace

ReplicaOrder ReplicaOrderFrom(absl::string_view text) {
  const auto* found = std::find(std::begin(kOrders), std::end(kOrders), text);
  return found == std::end(kOrders) ? ReplicaOrder::kId
                                    : static_cast<ReplicaOrder>(found - std::begin(kOrders));
}

std::string ClusterSummary(const ClusterNow& cluster) {
  const RunStatus& status = cluster.now.status();
  const std::vector<Row> rows = Rows(cluster);
  const auto count = [&](absl::string_view state) {
    return std::count_if(rows.begin(), rows.end(), [&](const Row& row) { return row.State() == state; });
  };
  std::string line = absl::StrCat(PhaseText(status.phase()), ": ", Plural(status.updates(), "update"), ", ",
                                  Percent(status.fraction_done()), " of the budget");
  if (cluster.older != nullptr) {
    const auto rate = Rate(static_cast<double>(status.updates()),
                           static_cast<double>(cluster.older->status().updates()), cluster.span);
    absl::StrAppend(&line, ", ", OrDash(rate, 1), " updates a second");
  }
  absl::StrAppend(&line, "; last update ", Ago(cluster.now.since_update_s()), " ago; staleness ",
                  Number(cluster.now.staleness_mean(), 1), " on average, 99th percentile ",
                  Number(static_cast<double>(cluster.now.staleness_p99()), 0), ". ",
                  Plural(static_cast<int64_t>(rows.size()), "replica"), ": ", count("works"), " at work, ",
                  count("slow"), " slow, ", count("silent"), " silent.");
  std::string html =
      absl::StrCat("<p>", EscapeMarkup(line), "</p>\n<div class=\"squares\" aria-hidden=\"true\">");
  for (const Row& row : rows) {
    const ReplicaOverview& replica = *row.replica;
    absl::StrAppend(&html, "<i class=\"", row.State(), "\" title=\"",
                    EscapeMarkup(absl::StrCat("replica ", replica.replica_id(), " on ", replica.host(), ": ",
                                              row.State())),
                    "\"></i>");
  }
  absl::StrAppend(&html, "</div>\n");
  if (cluster.now.gone().empty()) return html;
  absl::StrAppend(&html, "<ul class=\"gone\">");
  for (const GoneReplica& gone : cluster.now.gone()) {
    absl::StrAppend(&html, gone.why() == "left" ? "<li>" : "<li class=\"dead\">",
                    EscapeMarkup(absl::StrCat("replica ", gone.replica_id(), " on ", gone.host(), ": ",
                                              gone.why(), ", ", Ago(gone.gone_s()), " ago")),
                    "</li>");
  }
  return absl::StrCat(html, "</ul>\n");
}

std::string ReplicaTable(const ClusterNow& cluster, ReplicaOrder order,
                         const std::function<std::string(absl::string_view)>& link) {
  constexpr const char* kHeadings[] = {"replica",           "host",      "frames/s",
                                       "last sign of life", "staleness", "rejected"};
  std::string html = "<table><thead><tr>";
  for (size_t i = 0; i < std::size(kHeadings); ++i) {
    const bool chosen = static_cast<size_t>(order) == i;
    absl::StrAppend(&html, "<th", chosen ? " aria-sort=\"other\"" : "", "><a data-key=\"sort-", kOrders[i],
                    "\" href=\"", EscapeMarkup(link(kOrders[i])), "\">", kHeadings[i], chosen ? " ▾" : "",
                    "</a></th>");
  }
  absl::StrAppend(&html, "<th>state</th></tr></thead>\n<tbody>\n");
  std::vector<Row> rows = Rows(cluster);
  Sort(order, &rows);
  for (const Row& row : rows) {
    const ReplicaOverview& replica = *row.replica;
    absl::StrAppend(&html, "<tr class=\"", row.State(), "\">", Cell(absl::StrCat(replica.replica_id())),
                    Cell(replica.host()), Cell(OrDash(row.speed, 0)), Cell(Ago(replica.silent_s())),
                    Cell(Number(replica.staleness_mean(), 1)), Cell(WithThousands(replica.pushes_rejected())),
                    Cell(row.State()), "</tr>\n");
  }
  if (rows.empty()) absl::StrAppend(&html, "<tr><td colspan=\"7\">no replica is in the cluster</td></tr>");
  return absl::StrCat(html, "</tbody></table>\n");
}

std::string ShardTable(const ClusterNow& cluster) {
  std::map<uint32_t, const ShardOverview*> before;
  if (cluster.older != nullptr) {
    for (const ShardOverview& shard : cluster.older->shards()) before[shard.shard()] = &shard;
  }
  std::string html =
      "<table><thead><tr><th>shard</th><th>address</th><th>updates/s</th><th>MB/s in</th>"
      "<th>MB/s out</th><th>standby</th><th>last checkpoint</th><th>last sign of "
      "life</th><th>state</th></tr></thead>\n"
      "<tbody>\n";
  for (const ShardOverview& shard : cluster.now.shards()) {
    const ShardActivity& now = shard.activity();
    const auto known = before.find(shard.shard());
    const auto rate = [&](auto field, double unit, int decimals) {
      std::optional<double> value;
      if (known != before.end())
        value = Rate(static_cast<double>((now.*field)()) / unit,
                     static_cast<double>((known->second->activity().*field)()) / unit, cluster.span);
      return Cell(OrDash(value, decimals));
    };
    const double age = now.checkpoint_age_s() + shard.silent_s();
    absl::StrAppend(&html, "<tr class=\"", shard.lost() ? "silent" : "works", "\">",
                    Cell(absl::StrCat(shard.shard())), Cell(shard.address()),
                    rate(&ShardActivity::version, 1, 1), rate(&ShardActivity::bytes_received, 1e6, 1),
                    rate(&ShardActivity::bytes_sent, 1e6, 1),
                    Cell(shard.standby().empty() ? "–" : shard.standby()),
                    Cell(shard.has_activity() && now.checkpoint_age_s() >= 0 ? Ago(age) + " ago" : "–"),
                    Cell(Ago(shard.silent_s()) + " ago"), Cell(shard.lost() ? "lost" : "serves"), "</tr>\n");
  }
  if (cluster.now.shards().empty())
    absl::StrAppend(&html, "<tr><td colspan=\"9\">no shard has registered</td></tr>");
  return absl::StrCat(html, "</tbody></table>\n");
}

}  // namespace downpour
