// Where on the data's way: the live page; writes each part from the runs that are chosen.
#include "deploy/dashboard/page.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "deploy/dashboard/cluster_tables.h"
#include "deploy/report/format.h"
#include "deploy/report/report.h"

namespace downpour {
namespace {

constexpr absl::Duration kListEvery = absl::Seconds(3);
constexpr auto kLive = std::chrono::seconds(30);  // without a change; coordinators write every few seconds
constexpr size_t kMostChosen = 12;
constexpr size_t kMostMade = 64;

// As it stands in the query of an address.
std::string Encoded(absl::string_view text) {
  std::string encoded;
  for (const char c : text) {
    if (absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.' || c == '/') {
      encoded.push_back(c);
    } else {
      absl::StrAppendFormat(&encoded, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

std::string Ago(const ListedRun& run) {
  const auto age = std::filesystem::file_time_type::clock::now() - run.last_change;
  return Seconds(std::max(0.0, std::chrono::duration<double>(age).count()));
}

bool IsLive(const ListedRun& run) {
  return std::filesystem::file_time_type::clock::now() - run.last_change < kLive;
}

// `heading` only where there are several runs to tell apart.
std::string Heading(const std::string& run, size_t runs) {
  return runs > 1 ? absl::StrCat("<h3>", EscapeMarkup(run), "</h3>\n") : "";
}

// What could not be read, where everybody sees it; all of it is below the figures too.
std::string NotesPart(const LoggedRun& run) {
  constexpr size_t kMostNotes = 5;
  if (run.notes.empty()) return "";
  std::string html = "<ul class=\"notes\">";
  for (size_t i = 0; i < std::min(kMostNotes, run.notes.size()); ++i)
    absl::StrAppend(&html, "<li>", EscapeMarkup(run.notes[i]), "</li>");
  if (run.notes.size() > kMostNotes)
    absl::StrAppend(&html, "<li>and ", run.notes.size() - kMostNotes, " more, below the figures</li>");
  return absl::StrCat(html, "</ul>\n");
}

std::string LogPart(const WatchedRun& run) {
  std::string text;
  for (const std::string& line : run.log_lines()) absl::StrAppend(&text, EscapeMarkup(line), "\n");
  return text.empty() ? "<p class=\"soft\">no log.txt</p>\n" : absl::StrCat("<pre>", text, "</pre>\n");
}

std::string DownloadsPart(const std::vector<std::string>& chosen) {
  std::string html = absl::StrCat("<a href=\"/report.svg", EscapeMarkup(View{chosen, ""}.Query()),
                                  "\" download>figure 1 as SVG</a>");
  for (const std::string& run : chosen) {
    absl::StrAppend(&html, " · <a href=\"/frame_accuracy.csv?run=", EscapeMarkup(Encoded(run)),
                    "\" download>", EscapeMarkup(run), " as CSV</a>");
  }
  return html;
}

}  // namespace

std::string View::Query() const {
  std::string query;
  const auto add = [&query](absl::string_view name, absl::string_view value) {
    absl::StrAppend(&query, query.empty() ? "?" : "&", name, "=", Encoded(value));
  };
  for (const std::string& run : runs) add("run", run);
  if (!order.empty()) add("order", order);
  return query;
}

Page::Page(std::string root, std::string coordinator, AskCoordinator ask, Clock* clock)
    : root_(std::move(root)), coordinator_(std::move(coordinator)), ask_(std::move(ask)), clock_(clock) {}

void Page::ListAgain(absl::Time now) {
  if (now < next_listing_) return;
  listed_ = ListRuns(root_);
  next_listing_ = now + kListEvery;
}

bool Page::Has(const std::string& run) const {
  return absl::c_any_of(listed_, [&](const ListedRun& listed) { return listed.name == run; });
}

WatchedRun& Page::Watch(const std::string& run) {
  std::unique_ptr<WatchedRun>& watched = watched_[run];
  if (watched == nullptr)
    watched = std::make_unique<WatchedRun>(absl::StrCat(root_, "/", run), coordinator_, ask_, clock_);
  watched->Look();
  return *watched;
}

std::vector<LoggedRun> Page::Logged(const std::vector<std::string>& chosen) {
  std::vector<LoggedRun> runs;
  runs.reserve(chosen.size());
  for (const std::string& run : chosen) runs.push_back(Watch(run).logged());
  return runs;
}

std::vector<std::string> Page::Chosen(const View& view) const {
  std::vector<std::string> chosen;
  for (const std::string& run : view.runs) {
    if (Has(run) && chosen.size() < kMostChosen && !absl::c_linear_search(chosen, run)) chosen.push_back(run);
  }
  if (chosen.empty() && !listed_.empty()) chosen.push_back(listed_.front().name);
  return chosen;
}

std::string Page::RunsPart(const std::vector<std::string>& chosen) {
  std::string html;
  for (const ListedRun& run : listed_) {
    const bool is_chosen = absl::c_linear_search(chosen, run.name);
    const std::string name = EscapeMarkup(run.name);
    const bool live = IsLive(run);
    absl::StrAppend(
        &html, "<li><input type=\"checkbox\" name=\"run\" value=\"", name, "\" data-key=\"choose-", name,
        "\" aria-label=\"compare ", name, "\"", is_chosen ? " checked" : "", "><a data-key=\"open-", name,
        "\" href=\"/", EscapeMarkup(View{{run.name}, ""}.Query()), "\"",
        is_chosen ? " aria-current=\"true\"" : "", ">", name, "</a><span class=\"",
        live ? "live\">live" : "soft\">", live ? "" : EscapeMarkup(Ago(run) + " ago"), "</span></li>\n");
  }
  return html.empty() ? "<li class=\"soft\">no run yet</li>" : html;
}

std::string Page::FiguresPart(const std::vector<std::string>& chosen, Made* made) {
  std::string versions;
  for (const std::string& run : chosen) absl::StrAppend(&versions, Watch(run).version(), ",");
  if (versions == made->versions) return made->figures;
  made->versions = versions;
  made->figures = MakeReport(Logged(chosen)).body;
  return made->figures;
}

std::shared_ptr<const PageParts> Page::Parts(const View& view) {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_->Now();
  ListAgain(now);
  const std::vector<std::string> chosen = Chosen(view);
  if (made_.size() > kMostMade) made_.clear();
  Made& made = made_[View{chosen, view.order}.Query()];
  if (now < made.until) return made.parts;

  PageParts parts;
  std::string cluster, replicas, shards, log;
  const ReplicaOrder order = ReplicaOrderFrom(view.order);
  const auto link = [&chosen](absl::string_view name) {
    return absl::StrCat("/", View{chosen, std::string(name)}.Query());
  };
  for (const std::string& name : chosen) {
    const WatchedRun& run = Watch(name);
    const std::string heading = Heading(name, chosen.size());
    absl::StrAppend(&log, heading, LogPart(run));
    absl::StrAppend(&cluster, heading, NotesPart(run.logged()));
    if (run.overview() == nullptr) {
      absl::StrAppend(&cluster, "<p class=\"soft\">No table of replicas and shards: ",
                      EscapeMarkup(run.why_no_overview()), ".</p>\n");
      continue;
    }
    const ClusterNow answers{*run.overview(), run.older(),
                             run.older() == nullptr ? absl::ZeroDuration() : run.span()};
    absl::StrAppend(&cluster, ClusterSummary(answers));
    absl::StrAppend(&replicas, heading, ReplicaTable(answers, order, link));
    absl::StrAppend(&shards, heading, ShardTable(answers));
  }
  parts.emplace_back("runs", RunsPart(chosen));
  parts.emplace_back("cluster", cluster);
  parts.emplace_back("replicas", replicas);
  parts.emplace_back("shards", shards);
  parts.emplace_back("downloads", chosen.empty() ? "" : DownloadsPart(chosen));
  parts.emplace_back("figures", chosen.empty() ? absl::StrCat("<p class=\"soft\">There is no run in ",
                                                              EscapeMarkup(root_), " yet.</p>\n")
                                               : FiguresPart(chosen, &made));
  parts.emplace_back("log", log);
  made.parts = std::make_shared<const PageParts>(std::move(parts));
  made.until = now + WatchedRun::kInterval;
  return made.parts;
}

absl::StatusOr<std::string> Page::FolderOf(const std::string& run) {
  absl::MutexLock lock(&mutex_);
  ListAgain(clock_->Now());
  if (!Has(run)) return absl::NotFoundError("no such run");
  return absl::StrCat(root_, "/", run);
}

absl::StatusOr<std::string> Page::Svg(const View& view) {
  absl::MutexLock lock(&mutex_);
  ListAgain(clock_->Now());
  const std::vector<std::string> chosen = Chosen(view);
  if (chosen.empty()) return absl::NotFoundError("no run yet");
  return MakeReport(Logged(chosen)).svg;
}

std::string Page::Html(const View& view, const PageParts& parts) {
  const auto part = [&parts](absl::string_view id) {
    const auto found = absl::c_find_if(parts, [&](const auto& named) { return named.first == id; });
    return found == parts.end() ? "" : found->second;
  };
  const auto section = [&](absl::string_view id, absl::string_view title, absl::string_view classes) {
    return absl::StrCat("<section><h2>", title, "</h2><div id=\"", id, "\" class=\"", classes,
                        "\" tabindex=\"0\" role=\"region\" aria-label=\"", title, "\">", part(id),
                        "</div></section>\n");
  };
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\">\n<title>Downpour: runs</title>\n<link rel=\"icon\" "
      "href=\"data:,\">\n<link rel=\"stylesheet\" href=\"/page.css\">\n<script src=\"/page.js\" "
      "defer></script>\n</head>\n<body data-query=\"",
      EscapeMarkup(view.Query()),
      "\">\n<header><h1>Downpour</h1><p id=\"connection\" role=\"status\" class=\"soft\"></p><nav "
      "aria-label=\"parts of the page\"><a href=\"#cluster\">cluster</a> <a "
      "href=\"#figures\">curves</a> <a href=\"#replicas\">replicas</a> <a href=\"#shards\">shards</a> <a "
      "href=\"#log\">log</a></nav></header>\n"
      "<div class=\"page\">\n<nav aria-label=\"runs\"><form method=\"get\" action=\"/\"><h2>Runs</h2><ul "
      "id=\"runs\">",
      part("runs"), "</ul><button>compare the chosen runs</button></form></nav>\n<main>\n",
      "<section><h2>Cluster</h2><div id=\"cluster\">", part("cluster"), "</div></section>\n",
      "<section><p id=\"downloads\">", part("downloads"), "</p><div id=\"figures\">", part("figures"),
      "</div></section>\n", section("replicas", "Replicas", "scroll tall"),
      section("shards", "Shards", "scroll"), section("log", "Log", "scroll tall"),
      "</main>\n</div>\n</body>\n</html>\n");
}

}  // namespace downpour
