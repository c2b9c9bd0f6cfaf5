// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads Prometheus's text format.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <regex>
#include <sstream>
#include <string>

namespace elf::testing {

/** A line that the format does not allow, or a series that occurs twice, fails the test. */
class MetricsText {
 public:
  explicit MetricsText(const std::string& text) {
    static const std::regex sample(
        R"re(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)*\})? (\S+))re");
    static const std::regex comment("# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)");
    std::istringstream lines(text);
    std::string family;
    for (std::string line; std::getline(lines, line);) {
      std::smatch found;
      if (std::regex_match(line, found, comment)) {
        family = found[2];
        if (found[1] == "TYPE") {
          EXPECT_TRUE(types_.emplace(family, found[3]).second) << "twice: " << line;
        }
      } else if (std::regex_match(line, found, sample)) {
        EXPECT_TRUE(found.str(1).starts_with(family)) << "not of " << family << ": " << line;
        EXPECT_TRUE(samples_.emplace(found.str(1) + found.str(2), std::stod(found[3])).second)
            << "twice: " << line;
      } else {
        ADD_FAILURE() << "not in the format: " << line;
      }
    }
  }

  /** The value of a series, with its labels as in the text; NaN if there is no such series. */
  double operator[](const std::string& series) const {
    const auto found = samples_.find(series);
    return found == samples_.end() ? std::nan("") : found->second;
  }
  /** The sum of all series of that name. */
  double sum(const std::string& name) const {
    double sum = 0;
    for (const auto& [series, value] : samples_)
      if (series.substr(0, series.find('{')) == name) sum += value;
    return sum;
  }
  /** The number of series that have this in their names or labels. */
  std::size_t with(const std::string& part) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        samples_, [&](const auto& each) { return each.first.find(part) != std::string::npos; }));
  }
  /** The types of the families, by name. */
  const std::map<std::string, std::string>& types() const { return types_; }

 private:
  std::map<std::string, double> samples_;
  std::map<std::string, std::string> types_;
};

}  // namespace elf::testing
