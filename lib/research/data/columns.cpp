// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/data/columns.h"

#include <sstream>
#include <utility>

#include "elf/base/error.h"
#include "elf/base/printable.h"
#include "elf/base/text_file.h"

namespace elf {

namespace {

constexpr std::string_view kBlanks = " \t";

}  // namespace

void forEachLine(const std::string& text,
                 const std::function<void(const std::string&, std::size_t)>& take) {
  std::istringstream lines(text);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (!line.empty()) take(line, number);
  }
}

Columns::Columns(std::string_view line, Separator separator, std::span<const char* const> names,
                 std::string place)
    : place_(std::move(place)), names_(names) {
  const bool comma = separator == Separator::Comma;
  for (bool more = true; more;) {
    const std::size_t end = comma ? line.find(',') : line.find_first_of(kBlanks);
    columns_.push_back(trimmed(line.substr(0, end)));
    more = end != std::string_view::npos;
    if (more) line = comma ? line.substr(end + 1) : trimmed(line.substr(end));
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
