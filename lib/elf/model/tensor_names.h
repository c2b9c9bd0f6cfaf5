// SPDX-License-Identifier: LGPL-2.1-or-later
// A server's names for the tensors of docs/wire.md.
#pragma once

#include <string>
#include <string_view>

namespace elf {

/** No name is empty. */
struct TensorNames {
  std::string image = "image";
  std::string boxes = "boxes";
  std::string scores = "scores";
  std::string labels = "labels";
  std::string masks = "masks";
  std::string keypoints = "keypoints";
  std::string rotated = "rotated";

  bool operator==(const TensorNames&) const = default;
};

/**
 * `names` with the changes of a list such as "image=input_1,boxes=dets". Throws elf::Error naming
 * `tensor-names` for an entry with an unknown tensor or without a name.
 */
TensorNames withTensorNames(const std::string& list, TensorNames names);

/** The name of the tensor `key`, one of those above. Null for another key. */
std::string* tensorNamed(TensorNames& names, std::string_view key);

}  // namespace elf
