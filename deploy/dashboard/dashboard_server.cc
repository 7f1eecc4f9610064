// Where on the data's way: the live page; one thread for each connection that is open.
#include "deploy/dashboard/dashboard_server.h"

#include <httplib.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/file/file.h"
#include "common/status_macros.h"
#include "deploy/dashboard/page_files.h"
#include "deploy/report/chart_frame.h"

namespace downpour {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(250);  // between two looks for changes
constexpr absl::Duration kKeepAlive = absl::Seconds(10);   // between two lines to a viewer
constexpr int kOtherThreads = 16;                          // that answer what is not /events

View ViewOf(const httplib::Request& request) {
  View view;
  for (size_t i = 0; i < request.get_param_value_count("run"); ++i)
    view.runs.push_back(request.get_param_value("run", i));
  view.order = request.get_param_value("order");
  return view;
}

std::string Event(absl::string_view part, absl::string_view markup) {
  std::string event = absl::StrCat("event: ", part, "\n");
  for (const absl::string_view line : absl::StrSplit(markup, absl::ByAnyChar("\r\n")))
    absl::StrAppend(&event, "data: ", line, "\n");
  return absl::StrCat(event, "\n");
}

void Refuse(const absl::Status& status, httplib::Response* response) {
  response->status = absl::IsNotFound(status) ? 404 : 500;
  response->set_content(absl::StrCat(status.message(), "\n"), "text/plain; charset=utf-8");
}

// What one viewer has been sent.
class Viewer {
 public:
  Viewer(Page* page, View view, Clock* clock) : page_(page), view_(std::move(view)), clock_(clock) {}

  // Everything that has changed since the last call; now and then a line that says nothing, so that both ends
  // notice when the other is gone.
  std::string News() {
    std::string news;
    const std::shared_ptr<const PageParts> parts = page_->Parts(view_);
    if (parts != sent_parts_) {
      for (const auto& [part, markup] : *parts) {
        std::string& sent = sent_[part];
        if (markup == sent) continue;
        absl::StrAppend(&news, Event(part, markup));
        sent = markup;
      }
      sent_parts_ = parts;
    }
    if (news.empty() && clock_->Now() - last_news_ >= kKeepAlive) news = ":\n\n";
    if (!news.empty()) last_news_ = clock_->Now();
    return news;
  }

 private:
  Page* const page_;
  const View view_;
  Clock* const clock_;
  std::shared_ptr<const PageParts> sent_parts_;
  std::map<std::string, std::string> sent_;
  absl::Time last_news_ = absl::InfinitePast();
};

}  // namespace

absl::StatusOr<std::unique_ptr<DashboardServer>> DashboardServer::Start(const std::string& address,
                                                                        const Security& security, Page* page,
                                                                        Clock* clock) {
  std::unique_ptr<DashboardServer> dashboard(new DashboardServer(page, clock));
  const auto set_up = [&](httplib::Server* server) {
    server->new_task_queue = [] { return new httplib::ThreadPool(kMostViewers + kOtherThreads); };
    server->set_keep_alive_timeout(2);
    server->set_default_headers(
        {{"Cache-Control", "no-store"},
         {"X-Content-Type-Options", "nosniff"},
         {"Referrer-Policy", "no-referrer"},
         {"Content-Security-Policy",
          "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
          "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"}});
    dashboard->AddHandlers(server);
    dashboard->AddDownloads(server);
  };
  ASSIGN_OR_RETURN(dashboard->listener_, HttpListener::Start(address, security, set_up));
  return dashboard;
}

DashboardServer::~DashboardServer() {
  stopping_ = true;
  listener_.reset();
}

void DashboardServer::AddHandlers(httplib::Server* server) {
  server->Get("/", [this](const httplib::Request& request, httplib::Response& response) {
    const View view = ViewOf(request);
    response.set_content(Page::Html(view, *page_->Parts(view)), "text/html; charset=utf-8");
  });
  server->Get("/page.css", [](const httplib::Request&, httplib::Response& response) {
    response.set_content(absl::StrCat(kPageCss, DrawingStyle(/*dark=*/true)), "text/css; charset=utf-8");
  });
  server->Get("/page.js", [](const httplib::Request&, httplib::Response& response) {
    response.set_content(kPageJs, "text/javascript; charset=utf-8");
  });
  server->Get("/events", [this](const httplib::Request& request, httplib::Response& response) {
    if (++viewers_ > kMostViewers) {
      --viewers_;
      response.status = 503;
      return;
    }
    const auto viewer = std::make_shared<Viewer>(page_, ViewOf(request), clock_);
    response.set_chunked_content_provider(
        "text/event-stream",
        [this, viewer](size_t, httplib::DataSink& sink) {
          std::string news;
          while (!stopping_ && (news = viewer->News()).empty()) clock_->SleepFor(kLook);
          return !stopping_ && sink.write(news.data(), news.size());
        },
        [this](bool) { --viewers_; });
  });
}

void DashboardServer::AddDownloads(httplib::Server* server) {
  const auto attach = [](const char* name, httplib::Response* response) {
    response->set_header("Content-Disposition", absl::StrCat("attachment; filename=\"", name, "\""));
  };
  server->Get("/frame_accuracy.csv", [=, this](const httplib::Request& request, httplib::Response& response) {
    const absl::StatusOr<std::string> folder = page_->FolderOf(request.get_param_value("run"));
    if (!folder.ok()) return Refuse(folder.status(), &response);
    const absl::StatusOr<std::string> csv = ReadFile(*folder + "/frame_accuracy.csv");
    if (!csv.ok()) return Refuse(csv.status(), &response);
    attach("frame_accuracy.csv", &response);
    response.set_content(*csv, "text/csv; charset=utf-8");
  });
  server->Get("/report.svg", [=, this](const httplib::Request& request, httplib::Response& response) {
    const absl::StatusOr<std::string> svg = page_->Svg(ViewOf(request));
    if (!svg.ok()) return Refuse(svg.status(), &response);
    attach("report.svg", &response);
    response.set_content(*svg, "image/svg+xml");
  });
}

}  // namespace downpour
