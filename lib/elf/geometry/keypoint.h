// SPDX-License-Identifier: LGPL-2.1-or-later
// The joints of an object, such as those of a person, or the corners of a face.
#pragma once

#include <span>
#include <vector>

namespace elf {

/** A joint. Its place in a list states which one. */
struct Keypoint {
  /** In the same pixels as the object's box. */
  float x = 0, y = 0;
  /** The model's confidence that the joint is visible there, 0..1. 0: it is not seen, and its place
   * means nothing. */
  float visibility = 0;

  bool operator==(const Keypoint&) const = default;
};

/** From this visibility on a joint counts as seen. */
inline constexpr float kSeenJoint = 0.3F;

/** The share of its box that an object covers, on average. Used for the area of one without a
 * mask. */
inline constexpr double kObjectOfBox = 0.53;

inline bool isSeen(const Keypoint& joint) {
  return joint.visibility >= kSeenJoint;
}

/**
 * Object-keypoint similarity as COCO defines it, 0..1: the mean of exp(-d^2 / (8 area sigma^2))
 * over the joints that are seen in `truth`. d is the distance to the joint in `other`. A joint that
 * is not seen there counts 0. `area` is that of the object, in square pixels. For 17 joints the
 * sigmas are COCO's, for any other number all are the mean of those. 0 if none is seen in `truth`,
 * or the numbers of joints differ.
 */
double similarity(std::span<const Keypoint> truth, std::span<const Keypoint> other, double area);

/** The more visible one of each joint. Both have the same number, or one has none. */
std::vector<Keypoint> unite(std::span<const Keypoint> a, std::span<const Keypoint> b);

}  // namespace elf
