// Where on the data's way: at its end; how the report writes numbers and text.
#ifndef DOWNPOUR_DEPLOY_REPORT_FORMAT_H_
#define DOWNPOUR_DEPLOY_REPORT_FORMAT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace downpour {

// For HTML and SVG text and attribute values.
std::string EscapeMarkup(absl::string_view text);
// 1234567 -> "1,234,567".
std::string WithThousands(int64_t value);
// 0.6123 -> "61.2 %".
std::string Percent(double fraction);
// At most `decimals` digits after the point, without trailing zeros, thousands grouped: (1234.50, 2) ->
// "1,234.5".
std::string Number(double value, int decimals);
// 93.4 -> "93 s", 200 -> "3 min 20 s", 7300 -> "2 h 2 min".
std::string Seconds(double seconds);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_REPORT_FORMAT_H_
