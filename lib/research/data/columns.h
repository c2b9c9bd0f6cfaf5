// SPDX-License-Identifier: LGPL-2.1-or-later
// Text files of data sets: lines cut into columns, and errors that state their place.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace elf {

/** Calls `take` with each line of plainText() that is not empty, and its number, from 1. */
void forEachLine(const std::string& text,
                 const std::function<void(const std::string&, std::size_t)>& take);

/** The integer with that value. Unset if there is none, or if a double is too coarse for it. */
inline std::optional<std::int64_t> wholeNumber(double value) {
  constexpr double kMost = 1LL << 53;
  if (!(std::abs(value) <= kMost) || value != std::trunc(value)) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

/** The finite number that `text` is. An integer may be written as 7, 7.0 or 0.7e1. */
template <typename Number>
std::optional<Number> parseNumber(std::string_view text) {
  Number value{};
  const auto parse = [text](auto& into) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    return error == std::errc{} && end == text.data() + text.size();
  };
  if constexpr (std::is_floating_point_v<Number>) {
    if (!parse(value) || !std::isfinite(value)) return std::nullopt;
  } else if (double real = 0; !parse(value)) {
    const auto whole = parse(real) ? wholeNumber(real) : std::nullopt;
    if (!whole || !std::in_range<Number>(*whole)) return std::nullopt;
    value = static_cast<Number>(*whole);
  }
  return value;
}

/** One line of a text file, cut into columns. Refers to the text, which must outlive it. */
class Columns {
 public:
  /** What separates columns. */
  enum class Separator { Comma, Blanks };

  /** `names` describe each column in an error. `place` is "FILE:LINE". */
  Columns(std::string_view line, Separator separator, std::span<const char* const> names,
          std::string place);

  std::size_t size() const { return columns_.size(); }
  std::string_view operator[](std::size_t column) const { return columns_[column]; }
  const std::string& place() const { return place_; }

  /** Throws elf::Error unless there are at least that many columns. */
  void needAtLeast(std::size_t columns) const;

  /** parseNumber() of a column. Throws elf::Error if it is not such a number. */
  template <typename Number>
  Number number(std::size_t column) const {
    const auto value = parseNumber<Number>(columns_[column]);
    if (!value) bad(column);
    return *value;
  }

  /** Throws elf::Error about a column that is not possible, with the reason if it is given. */
  [[noreturn]] void bad(std::size_t column, const std::string& why = {}) const;

 private:
  std::string place_;
  std::span<const char* const> names_;
  std::vector<std::string_view> columns_;
};

}  // namespace elf
