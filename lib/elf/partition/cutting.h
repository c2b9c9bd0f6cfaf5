// SPDX-License-Identifier: LGPL-2.1-or-later
// Shared by the partitioners: rectangles that a model accepts, and the servers that infer them. Not
// installed.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "elf/partition/partitioner.h"

namespace elf {

/** The area that a part is cut around. */
struct Wanted {
  /** Around the boxes of its RPs. `context`, in sent pixels, is added around this. */
  Rect boxes;
  /** Around each box with the share of its object's height, in pixels of the frame. */
  Rect shares;
};

/**
 * For one RP, inside the frame. Applies `contextShare` to the height of `expected`, which is the
 * object's if that is known. If another element made the RP it may be higher: too much context is
 * better than too little. `expected` is empty for a place to look at, without an object.
 */
Wanted wantedFor(const Rp& rp, const ModelRules& rules, Size frame);

inline Wanted unite(const Wanted& a, const Wanted& b) {
  return {unite(a.boxes, b.boxes), unite(a.shares, b.shares)};
}

inline bool contains(const Wanted& outer, const Wanted& inner) {
  return contains(outer.boxes, inner.boxes) && contains(outer.shares, inner.shares);
}

/**
 * The smallest rectangle around `wanted` that suits the model when it is sent at `scale` (0 < scale
 * <= 1): with `context` pixels of the model's around, at least `minSize` and a multiple of
 * `multipleOf` when it is sent, its origin in the frame a multiple of `align`, as far as the frame
 * has room. Clipped to the frame and never empty. Ignores `maxSize` and `fixedSize`.
 */
Rect cutFor(const Wanted& wanted, double scale, const ModelRules& rules, Size frame,
            double pixelAspect = 1);

/**
 * In a scaled-down part an object keeps at least this many times the height of the smallest object
 * that the model finds. HOG, whose `object-size` is 96, found 50, 91, 97, 98, 97 and 96 of 100 sure
 * people in vtest.avi when they were scaled to 80, 96, 104, 112, 120 and 128 pixels: near the limit
 * one in ten is lost, from a sixth above it on no more than at any height. The rest allows for
 * errors of predicted heights.
 */
inline constexpr double kObjectMargin = 1.25;

/** A part's place in the frame, for a model that uses it. Unset for others, and if it is scaled. */
std::optional<Placement> placementIn(Size frame, const Part& part, const ModelRules& rules);

/**
 * The smallest scale (0 < scale <= 1) of a part in square pixels at which the model still finds the
 * object of `rp`, which then is kObjectMargin * `objectSize` pixels high. 1 if `objectSize` or the
 * object's size is unknown, as for an RP without identity.
 */
double leastScale(const Rp& rp, const ModelRules& rules, double pixelAspect = 1);

/**
 * The scale of a part whose objects need `leastScale`: 1, 1/2, 1/4, ... With scales in between an
 * object would be seen at another scale in each frame, which moves its box, to save a few pixels.
 */
inline double sentScale(double leastScale) {
  double scale = 1;
  while (scale / 2 >= leastScale) scale /= 2;
  return scale;
}

/** The expected time of a picture of that size on `server`. */
double secondsFor(Size sent, const ServerState& server, const Capacity& capacity);

/** Indices of the servers that may get parts: the healthy ones, or without any all that are not
 * removed. At least one. */
std::vector<int> usableServers(const Capacity& capacity);

/** The usable server that would finish first with one more part. */
int idlestServer(const Plan& plan, const Part& part, const Capacity& capacity);

/** Sets plan.makespan. All parts must have their server. */
void setMakespan(Plan& plan, const Capacity& capacity);

/** Lists in each part the RPs that lie wholly inside it, each RP in one part only. */
void listRps(Plan& plan, std::span<const Rp> rps, Size frame);

}  // namespace elf
