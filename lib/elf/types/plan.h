// SPDX-License-Identifier: LGPL-2.1-or-later
// A plan: the parts of one frame, and the server of each.
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
   * The tight box that the predictor expects, without padding. If another element made the RP, the
   * same as `box`, and so perhaps larger than the object. Empty if the RP may hold objects of
   * another kind, about which nothing is known.
   */
  Box expected;
  /** The object's identity; kNoIdentity if another element made the RP (an upstream ROI meta). */
  Identity id = kNoIdentity;
  /** As last seen, for a coasted detection. */
  std::int64_t labelId = 0;
  std::string label;
  float score = 0;
  SeenTimes seen = {};
  /** Its object is among Plan::kept: no part asks for it. */
  bool kept = false;

  bool operator==(const Rp&) const = default;
};

enum class PartKind { Rp, Lrc, Scan, Grid, Full };

/** "rp", "lrc", "scan", "grid" or "full". */
std::string_view toString(PartKind kind);

/** A part's place in a canvas. */
struct CanvasPlace {
  /** Index into Plan::canvases. */
  int canvas = 0;
  /** The part's upper left corner, in pixels of the canvas. */
  int x = 0, y = 0;

  bool operator==(const CanvasPlace&) const = default;
};

/** A picture that shows several parts side by side, so that one run of the model infers them. */
struct PartCanvas {
  Size size;
  /** Index into Capacity::servers. */
  int server = 0;

  bool operator==(const PartCanvas&) const = default;
};

/** One rectangle of the frame to be inferred. */
struct Part {
  /** Inside the frame, never empty. */
  Rect rect;
  /** Sent pixels for each square pixel of the frame along one side, 0 < scale <= 1. */
  double scale = 1;
  /** As FrameRecord::pixelAspect. The model sees square pixels. */
  double pixelAspect = 1;
  PartKind kind = PartKind::Full;
  /** Index into Capacity::servers. */
  int server = 0;
  /** Indices into FrameRecord::rps of the RPs that this part answers for, each wholly inside. */
  std::vector<int> rps;
  /** Unset: the part is a picture of its own. */
  std::optional<CanvasPlace> place = std::nullopt;

  bool operator==(const Part&) const = default;
  /** The size that is sent: rect in square pixels, times scale, rounded, at least 1x1. */
  Size sentSize() const { return rect.size().withSquarePixels(pixelAspect).scaled(scale); }
};

/** An empty plan is valid: nothing is sent, and the frame passes without detections. */
struct Plan {
  std::vector<Part> parts;
  /** Seconds that the slowest server is expected to need. */
  double makespan = 0;
  /** Each shows at least one part, and has the server of its parts. */
  std::vector<PartCanvas> canvases = {};
  /** The detections of earlier frames whose pixels have not changed, with their identities: no part
   * asks for them. */
  std::vector<Detection> kept = {};

  bool operator==(const Plan&) const = default;
  /** Pixels of its pictures, each sent once. */
  double sentPixels() const {
    double pixels = 0;
    for (const Part& part : parts)
      if (!part.place) pixels += part.sentSize().area();
    for (const PartCanvas& canvas : canvases) pixels += canvas.size.area();
    return pixels;
  }
};

}  // namespace elf
