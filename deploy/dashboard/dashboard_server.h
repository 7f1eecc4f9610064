// Where on the data's way: the live page; a browser asks by HTTP, and is sent what changes.
#ifndef DOWNPOUR_DEPLOY_DASHBOARD_DASHBOARD_SERVER_H_
#define DOWNPOUR_DEPLOY_DASHBOARD_DASHBOARD_SERVER_H_

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/http/http_listener.h"
#include "deploy/dashboard/page.h"

namespace downpour {

// Serves one Page until it is destroyed. Only reads: it answers GET and HEAD.
//   /                    the page; /page.css and /page.js with it
//   /events              server-sent events: a part's id and its markup whenever the part has changed
//   /frame_accuracy.csv  of ?run=
//   /report.svg          the main figure of all ?run=
// kMostViewers may watch events at the same time; the next one is answered 503. Thread-safe.
class DashboardServer {
 public:
  static constexpr int kMostViewers = 64;

  // Statuses as HttpListener::Start(). `page` and `clock` are not owned and outlive the server.
  static absl::StatusOr<std::unique_ptr<DashboardServer>> Start(const std::string& address,
                                                                const Security& security, Page* page,
                                                                Clock* clock);
  ~DashboardServer();

  const std::string& address() const { return listener_->address(); }
  const std::string& url() const { return listener_->url(); }

 private:
  DashboardServer(Page* page, Clock* clock) : page_(page), clock_(clock) {}
  void AddHandlers(httplib::Server* server);
  void AddDownloads(httplib::Server* server);

  Page* const page_;
  Clock* const clock_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> viewers_ = 0;
  std::unique_ptr<HttpListener> listener_;
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_DASHBOARD_DASHBOARD_SERVER_H_
