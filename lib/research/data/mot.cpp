// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/data/mot.h"

#include <array>
#include <cmath>

#include "research/data/columns.h"

namespace elf {

namespace {

constexpr std::array<const char*, 7> kColumns = {"frame", "id",     "x",         "y",
                                                 "width", "height", "confidence"};
constexpr std::size_t kRequiredColumns = 6;

}  // namespace

std::vector<MotEntry> parseMot(const std::string& text, const std::string& name) {
  std::vector<MotEntry> entries;
  forEachLine(text, [&](const std::string& row, std::size_t number) {
    const Columns line(row, Columns::Separator::Comma, kColumns,
                       name + ":" + std::to_string(number));
    line.needAtLeast(kRequiredColumns);
    MotEntry entry;
    const auto frame = line.number<std::int64_t>(0);
    if (frame < 1) line.bad(0);
    entry.frame = frame - 1;
    entry.id = line.number<std::int64_t>(1);
    const auto x = line.number<float>(2);
    const auto y = line.number<float>(3);
    const auto width = line.number<float>(4);
    const auto height = line.number<float>(5);
    entry.box = {x, y, x + width, y + height};
    if (!(entry.box.x1 > x) || !std::isfinite(entry.box.x1)) line.bad(4);
    if (!(entry.box.y1 > y) || !std::isfinite(entry.box.y1)) line.bad(5);
    if (line.size() > kRequiredColumns) entry.confidence = line.number<float>(6);
    entry.line = number;
    entries.push_back(entry);
  });
  return entries;
}

std::vector<MotEntry> readMot(const std::string& path) {
  return parseMot(readText(path), path);
}

}  // namespace elf
