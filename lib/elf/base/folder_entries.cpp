// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/folder_entries.h"

#include <algorithm>
#include <cstddef>
#include <system_error>

#include "elf/base/error.h"

namespace elf {

namespace {

constexpr std::string_view kDigits = "0123456789";

bool beginsWithDigit(std::string_view text) {
  return !text.empty() && kDigits.find(text.front()) != std::string_view::npos;
}

/** Removes the digits at the beginning of `text`, and returns them without leading zeros. */
std::string_view takeNumber(std::string_view& text) {
  const std::size_t end = std::min(text.find_first_not_of(kDigits), text.size());
  std::string_view number = text.substr(0, end);
  text.remove_prefix(end);
  number.remove_prefix(std::min(number.find_first_not_of('0'), number.size()));
  return number;
}

}  // namespace

bool comesBefore(std::string_view a, std::string_view b) {
  std::string_view left = a, right = b;
  while (!left.empty() && !right.empty()) {
    if (beginsWithDigit(left) && beginsWithDigit(right)) {
      const std::string_view one = takeNumber(left), other = takeNumber(right);
      if (one.size() != other.size()) return one.size() < other.size();
      if (one != other) return one < other;
    } else {
      if (left.front() != right.front()) return left < right;
      left.remove_prefix(1);
      right.remove_prefix(1);
    }
  }
  if (left.empty() != right.empty()) return left.empty();
  return a < b;
}

std::vector<std::filesystem::path> entriesOf(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (!it->path().filename().string().starts_with('.')) entries.push_back(it->path());
  if (error) throw Error(folder, "can't be read: " + error.message());
  std::ranges::sort(entries, comesBefore,
                    [](const fs::path& entry) { return entry.filename().string(); });
  return entries;
}

}  // namespace elf
