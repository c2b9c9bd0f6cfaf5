// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/data/mot.h"

#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

#include "elf/base/error.h"

namespace elf {

namespace {

constexpr std::array<const char*, 7> kColumns = {"frame", "id",     "x",         "y",
                                                 "width", "height", "confidence"};
constexpr std::size_t kRequiredColumns = 6;

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

/** Reads one line; `place` is "FILE:LINE". */
class Line {
 public:
  Line(std::string_view text, const std::string& place) : place_(place) {
    while (count_ < kColumns.size()) {
      const std::size_t comma = text.find(',');
      columns_[count_++] = trim(text.substr(0, comma));
      if (comma == std::string_view::npos) break;
      text.remove_prefix(comma + 1);
    }
    if (count_ < kRequiredColumns)
      throw Error(place_, "has " + std::to_string(count_) + " columns, at least " +
                              std::to_string(kRequiredColumns) + " are needed");
  }

  bool has(std::size_t column) const { return column < count_; }

  template <typename Number>
  Number number(std::size_t column) const {
    const std::string_view text = columns_[column];
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) bad(column);
    if constexpr (std::is_floating_point_v<Number>)
      if (!std::isfinite(value)) bad(column);
    return value;
  }

  [[noreturn]] void bad(std::size_t column) const {
    throw Error(place_, std::string(kColumns[column]) + " can't be '" +
                            std::string(columns_[column]) + "'");
  }

 private:
  const std::string& place_;
  std::array<std::string_view, kColumns.size()> columns_;
  std::size_t count_ = 0;
};

}  // namespace

std::vector<MotEntry> parseMot(const std::string& text, const std::string& name) {
  std::vector<MotEntry> entries;
  std::istringstream lines(text);
  std::size_t number = 0;
  for (std::string row; std::getline(lines, row);) {
    ++number;
    if (trim(row).empty()) continue;
    const std::string place = name + ":" + std::to_string(number);
    const Line line(row, place);
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
    if (!(entry.box.x1 > x)) line.bad(4);
    if (!(entry.box.y1 > y)) line.bad(5);
    if (line.has(6)) entry.confidence = line.number<float>(6);
    entries.push_back(entry);
  }
  return entries;
}

std::vector<MotEntry> readMot(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) throw Error(path, "is a folder, not a file");
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file && file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
  if (!file.is_open() || file.bad() || text.fail()) throw Error(path, "can't be read");
  return parseMot(text.str(), path);
}

}  // namespace elf
