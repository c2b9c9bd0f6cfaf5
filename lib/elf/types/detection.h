// SPDX-License-Identifier: LGPL-2.1-or-later
// One detected or coasted object.
#pragma once

#include <chrono>
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

/** Running times of the first and the latest frame in which an object was found. Unset if frames
 * have none. */
struct SeenTimes {
  std::optional<std::chrono::nanoseconds> first, last;

  bool operator==(const SeenTimes&) const = default;
};

struct Detection {
  /** Tight around the object. In pixels of the part inside an answer, else of the frame. */
  Box box;
  /** The model's score. Larger is surer; the range is the model's own (HOG's margin is >= 0). */
  float score = 0;
  /** The model's class number, and its name ("" where the model has no names). */
  std::int64_t labelId = 0;
  std::string label;
  /** Over the box rounded outwards, if the model has masks. A coasted detection has neither mask
   * nor joints. */
  std::optional<Mask> mask = std::nullopt;
  /** Each of the model's joints, in its order; empty if the model has none. */
  std::vector<Keypoint> keypoints = {};
  /** If the model has rotated boxes. Not clipped, unlike `box`. A coasted detection has none. */
  std::optional<RotatedBox> rotated = std::nullopt;
  Identity id = kNoIdentity;
  /** No server returned this box for this frame: its RP got no answer, or its object was missed. */
  bool coasted = false;
  /** A copy of what a server found in an earlier frame: its pixels have not changed since
   * (elf/discovery/unchanged.h). Never coasted as well. */
  bool kept = false;
  /** Index into Capacity::servers of the server that found it; -1 if coasted. */
  int server = -1;
  /** Of the object of this identity. */
  SeenTimes seen = {};

  bool operator==(const Detection&) const = default;
};

}  // namespace elf
