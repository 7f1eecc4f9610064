// Where on the data's way: beside it; answers each scrape with the program's samples as Prometheus' text.
#include "common/metrics/metrics_endpoint.h"

#include <httplib.h>
#include <prometheus/text_serializer.h>

#include <string>
#include <utility>

#include "absl/flags/flag.h"
#include "common/program/logging.h"
#include "common/status_macros.h"

ABSL_FLAG(std::string, metrics, "",
          "host:port at which Prometheus finds this program's metrics, at /metrics; port 0 takes a free one, "
          "which the log names. On loopback it is plain HTTP, elsewhere HTTPS for clients with the role "
          "observer; empty: nowhere");

namespace downpour {
namespace {

constexpr size_t kThreads = 2;

}  // namespace

absl::StatusOr<std::unique_ptr<HttpListener>> ServeMetrics(const Security& security, CollectMetrics collect) {
  const std::string address = absl::GetFlag(FLAGS_metrics);
  if (address.empty()) return nullptr;
  const auto set_up = [&](httplib::Server* server) {
    server->new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server->set_keep_alive_max_count(1);  // a connection that stays would keep one of the threads
    server->Get("/metrics",
                [collect = std::move(collect)](const httplib::Request&, httplib::Response& response) {
                  MetricFamilies families;
                  collect(&families);
                  response.set_content(prometheus::TextSerializer().Serialize(families.families()),
                                       "text/plain; version=0.0.4; charset=utf-8");
                });
  };
  ASSIGN_OR_RETURN(std::unique_ptr<HttpListener> listener, HttpListener::Start(address, security, set_up));
  LogInfo("metrics at ", listener->url(), "/metrics");
  return listener;
}

}  // namespace downpour
