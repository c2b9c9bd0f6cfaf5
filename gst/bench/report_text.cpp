// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "gst/bench/report.h"
#include "gst/bench/report_table.h"

namespace elf::bench {

namespace {

std::string aligned(const std::vector<std::string>& row, const std::vector<std::size_t>& widths) {
  std::string text;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string space(widths[i] - row[i].size(), ' ');
    // Names and notes are left-aligned, numbers right-aligned.
    const bool left = i == 0 || i + 1 == row.size();
    text += (i ? "  " : "") + (left ? row[i] + space : space + row[i]);
  }
  text.erase(text.find_last_not_of(' ') + 1);
  return text + "\n";
}

}  // namespace

std::string reportText(const Report& report, const Options& options) {
  const auto rows = tableRows(report);
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::size_t width = 2 * (widths.size() - 1);
  for (const std::size_t column : widths) width += column;

  std::string text = describeRun(report, options) + "\n\n" + aligned(rows.front(), widths) +
                     std::string(width, '-') + "\n";
  for (std::size_t i = 1; i < rows.size(); ++i) text += aligned(rows[i], widths);
  text += "\n";
  for (const std::string& line : explainTable(report, options)) text += line + "\n";
  return text;
}

}  // namespace elf::bench
