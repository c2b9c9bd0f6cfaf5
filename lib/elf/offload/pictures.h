// SPDX-License-Identifier: LGPL-2.1-or-later
// The pictures that carry the parts of a plan, one for each request.
#pragma once

#include <cstddef>
#include <vector>

#include "elf/types/answer.h"
#include "elf/types/plan.h"

namespace elf {

/** A part that is sent alone, or a canvas. */
struct Picture {
  /** The part itself. For a canvas: a part of the canvas's size and server, at 0,0. */
  Part part;
  /** The parts that it shows, as indices into Plan::parts; at least one. */
  std::vector<std::size_t> shown;
  bool isCanvas = false;
};

/** First the parts that are sent alone, in their order, then the canvases. */
std::vector<Picture> picturesOf(const Plan& plan);

/**
 * One answer for each part of the plan, in pixels of the part as sent, from one for each picture.
 * A detection in a canvas belongs to the part that holds at least kOfOnePart of its box, and is
 * clipped to it. One that no part holds so far is dropped: the model saw it across a gap. The parts
 * of a canvas share its bytes by their pixels. Each has the canvas's times and attempts.
 */
std::vector<PartAnswer> answersOfParts(const Plan& plan, const std::vector<Picture>& pictures,
                                       std::vector<PartAnswer> answers);
inline constexpr double kOfOnePart = 0.8;

}  // namespace elf
