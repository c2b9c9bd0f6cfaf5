// SPDX-License-Identifier: LGPL-2.1-or-later
// A plan: what is cut out of one frame, and which server looks at it.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "elf/geometry/box.h"
#include "elf/types/detection.h"

namespace elf {

/** Where an object is expected in a frame. */
struct Rp {
  /** The region to look at: `expected` widened by padding, clipped to the frame. */
  Box box;
  /**
   * The tight box that the predictor expects, without padding. The same as `box`, and so perhaps
   * larger than the object, where another element made the RP. Empty where objects of another kind
   * may be in it, of which nothing is known.
   */
  Box expected;
  /** Whose box it is; kNoIdentity where somebody else made the RP (a ROI meta from upstream). */
  Identity id = kNoIdentity;
  /** What it was when it was last seen, for standing in as a coasted detection. */
  std::int64_t labelId = 0;
  std::string label;
  float score = 0;

  bool operator==(const Rp&) const = default;
};

enum class PartKind { Rp, Lrc, Scan, Grid, Full };

/** "rp", "lrc", "scan", "grid" or "full". */
std::string_view toString(PartKind kind);

/** One rectangle of the frame to be inferred. */
struct Part {
  /** Inside the frame, never empty. */
  Rect rect;
  /** Sent pixels for each frame pixel along one side, 0 < scale <= 1. */
  double scale = 1;
  PartKind kind = PartKind::Full;
  /** Index into Capacity::servers. */
  int server = 0;
  /** Indices into FrameRecord::rps of the RPs that this part answers for; each wholly inside. */
  std::vector<int> rps;

  bool operator==(const Part&) const = default;
  /** The size that is sent: rect times scale, rounded, at least 1x1. */
  Size sentSize() const { return rect.size().scaled(scale); }
};

/** An empty plan is a plan: nothing is sent, and the frame passes with no detection. */
struct Plan {
  std::vector<Part> parts;
  /** Seconds that the slowest server is expected to need. */
  double makespan = 0;

  bool operator==(const Plan&) const = default;
  /** Pixels that its parts send once. */
  double sentPixels() const {
    double pixels = 0;
    for (const Part& part : parts) pixels += part.sentSize().area();
    return pixels;
  }
};

}  // namespace elf
