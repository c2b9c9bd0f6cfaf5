// SPDX-License-Identifier: LGPL-2.1-or-later
// The joints of an object, such as those of a person, or the corners of a face.
#pragma once

#include <span>
#include <vector>

namespace elf {

/** A joint; which one its place in a list says. */
struct Keypoint {
  /** In the same pixels as the object's box. */
  float x = 0, y = 0;
  /** How sure the model is that it sees it there, 0..1; 0: it does not, and the place is nothing.
   */
  float visibility = 0;

  bool operator==(const Keypoint&) const = default;
};

/** From this visibility on a joint counts as seen. */
inline constexpr float kSeenJoint = 0.3F;

/** The share of its box that an object covers, on average: what stands for the area of one whose
 * mask is not known. */
inline constexpr double kObjectOfBox = 0.53;

inline bool isSeen(const Keypoint& joint) {
  return joint.visibility >= kSeenJoint;
}

/**
 * Object-keypoint similarity as COCO defines it, 0..1: the mean over the joints that `truth` sees
 * of exp(-d^2 / (8 area sigma^2)), where d is how far away `other` sees it, or 0 where it does not.
 * `area` is that of the object, in square pixels. Where there are 17 joints the sigmas are COCO's,
 * of any others all are the mean of those. 0 where `truth` sees none, or they have not as many.
 */
double similarity(std::span<const Keypoint> truth, std::span<const Keypoint> other, double area);

/** Of each joint the one that is seen better. Both have as many, or one has none. */
std::vector<Keypoint> unite(std::span<const Keypoint> a, std::span<const Keypoint> b);

}  // namespace elf
