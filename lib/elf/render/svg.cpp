// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/render/svg.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "elf/base/printable.h"

namespace elf::svg {

namespace {

constexpr double kWidth = 860;
constexpr double kLeft = 90;
constexpr double kRight = 20;
constexpr double kTop = 14;
constexpr double kBottom = 46;

std::string coordinate(double value) {
  return formatNumber(value, 1);
}

std::string textAt(double x, double y, const std::string& anchor, const std::string& text) {
  return "<text x='" + coordinate(x) + "' y='" + coordinate(y) + "' text-anchor='" + anchor + "'>" +
         escapeMarkup(text) + "</text>\n";
}

std::string titled(const std::string& shape, const std::string& title) {
  return "<g><title>" + escapeMarkup(title) + "</title>" + shape + "</g>\n";
}

/** 1, 2 or 5 times a power of ten, so that about `count` steps make `range`. */
double niceStep(double range, int count) {
  const double rough = range / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (rough <= factor * power) return factor * power;
  return 10 * power;
}

/** Maps values linearly to the pixels of the plot. */
struct Axis {
  double low = 0;
  double high = 1;
  double begin = 0;
  double end = 1;

  double at(double value) const { return begin + (value - low) / (high - low) * (end - begin); }

  std::vector<double> ticks() const {
    const double step = niceStep(high - low, 6);
    std::vector<double> values;
    for (double k = std::ceil(low / step - 1e-9); k * step <= high * (1 + 1e-9); ++k)
      values.push_back(k * step + 0.0);  // no "-0"
    return values;
  }
  int decimals() const {
    const double step = niceStep(high - low, 6);
    return step >= 1 ? 0 : static_cast<int>(std::ceil(-std::log10(step) - 1e-9));
  }
};

Axis fromZero(double high, double begin, double end) {
  const double above = high > 0 ? high * 1.05 : 1;
  return {0, above, begin, end};
}

std::string open(double height) {
  return "<svg viewBox='0 0 " + coordinate(kWidth) + " " + coordinate(height) + "' role='img'>\n";
}

std::string gridX(const Axis& axis, double top, double bottom, const std::string& name) {
  std::string svg;
  for (const double value : axis.ticks()) {
    const std::string x = coordinate(axis.at(value));
    svg += "<line class='grid' x1='" + x + "' x2='" + x + "' y1='" + coordinate(top) + "' y2='" +
           coordinate(bottom) + "'/>\n";
    svg += textAt(axis.at(value), bottom + 17, "middle", formatNumber(value, axis.decimals()));
  }
  return svg + textAt((axis.begin + axis.end) / 2, bottom + 37, "middle", name);
}

std::string gridY(const Axis& axis, double left, double right, const std::string& name) {
  std::string svg;
  for (const double value : axis.ticks()) {
    const std::string y = coordinate(axis.at(value));
    svg += "<line class='grid' y1='" + y + "' y2='" + y + "' x1='" + coordinate(left) + "' x2='" +
           coordinate(right) + "'/>\n";
    svg += textAt(left - 8, axis.at(value) + 4, "end", formatNumber(value, axis.decimals()));
  }
  const std::string middle = coordinate((axis.begin + axis.end) / 2);
  return svg + "<text x='18' y='" + middle + "' text-anchor='middle' transform='rotate(-90 18 " +
         middle + ")'>" + escapeMarkup(name) + "</text>\n";
}

}  // namespace

std::string escapeMarkup(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string document(const std::string& plot) {
  constexpr std::string_view kTag = "<svg ";
  return "<svg xmlns='http://www.w3.org/2000/svg' " +
         plot.substr(kTag.size(), plot.find('>') + 1 - kTag.size()) +
         "\n<style>text{font:13px sans-serif;fill:#333}.grid{stroke:#ddd}</style>\n"
         "<rect width='100%' height='100%' fill='#fff'/>\n" +
         plot.substr(plot.find('>') + 2);
}

std::string barPlot(const std::vector<BarRow>& rows, const std::string& unit) {
  constexpr double kRow = 34;
  const double bottom = kTop + kRow * static_cast<double>(rows.size());
  double highest = 0;
  for (const BarRow& row : rows) highest = std::max({highest, row.value, row.upper});
  const Axis x = fromZero(highest * 1.06, kLeft, kWidth - kRight);
  std::string svg = open(bottom + kBottom) + gridX(x, kTop, bottom, unit);
  double y = kTop + 4;
  for (const BarRow& row : rows) {
    const auto bar = [&](double value, double top, double height, const std::string& opacity) {
      return "<rect x='" + coordinate(kLeft) + "' y='" + coordinate(top) + "' width='" +
             coordinate(x.at(value) - kLeft) + "' height='" + coordinate(height) + "' fill='" +
             escapeMarkup(row.colour) + "' fill-opacity='" + opacity + "'/>\n";
    };
    svg += bar(row.value, y, 15, "1") + bar(row.upper, y + 16, 9, "0.4");
    svg += textAt(kLeft - 8, y + 16, "end", row.name);
    svg += textAt(x.at(row.value) + 6, y + 12, "start", formatNumber(row.value, 1));
    y += kRow;
  }
  return svg + "</svg>\n";
}

std::string scatterPlot(const std::vector<ScatterPoint>& points, const std::string& xName,
                        const std::string& yName) {
  constexpr double kHeight = 380;
  const double bottom = kHeight - kBottom;
  double highestX = 0, lowestY = 0.5;
  for (const ScatterPoint& point : points) {
    highestX = std::max(highestX, point.x);
    lowestY = std::min({lowestY, point.y, point.hollowY});
  }
  const Axis x = fromZero(highestX, kLeft, kWidth - kRight);
  const Axis y{std::floor(lowestY * 10) / 10, 1, bottom, kTop};
  std::string svg =
      open(kHeight) + gridX(x, kTop, bottom, xName) + gridY(y, kLeft, kWidth - kRight, yName);
  for (const ScatterPoint& point : points) {
    const std::string colour = escapeMarkup(point.colour);
    const std::string at = "<circle cx='" + coordinate(x.at(point.x)) + "' r='6' ";
    svg += titled(at + "cy='" + coordinate(y.at(point.hollowY)) + "' fill='none' stroke='" +
                      colour + "' stroke-width='2'/>",
                  point.name + ", IoU 0.75: " + formatNumber(point.hollowY, 3));
    svg += titled(at + "cy='" + coordinate(y.at(point.y)) + "' fill='" + colour + "'/>",
                  point.name + ", IoU 0.5: " + formatNumber(point.y, 3));
  }
  return svg + "</svg>\n";
}

std::string linePlot(const std::vector<Line>& lines, const std::string& xName,
                     const std::string& yName) {
  constexpr double kHeight = 380;
  const double bottom = kHeight - kBottom;
  double highestX = 0, highestY = 0;
  for (const Line& line : lines) {
    for (const Line::Point& point : line.points) {
      highestX = std::max(highestX, point.x);
      highestY = std::max(highestY, point.y);
    }
  }
  const Axis x = fromZero(highestX, kLeft, kWidth - kRight);
  const Axis y = fromZero(highestY, bottom, kTop);
  std::string svg =
      open(kHeight) + gridX(x, kTop, bottom, xName) + gridY(y, kLeft, kWidth - kRight, yName);
  for (const Line& line : lines) {
    std::string corners;
    for (const Line::Point& point : line.points)
      corners += coordinate(x.at(point.x)) + "," + coordinate(y.at(point.y)) + " ";
    svg += titled("<polyline fill='none' stroke-width='1.4' stroke='" + escapeMarkup(line.colour) +
                      "' points='" + corners + "'/>",
                  line.name);
  }
  return svg + "</svg>\n";
}

}  // namespace elf::svg
