// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/data/columns.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "elf/base/error.h"
#include "elf/base/printable.h"

namespace elf {

namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

std::string readText(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) throw Error(path, "is a folder, not a file");
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file && file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
  if (!file.is_open() || file.bad() || text.fail()) throw Error(path, "can't be read");
  return std::move(text).str();
}

void forEachLine(const std::string& text,
                 const std::function<void(const std::string&, std::size_t)>& take) {
  std::istringstream lines(text);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (!trim(line).empty()) take(line, number);
  }
}

Columns::Columns(std::string_view line, Separator separator, std::span<const char* const> names,
                 std::string place)
    : place_(std::move(place)), names_(names) {
  line = trim(line);
  const bool comma = separator == Separator::Comma;
  for (bool more = true; more;) {
    const std::size_t end = comma ? line.find(',') : line.find_first_of(kBlanks);
    columns_.push_back(trim(line.substr(0, end)));
    more = end != std::string_view::npos;
    if (more) line = comma ? line.substr(end + 1) : trim(line.substr(end));
  }
}

void Columns::needAtLeast(std::size_t columns) const {
  if (size() < columns)
    throw Error(place_, "has " + std::to_string(size()) + " columns, at least " +
                            std::to_string(columns) + " are needed");
}

void Columns::bad(std::size_t column, const std::string& why) const {
  throw Error(place_, std::string(names_[column]) + " can't be '" + printable(columns_[column]) +
                          "'" + (why.empty() ? "" : ": " + why));
}

}  // namespace elf
