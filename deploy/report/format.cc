// Where on the data's way: the report; prints numbers in a fixed notation, then takes superfluous digits off.
#include "deploy/report/format.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "common/printable.h"

namespace downpour {
namespace {

// "-1234.5" -> "-1,234.5"
std::string GroupDigits(std::string text) {
  const int first = text[0] == '-' ? 1 : 0;
  for (int at = static_cast<int>(std::min(text.find('.'), text.size())) - 3; at > first; at -= 3)
    text.insert(at, 1, ',');
  return text;
}

}  // namespace

std::string EscapeMarkup(absl::string_view text) {
  return absl::StrReplaceAll(Printable(text),
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string WithThousands(int64_t value) { return GroupDigits(absl::StrCat(value)); }

std::string Number(double value, int decimals) {
  std::string text = absl::StrFormat("%.*f", decimals, value);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text == "-0" ? "0" : GroupDigits(text);
}

std::string Percent(double fraction) { return absl::StrFormat("%.1f %%", 100 * fraction); }

std::string Seconds(double seconds) {
  const int64_t whole = std::llround(seconds);
  if (whole < 120) return absl::StrCat(whole, " s");
  if (whole < 7200) return absl::StrCat(whole / 60, " min ", whole % 60, " s");
  return absl::StrCat(whole / 3600, " h ", whole / 60 % 60, " min");
}

std::string OrDash(std::optional<double> value, const std::function<std::string(double)>& format) {
  return value ? format(*value) : "–";
}

std::string OrDash(std::optional<double> value, int decimals) {
  return value ? Number(*value, decimals) : "–";
}

}  // namespace downpour
