// Where on the data's way: for tests of the live page: sends WebDriver's commands by HTTP.
#include "tests/testing/browser.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <httplib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "tests/testing/free_port.h"
#include "tests/testing/wait_for.h"

namespace downpour {
namespace {

constexpr char kDriver[] = "/usr/bin/chromedriver";
constexpr char kBrowser[] = "/usr/bin/chromium";

google::protobuf::Value Parsed(const std::string& json) {
  google::protobuf::Value value;
  DOWNPOUR_CHECK(google::protobuf::util::JsonStringToMessage(json, &value).ok());
  return value;
}

std::string AsJson(absl::string_view text) {
  google::protobuf::Value value;
  value.set_string_value(std::string(text));
  std::string json;
  DOWNPOUR_CHECK(google::protobuf::util::MessageToJsonString(value, &json).ok());
  return json;
}

}  // namespace

bool Browser::IsInstalled() { return access(kDriver, X_OK) == 0 && access(kBrowser, X_OK) == 0; }

Browser::Browser(const std::string& folder) {
  port_ = FreePort();
  driver_ = std::make_unique<ChildProcess>(std::vector<std::string>{kDriver, absl::StrCat("--port=", port_)},
                                           folder + "/chromedriver.log");
  httplib::Client client("127.0.0.1", port_);
  DOWNPOUR_CHECK(WaitFor([&] {
    const httplib::Result status = client.Get("/status");
    return status && status->status == 200;
  }));
  const std::string answer = Command(
      "/session",
      absl::StrCat(R"({"capabilities":{"alwaysMatch":{"goog:chromeOptions":{"binary":")", kBrowser,
                   R"(","args":["--headless=new","--no-sandbox","--disable-gpu","--disable-dev-shm-usage",)",
                   R"("--force-color-profile=srgb",)", AsJson("--user-data-dir=" + folder + "/profile"),
                   "]}}}}"));
  session_ = "/session/" + Parsed(answer).struct_value().fields().at("sessionId").string_value();
}

Browser::~Browser() { httplib::Client("127.0.0.1", port_).Delete(session_); }

std::string Browser::Command(const std::string& path, const std::string& body) {
  httplib::Client client("127.0.0.1", port_);
  client.set_read_timeout(60);
  const httplib::Result result =
      body.empty() ? client.Get(session_ + path) : client.Post(session_ + path, body, "application/json");
  if (!result || result->status != 200)
    std::fprintf(stderr, "%s: %s\n", path.c_str(), result ? result->body.c_str() : "no answer");
  DOWNPOUR_CHECK(result && result->status == 200);
  std::string value;
  DOWNPOUR_CHECK(google::protobuf::util::MessageToJsonString(
                     Parsed(result->body).struct_value().fields().at("value"), &value)
                     .ok());
  return value;
}

void Browser::Open(const std::string& url) { Command("/url", absl::StrCat("{\"url\":", AsJson(url), "}")); }

std::string Browser::Value(absl::string_view expression) {
  const std::string script = AsJson(absl::StrCat("return String(", expression, ")"));
  return Parsed(Command("/execute/sync", absl::StrCat("{\"script\":", script, ",\"args\":[]}")))
      .string_value();
}

void Browser::Press(absl::string_view key) {
  Command("/actions",
          absl::StrCat(R"({"actions":[{"type":"key","id":"keys","actions":[{"type":"keyDown","value":")", key,
                       R"("},{"type":"keyUp","value":")", key, R"("}]}]})"));
}

std::string Browser::DevTools(absl::string_view command, absl::string_view parameters) {
  return Command("/goog/cdp/execute",
                 absl::StrCat("{\"cmd\":\"", command, "\",\"params\":", parameters, "}"));
}

void Browser::Resize(int width, int height, bool phone) {
  DevTools("Emulation.setDeviceMetricsOverride", absl::StrCat("{\"width\":", width, ",\"height\":", height,
                                                              ",\"deviceScaleFactor\":", phone ? 2 : 1,
                                                              ",\"mobile\":", phone ? "true" : "false", "}"));
}

void Browser::PreferDark(bool dark) {
  DevTools("Emulation.setEmulatedMedia",
           absl::StrCat(R"({"features":[{"name":"prefers-color-scheme","value":")", dark ? "dark" : "light",
                        R"("}]})"));
}

void Browser::Screenshot(const std::string& path) {
  std::string png;
  DOWNPOUR_CHECK(absl::Base64Unescape(Parsed(Command("/screenshot", "")).string_value(), &png));
  std::ofstream(path, std::ios::binary) << png;
}

}  // namespace downpour
