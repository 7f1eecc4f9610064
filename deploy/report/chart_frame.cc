// Where on the data's way: the report's pictures; places every element in pixels and writes it as SVG text.
#include "deploy/report/chart_frame.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "deploy/report/format.h"

namespace downpour {
namespace {

constexpr int kColors = 7;
constexpr double kLegendTop = 62;
constexpr double kLegendRow = 20;
constexpr double kLegendSample = 26;

// (x, y) where each legend entry begins. Entries stand side by side; one that does not fit begins a new row.
std::vector<std::pair<double, double>> LegendPlaces(const ChartFrame& frame) {
  std::vector<std::pair<double, double>> places;
  double x = frame.left(), y = kLegendTop;
  for (const ChartFrame::LegendEntry& entry : frame.legend) {
    const double wide = kLegendSample + 6 + TextWidth(entry.name) + 18;
    if (x > frame.left() && x + wide > frame.width) {
      x = frame.left();
      y += kLegendRow;
    }
    places.emplace_back(x, y);
    x += wide;
  }
  return places;
}

}  // namespace

Axis Axis::Covering(double low, double high, int ticks) {
  // With a smaller span, rounding the ends would lose a step, and the ticks would never reach `high`.
  const double smallest_span = std::max({std::abs(low), std::abs(high), 1e-9}) * 1e-9;
  const double span = high - low > smallest_span ? high - low : std::max(std::abs(high), 1.0);
  const double rough = span / ticks;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double ratio = rough / power;
  Axis axis;
  axis.step = power * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
  axis.low = std::floor(low / axis.step + 1e-9) * axis.step;
  axis.high = std::ceil(std::max(high, axis.low + axis.step) / axis.step - 1e-9) * axis.step;
  return axis;
}

Axis Axis::Logarithmic(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  Axis axis;
  axis.low = values.front() / 1.15;
  axis.high = values.back() * 1.15;
  axis.values = std::move(values);
  return axis;
}

double Axis::Pixel(double value, double pixel_low, double pixel_high) const {
  const double share =
      values.empty() ? (value - low) / (high - low) : std::log(value / low) / std::log(high / low);
  return pixel_low + share * (pixel_high - pixel_low);
}

std::vector<double> Axis::Ticks() const {
  if (!values.empty()) return values;
  std::vector<double> ticks;
  const int steps = static_cast<int>((high - low) / step + 1e-6);
  for (int i = 0; i <= steps; ++i) ticks.push_back(low + i * step);
  return ticks;
}

std::string Axis::Label(double tick) const {
  if (!values.empty()) return Number(tick, 2);
  return Number(tick, std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9))));
}

std::string ColorClass(char kind, int color) {
  if (color == kBaseline) return absl::StrFormat("%cg", kind);
  return absl::StrFormat("%c%d", kind, color % kColors);
}

std::string StraightLine(absl::string_view classes, double x1, double y1, double x2, double y2) {
  return absl::StrFormat("<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", classes,
                         x1, y1, x2, y2);
}

double TextWidth(absl::string_view text) {
  double width = 0;
  for (char c : text) width += absl::ascii_isupper(c) || c == '%' ? 9.4 : 7.3;
  return width;
}

std::string Text(double x, double y, absl::string_view anchor, absl::string_view classes,
                 absl::string_view text) {
  return absl::StrFormat("<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", classes,
                         x, y, anchor, EscapeMarkup(text));
}

double ChartFrame::top() const {
  return legend.empty() ? kLegendTop : LegendPlaces(*this).back().second + 16;
}

