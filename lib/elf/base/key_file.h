// SPDX-License-Identifier: LGPL-2.1-or-later
// Key files: groups of KEY=VALUE, as GLib's GKeyFile reads them. Not installed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "elf/base/glib.h"

namespace elf {

/** The content of one file. Each function throws elf::Error that names the file, and never shows a
 * value, which may be a secret. */
class KeyFile {
 public:
  explicit KeyFile(const std::string& path);

  const std::string& path() const { return path_; }
  std::vector<std::string> groups() const;
  /** Empty if there is no such group. */
  std::vector<std::string> keys(const std::string& group) const;
  /** The value without blanks around it. Unset if there is no such key. */
  std::optional<std::string> find(const std::string& group, const std::string& key) const;
  /** A value of texts separated by `;`, without blanks around them. */
  std::vector<std::string> list(const std::string& group, const std::string& key) const;

 private:
  [[noreturn]] void fail(const std::string& group, const std::string& key, GError* error) const;

  std::string path_;
  Ref<GKeyFile> file_;
};

}  // namespace elf
