// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/model/tensor_names.h"

#include <algorithm>
#include <utility>

#include "elf/base/error.h"

namespace elf {

namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

}  // namespace

std::string* tensorNamed(TensorNames& names, std::string_view key) {
  if (key == "image") return &names.image;
  if (key == "boxes") return &names.boxes;
  if (key == "scores") return &names.scores;
  if (key == "labels") return &names.labels;
  return nullptr;
}

TensorNames withTensorNames(std::string_view list, TensorNames names) {
  while (!list.empty()) {
    const std::string_view entry = trimmed(list.substr(0, list.find(',')));
    list.remove_prefix(std::min(list.find(','), list.size() - 1) + 1);
    if (entry.empty()) continue;
    const auto equals = entry.find('=');
    std::string* const name = tensorNamed(names, trimmed(entry.substr(0, equals)));
    if (!name)
      throw Error("tensor-names", "'" + std::string(entry) +
                                      "' is no image=, boxes=, scores= or labels= with a name");
    *name = equals == std::string_view::npos ? "" : trimmed(entry.substr(equals + 1));
    if (name->empty()) throw Error("tensor-names", "'" + std::string(entry) + "' gives no name");
  }
  return names;
}

}  // namespace elf
