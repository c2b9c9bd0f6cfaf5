// SPDX-License-Identifier: LGPL-2.1-or-later
// One object that was found, or that stands in for one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "elf/geometry/box.h"
#include "elf/geometry/keypoint.h"
#include "elf/geometry/mask.h"
#include "elf/geometry/rotated_box.h"

namespace elf {

/** An object's identity; positive, and unique within one run of elfmerge. */
using Identity = std::int64_t;
inline constexpr Identity kNoIdentity = 0;

struct Detection {
  /** Tight around the object. In pixels of the part inside an answer, else of the frame. */
  Box box;
  /** What the model says, larger is surer; its range is the model's own (HOG's margin is >= 0). */
  float score = 0;
  /** The model's class number, and its name ("" where the model has no names). */
  std::int64_t labelId = 0;
  std::string label;
  /** Over the box rounded outwards, where the model tells it; a coasted one has none, nor joints.
   */
  std::optional<Mask> mask = std::nullopt;
  /** Each of the model's joints in its order; empty where the model has none. */
  std::vector<Keypoint> keypoints = {};
  /** Where the model tells it; unlike the box around it not clipped. A coasted one has none. */
  std::optional<RotatedBox> rotated = std::nullopt;
  Identity id = kNoIdentity;
  /** No server returned this box for this frame: it stands in for an RP that got no answer. */
  bool coasted = false;
  /** Index into Capacity::servers of who found it; -1 where nobody did (coasted). */
  int server = -1;

  bool operator==(const Detection&) const = default;
};

}  // namespace elf
