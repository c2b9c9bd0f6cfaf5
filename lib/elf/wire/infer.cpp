// SPDX-License-Identifier: LGPL-2.1-or-later
// The tensors and parameters that Elf puts into a request.
#include "elf/wire/infer.h"

#include <algorithm>
#include <variant>

#include "elf/types/model_rules.h"
#include "elf/wire/tensor_bytes.h"

namespace elf::wire {

Tensor encodedImage(Bytes file) {
  Tensor tensor{.name = "image", .type = DataType::Bytes, .shape = {1}};
  tensor.data.reserve(kLengthPrefix + file.size());
  appendBytes(tensor, file);
  return tensor;
}

Tensor rawImage(Bytes rgb, Size size) {
  return {.name = "image",
          .type = DataType::Uint8,
          .shape = {1, size.height, size.width, 3},
          .data = {rgb.begin(), rgb.end()}};
}

void setTimeout(Parameters& parameters, std::chrono::microseconds timeout) {
  parameters["timeout"] = std::int64_t{timeout.count()};
}

void setPlacement(Parameters& parameters, const Placement& placement) {
  parameters["part_x"] = std::int64_t{placement.x};
  parameters["part_y"] = std::int64_t{placement.y};
  parameters["frame_width"] = std::int64_t{placement.frame.width};
  parameters["frame_height"] = std::int64_t{placement.frame.height};
}

Result<Placement> placementOf(const Parameters& parameters, Size picture) {
  Placement placement{.frame = picture};
  const struct {
    const char* name;
    int& value;
    int least;
  } members[] = {{"part_x", placement.x, 0},
                 {"part_y", placement.y, 0},
                 {"frame_width", placement.frame.width, 1},
                 {"frame_height", placement.frame.height, 1}};
  const auto given = std::ranges::count_if(
      members, [&](const auto& member) { return parameters.contains(member.name); });
  if (given == 0) return placement;
  for (const auto& member : members) {
    const auto found = parameters.find(member.name);
    const auto* number =
        found == parameters.end() ? nullptr : std::get_if<std::int64_t>(&found->second);
    if (!number || *number < member.least || *number > kMaxPixels)
      return Result<Placement>::failure("parameters." + std::string(member.name) +
                                        ": not a possible number of pixels");
    member.value = static_cast<int>(*number);
  }
  if (placement.x + picture.width > placement.frame.width ||
      placement.y + picture.height > placement.frame.height)
    return Result<Placement>::failure("parameters.part_x: the picture reaches out of its frame");
  return placement;
}

}  // namespace elf::wire
