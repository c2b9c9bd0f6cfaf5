// SPDX-License-Identifier: LGPL-2.1-or-later
// Typed access to the keys of a `.model` file. Not installed.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <vector>

#include "elf/base/glib.h"
#include "elf/model/model_names.h"

namespace elf {

/** The keys of one group. All but `keys` are used only by some backends. */
struct Group {
  using Keys = std::vector<std::string_view>;
  const char* name;
  Keys keys = {}, networkKeys = {}, localKeys = {}, fileKeys = {}, torchKeys = {}, deviceKeys = {},
       precisionKeys = {}, remoteKeys = {}, simulatedKeys = {}, batchKeys = {};
};

/** The group of a key in ModelRules. */
const char* groupOf(std::string_view key);

/**
 * Typed access to the keys of one file. Each error names the file and the key. read() leaves a
 * value unchanged if its key is missing.
 */
class KeyReader {
 public:
  KeyReader(const std::string& text, std::string path);

  /** Fails for a group or a key that does not exist in `.model` files. */
  void checkKeys() const;
  /** Fails for a key of the kind, which `backend` does not use. */
  void refuse(Group::Keys Group::*kind) const;
  [[noreturn]] void fail(const char* group, const char* key, const std::string& why) const;

  bool has(const char* group, const char* key) const;
  std::string text(const char* group, const char* key) const;
  std::vector<std::string> list(const char* group, const char* key) const;

  template <typename Enum>
  Enum choice(const char* group, const char* key, Names<Enum> choices) const {
    const std::string value = text(group, key);
    std::string names;
    for (const auto& [name, choice] : choices) {
      if (value == name) return choice;
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    fail(group, key, "'" + value + "' is not one of: " + names);
  }

  template <typename T>
  void read(const char* group, const char* key, T& value) const {
    if (has(group, key)) value = number<T>(group, key, text(group, key));
  }
  template <typename T>
  void read(const char* group, const char* key, std::optional<T>& value) const {
    if (has(group, key)) read(group, key, value.emplace());
  }
  template <typename T, typename Enum>
  void read(const char* group, const char* key, T& value, Names<Enum> choices) const {
    if (has(group, key)) value = choice(group, key, choices);
  }
  void read(const char* group, const char* key, bool& value) const;
  void read(const char* group, const char* key, std::string& value) const;
  void read(const char* group, const char* key, std::vector<std::string>& value) const;
  void read(const char* group, const char* key, Size& value) const;
  void read(const char* group, const char* key, std::array<double, 3>& value) const;
  /** Such as 0-1;1-2. */
  void read(const char* group, const char* key, std::vector<std::array<int, 2>>& value) const;
  void read(TensorNames& names) const;
  void readMilliseconds(const char* group, const char* key, double& value) const;

 private:
  template <typename T>
  T number(const char* group, const char* key, const std::string& text) const {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      fail(group, key, "'" + text + "' is not a possible number");
    if constexpr (std::is_floating_point_v<T>)
      if (!std::isfinite(value)) fail(group, key, "'" + text + "' is not a possible number");
    return value;
  }

  std::string path_;
  Ref<GKeyFile> file_;
};

}  // namespace elf
