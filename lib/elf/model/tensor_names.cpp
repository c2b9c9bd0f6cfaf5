// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/model/tensor_names.h"

#include <sstream>

#include "elf/base/error.h"

namespace elf {

std::string* tensorNamed(TensorNames& names, std::string_view key) {
  if (key == "image") return &names.image;
  if (key == "boxes") return &names.boxes;
  if (key == "scores") return &names.scores;
  if (key == "labels") return &names.labels;
  if (key == "masks") return &names.masks;
  if (key == "keypoints") return &names.keypoints;
  if (key == "rotated") return &names.rotated;
  return nullptr;
}

TensorNames withTensorNames(const std::string& list, TensorNames names) {
  std::istringstream entries(list);
  for (std::string entry; std::getline(entries, entry, ',');) {
    const std::size_t equals = entry.find('=');
    std::string* const name = tensorNamed(names, entry.substr(0, equals));
    if (!name || equals == std::string::npos || equals + 1 == entry.size())
      throw Error("tensor-names",
                  "'" + entry +
                      "' is not image=, boxes=, scores=, labels=, masks=, keypoints= or rotated= "
                      "with a name");
    *name = entry.substr(equals + 1);
  }
  return names;
}

}  // namespace elf
