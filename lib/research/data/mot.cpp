// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/data/mot.h"

#include <array>
#include <cmath>

#include "elf/base/data_files.h"
#include "elf/base/text_file.h"
#include "research/data/columns.h"

namespace elf {

namespace {

constexpr std::array<const char*, 7> kColumns = {"frame", "id",     "x",         "y",
                                                 "width", "height", "confidence"};
constexpr std::size_t kRequiredColumns = 6;

}  // namespace

std::vector<MotEntry> parseMot(const std::string& text, const std::string& name,
                               const DataWarning& warn) {
  std::vector<MotEntry> entries;
  FlatBoxes flat;
  forEachLine(plainText(name, text), [&](const std::string& row, std::size_t number) {
    const bool commas = row.find(',') != std::string::npos;
    const Columns line(row, commas ? Columns::Separator::Comma : Columns::Separator::Blanks,
                       kColumns, name + ":" + std::to_string(number));
    line.needAtLeast(kRequiredColumns);
    MotEntry entry;
    const auto frame = line.number<std::int64_t>(0);
    if (frame < 1) line.bad(0);
    entry.frame = frame - 1;
    entry.id = line.number<std::int64_t>(1);
    // MATLAB's convention, as the devkit has it: the pixel at the top left is (1, 1).
    const float x = line.number<float>(2) - 1;
    const float y = line.number<float>(3) - 1;
    const auto width = line.number<float>(4);
    const auto height = line.number<float>(5);
    if (!std::isfinite(x + width)) line.bad(4);
    if (!std::isfinite(y + height)) line.bad(5);
    if (width > 0 && height > 0) entry.box = {x, y, x + width, y + height};
    if (entry.box.empty()) flat.add(line.place());
    if (line.size() > kRequiredColumns) entry.confidence = line.number<float>(6);
    entry.line = number;
    entries.push_back(entry);
  });
  flat.report(warn);
  return entries;
}

std::vector<MotEntry> readMot(const std::string& path, const DataWarning& warn) {
  return parseMot(readFile(path), path, warn);
}

}  // namespace elf
