// Where on the data's way: for tests of the live page: Chromium without a window, as a person would use it.
#ifndef DOWNPOUR_TESTS_TESTING_BROWSER_H_
#define DOWNPOUR_TESTS_TESTING_BROWSER_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "tests/testing/child_process.h"

namespace downpour {

// A browser window that chromedriver controls (W3C WebDriver). Its calls CHECK that they succeed. Not
// thread-safe.
class Browser {
 public:
  // Whether Debian's packages chromium and chromium-driver are installed.
  static bool IsInstalled();
  // `folder`: for its profile and logs.
  explicit Browser(const std::string& folder);
  ~Browser();

  void Open(const std::string& url);
  // The value of a JavaScript expression as text: of a number "3", of a condition "true", of a string itself.
  std::string Value(absl::string_view expression);
  // A key to the element in focus; `key` is WebDriver's code of it, for example kTab.
  void Press(absl::string_view key);
  static constexpr char kTab[] = "\\uE004";
  static constexpr char kEnter[] = "\\uE007";
  static constexpr char kSpace[] = " ";
  void Resize(int width, int height, bool phone = false);
  void PreferDark(bool dark);
  // Writes a PNG of the window.
  void Screenshot(const std::string& path);

 private:
  // Sends a command of the session and returns its answer's "value", as JSON.
  std::string Command(const std::string& path, const std::string& body);
  std::string DevTools(absl::string_view command, absl::string_view parameters);

  std::unique_ptr<ChildProcess> driver_;
  int port_ = 0;
  std::string session_;  // path of the session
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_BROWSER_H_
