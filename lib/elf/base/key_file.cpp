// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/key_file.h"

#include "elf/base/data_files.h"
#include "elf/base/error.h"
#include "elf/base/text_file.h"

namespace elf {

namespace {

/** The texts without blanks around them. Frees `owned`. */
std::vector<std::string> textsOf(gchar** owned) {
  const Ref<gchar*> owner(owned);
  std::vector<std::string> texts;
  for (gchar** text = owned; text && *text; ++text) texts.emplace_back(trimmed(*text));
  return texts;
}

}  // namespace

KeyFile::KeyFile(const std::string& path)
    : path_(path), file_(parseKeyFile(path, readFile(path))) {}

std::vector<std::string> KeyFile::groups() const {
  return textsOf(g_key_file_get_groups(file_.get(), nullptr));
}

std::vector<std::string> KeyFile::keys(const std::string& group) const {
  return textsOf(g_key_file_get_keys(file_.get(), group.c_str(), nullptr, nullptr));
}

std::optional<std::string> KeyFile::find(const std::string& group, const std::string& key) const {
  if (!g_key_file_has_key(file_.get(), group.c_str(), key.c_str(), nullptr)) return std::nullopt;
  GError* error = nullptr;
  const Ref<gchar> value(g_key_file_get_string(file_.get(), group.c_str(), key.c_str(), &error));
  // There may be a value all the same.
  if (error) fail(group, key, error);
  return std::string(trimmed(value.get()));
}

std::vector<std::string> KeyFile::list(const std::string& group, const std::string& key) const {
  GError* error = nullptr;
  std::vector<std::string> texts =
      textsOf(g_key_file_get_string_list(file_.get(), group.c_str(), key.c_str(), nullptr, &error));
  if (error) fail(group, key, error);
  return texts;
}

void KeyFile::fail(const std::string& group, const std::string& key, GError* error) const {
  throw Error(path_ + ": [" + group + "] " + key, takeReason(error));
}

}  // namespace elf
