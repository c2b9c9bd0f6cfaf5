// SPDX-License-Identifier: LGPL-2.1-or-later
// A few plots as SVG text.
#pragma once

#include <string>
#include <vector>

namespace elf::svg {

/** `text` with the markup characters of HTML and SVG replaced. */
std::string escapeMarkup(const std::string& text);

/**
 * A separate file from a plot. The plots themselves are elements of a page, which styles text and
 * lines of the class `grid`.
 */
std::string document(const std::string& plot);

/** Two bars for each row, the second one paler: median and 95th percentile. */
struct BarRow {
  std::string name;
  std::string colour;
  double value = 0;
  double upper = 0;
};
std::string barPlot(const std::vector<BarRow>& rows, const std::string& unit);

/** A point, and a hollow one below or above it. */
struct ScatterPoint {
  std::string name;
  std::string colour;
  double x = 0;
  double y = 0;
  double hollowY = 0;
};
/** y runs from at most 0.5 to 1. */
std::string scatterPlot(const std::vector<ScatterPoint>& points, const std::string& xName,
                        const std::string& yName);

struct Line {
  std::string name;
  std::string colour;
  struct Point {
    double x = 0;
    double y = 0;
  };
  std::vector<Point> points;
};
std::string linePlot(const std::vector<Line>& lines, const std::string& xName,
                     const std::string& yName);

}  // namespace elf::svg
