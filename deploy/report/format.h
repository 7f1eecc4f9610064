// Where on the data's way: the report; numbers and text come in, what a person reads goes out.
#ifndef DOWNPOUR_DEPLOY_REPORT_FORMAT_H_
#define DOWNPOUR_DEPLOY_REPORT_FORMAT_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace downpour {

// `text` with &, <, > and " escaped, for HTML and SVG text and attribute values.
std::string EscapeMarkup(absl::string_view text);
// 1234567 -> "1,234,567".
std::string WithThousands(int64_t value);
// 0.6123 -> "61.2 %".
std::string Percent(double fraction);
// At most `decimals` digits after the point, no trailing zeros, thousands apart: (1234.50, 2) -> "1,234.5".
std::string Number(double value, int decimals);
// 93.4 -> "93 s", 200 -> "3 min 20 s", 7300 -> "2 h 1 min".
std::string Seconds(double seconds);
// format(value), or Number(value, decimals); "–" where there is no value.
std::string OrDash(std::optional<double> value, const std::function<std::string(double)>& format);
std::string OrDash(std::optional<double> value, int decimals);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_FORMAT_H_