std::string ChartFrame::Draw(absl::string_view marks) const {
  const double whole_height = bottom() + 54;
  std::string svg = absl::StrFormat(
      "<svg class=\"chart\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
      "height=\"%.0f\" role=\"img\" aria-label=\"%s\">\n<rect class=\"paper\" width=\"100%%\" "
      "height=\"100%%\"/>\n",
      width, whole_height, width, whole_height, EscapeMarkup(title));
  absl::StrAppend(&svg, Text(left(), 24, "start", "title", title),
                  Text(left(), 43, "start", "subtitle", subtitle));

  for (double tick : y_ticks ? y_axis.Ticks() : std::vector<double>()) {
    absl::StrAppend(&svg, StraightLine("grid", left(), Y(tick), right(), Y(tick)),
                    Text(left() - 9, Y(tick) + 4, "end", "tick", y_axis.Label(tick)));
  }
  for (double tick : x_axis.Ticks()) {
    absl::StrAppend(&svg, StraightLine("axis", X(tick), bottom(), X(tick), bottom() + 5),
                    Text(X(tick), bottom() + 19, "middle", "tick", x_axis.Label(tick)));
  }
  absl::StrAppend(&svg, marks, StraightLine("axis", left(), bottom(), right(), bottom()),
                  StraightLine("axis", left(), top(), left(), bottom()),
                  Text((left() + right()) / 2, bottom() + 42, "middle", "label", x_label));
  absl::StrAppendFormat(&svg, "<g transform=\"translate(18 %.1f) rotate(-90)\">%s</g>\n",
                        (top() + bottom()) / 2, Text(0, 0, "middle", "label", y_label));

  const auto places = LegendPlaces(*this);
  for (size_t i = 0; i < legend.size(); ++i) {
    const auto [x, y] = places[i];
    absl::StrAppend(&svg, StraightLine(legend[i].classes, x, y, x + kLegendSample, y),
                    Text(x + kLegendSample + 6, y + 4, "start", "label", legend[i].name));
  }
  return absl::StrCat(svg, "</svg>\n");
}

std::string ChartFrame::DrawEmpty() const {
  return Draw(
      Text((left() + right()) / 2, (top() + bottom()) / 2, "middle", "subtitle", "nothing to draw yet"));
}

std::string DrawingStyle(bool dark) {
  std::string style =
      R"(.chart{font-family:"Helvetica Neue",Helvetica,Arial,"Liberation Sans",sans-serif;font-size:12.5px}
.chart .paper{fill:#fff}
.chart text{fill:#222}
.chart .title{font-size:16px;font-weight:600}
.chart .subtitle,.chart .tick{fill:#666}
.chart .end{font-weight:600}
.chart .grid{stroke:#e4e4e4;stroke-width:1}
.chart .axis{stroke:#555;stroke-width:1}
.chart .mark{stroke:#444;stroke-width:1.2;stroke-dasharray:4 3}
.chart .line{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
.chart .range{stroke-width:1.4}
.chart .dashed{stroke-dasharray:2 5}
.chart .point{stroke:transparent;stroke-width:10}
.chart .bar{fill-opacity:.85}
.chart .sg{stroke:#767676}.chart text.fg,.chart .fg{fill:#767676}
)";
  const auto palette = [](std::initializer_list<const char*> colors) {
    std::string rules;
    int i = 0;
    for (const char* color : colors) {
      absl::StrAppendFormat(&rules, ".chart .s%d{stroke:%s}.chart text.f%d,.chart .f%d{fill:%s}\n", i, color,
                            i, i, color);
      ++i;
    }
    return rules;
  };
  absl::StrAppend(&style,
                  palette({"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7a6a00"}));
  if (dark) {
    absl::StrAppend(&style, R"(@media screen and (prefers-color-scheme: dark) {
.chart .paper{fill:#16181c}
.chart text{fill:#e6e6e6}
.chart .subtitle,.chart .tick{fill:#a2a6ad}
.chart .grid{stroke:#2c3036}
.chart .axis{stroke:#9a9ea6}
.chart .mark{stroke:#c8c8c8}
.chart .sg{stroke:#a2a6ad}.chart text.fg,.chart .fg{fill:#a2a6ad}
)",
                    palette({"#56B4E9", "#FF8A3D", "#2FC8A0", "#E59AC4", "#F0C24B", "#9CCBF0", "#d8d06a"}),
                    "}\n");
  }
  return style;
}

}  // namespace downpour
