// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/model/key_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "elf/base/error.h"
#include "elf/base/text_file.h"

namespace elf {

namespace {

constexpr Group::Keys Group::*kKinds[] = {
    &Group::keys,          &Group::networkKeys, &Group::localKeys,     &Group::fileKeys,
    &Group::torchKeys,     &Group::deviceKeys,  &Group::precisionKeys, &Group::remoteKeys,
    &Group::simulatedKeys, &Group::batchKeys};

const std::vector<Group>& knownGroups() {
  static const auto* const groups = new std::vector<Group>{
      {.name = "model",
       .keys = {"backend", "labels", "task"},
       .localKeys = {"detector", "detector-labels", "url", "licence"},
       .fileKeys = {"file", "sha256"},
       .torchKeys = {"libraries"},
       .deviceKeys = {"device"},
       .precisionKeys = {"precision"}},
      {.name = "input",
       .keys = {"size", "multiple-of", "min-size", "max-size"},
       .networkKeys = {"scale", "mean", "std", "colour", "fit"},
       .torchKeys = {"batch"},
       .batchKeys = {"max-batch"}},
      {.name = "output",
       .keys = {"min-score", "sure-score", "keypoints", "skeleton"},
       .networkKeys = {"decoder", "nms"}},
      {.name = "parts", .keys = {"align", "placed", "context", "context-share", "object-size"}},
      {.name = "tensors",
       .remoteKeys = {"image", "boxes", "scores", "labels", "masks", "keypoints", "rotated",
                      "layout", "datatype", "orig-target-sizes", "outputs"}},
      {.name = "simulated", .simulatedKeys = {"fixed-ms", "ms-per-megapixel"}}};
  return *groups;
}

bool holds(const Group::Keys& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

const char* groupOf(std::string_view key) {
  for (const Group& group : knownGroups())
    if (holds(group.keys, key)) return group.name;
  return "";
}

KeyReader::KeyReader(const std::string& text, std::string path)
    : path_(std::move(path)), file_(parseKeyFile(path_, text)) {}

void KeyReader::checkKeys() const {
  const Ref<gchar*> groups(g_key_file_get_groups(file_.get(), nullptr));
  for (char** group = groups.get(); *group; ++group) {
    const auto known = std::find_if(knownGroups().begin(), knownGroups().end(),
                                    [group](const Group& g) { return !strcmp(g.name, *group); });
    if (known == knownGroups().end()) throw Error(path_ + ": [" + *group + "]", "unknown group");
    const Ref<gchar*> keys(g_key_file_get_keys(file_.get(), *group, nullptr, nullptr));
    for (char** key = keys.get(); *key; ++key)
      if (std::ranges::none_of(kKinds, [&](auto kind) { return holds((*known).*kind, *key); }))
        fail(*group, *key, "unknown key");
  }
}

void KeyReader::refuse(Group::Keys Group::*kind) const {
  for (const Group& group : knownGroups())
    for (const std::string_view key : group.*kind)
      if (has(group.name, key.data()))
        fail(group.name, key.data(), "is not used by backend " + text("model", "backend"));
}

void KeyReader::fail(const char* group, const char* key, const std::string& why) const {
  throw Error(path_ + ": [" + group + "] " + key, why);
}

bool KeyReader::has(const char* group, const char* key) const {
  return g_key_file_has_key(file_.get(), group, key, nullptr);
}

std::string KeyReader::text(const char* group, const char* key) const {
  const Ref<gchar> value(g_key_file_get_string(file_.get(), group, key, nullptr));
  if (!value || !*value) fail(group, key, has(group, key) ? "is empty" : "is missing");
  return value.get();
}

std::vector<std::string> KeyReader::list(const char* group, const char* key) const {
  const Ref<gchar*> values(g_key_file_get_string_list(file_.get(), group, key, nullptr, nullptr));
  std::vector<std::string> list;
  if (values)
    for (char** value = values.get(); *value; ++value) list.emplace_back(trimmed(*value));
  if (list.empty() || std::find(list.begin(), list.end(), "") != list.end())
    fail(group, key, has(group, key) ? "is empty" : "is missing");
  return list;
}

void KeyReader::read(const char* group, const char* key, bool& value) const {
  if (has(group, key)) value = choice<bool>(group, key, {{"true", true}, {"false", false}});
}

void KeyReader::read(const char* group, const char* key, std::string& value) const {
  if (has(group, key)) value = text(group, key);
}

void KeyReader::read(const char* group, const char* key, std::vector<std::string>& value) const {
  if (has(group, key)) value = list(group, key);
}

void KeyReader::read(const char* group, const char* key, Size& value) const {
  if (!has(group, key)) return;
  const std::vector<std::string> parts = list(group, key);
  if (parts.size() != 2) fail(group, key, "not WIDTH;HEIGHT");
  value = {number<int>(group, key, parts[0]), number<int>(group, key, parts[1])};
  if (value.empty()) fail(group, key, "not a possible size");
}

void KeyReader::read(const char* group, const char* key, std::array<double, 3>& value) const {
  if (!has(group, key)) return;
  const std::vector<std::string> parts = list(group, key);
  if (parts.size() != value.size()) fail(group, key, "not a list of three numbers");
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = number<double>(group, key, parts[i]);
}

void KeyReader::read(const char* group, const char* key,
                     std::vector<std::array<int, 2>>& value) const {
  if (!has(group, key)) return;
  for (const std::string& pair : list(group, key)) {
    const std::size_t dash = pair.find('-');
    if (dash == std::string::npos) fail(group, key, "'" + pair + "' is not a pair such as 0-1");
    value.push_back({number<int>(group, key, pair.substr(0, dash)),
                     number<int>(group, key, pair.substr(dash + 1))});
  }
}

void KeyReader::read(TensorNames& names) const {
  for (const Group& group : knownGroups())
    for (const std::string_view key : group.remoteKeys)
      if (std::string* const name = tensorNamed(names, key); name && has(group.name, key.data()))
        *name = text(group.name, key.data());
}

void KeyReader::readMilliseconds(const char* group, const char* key, double& value) const {
  constexpr double kMost = 3'600'000;
  read(group, key, value);
  if (value < 0 || value > kMost) fail(group, key, "is not between 0 and 3600000");
}

}  // namespace elf
