// SPDX-License-Identifier: LGPL-2.1-or-later
// Rectangles that a model accepts, and the servers that infer them: what the partitioners share.
// Not installed.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "elf/partition/partitioner.h"

namespace elf {

/** What a part is cut around. */
struct Wanted {
  /** Around the boxes of its RPs. `context`, in pixels that are sent, comes around this. */
  Rect boxes;
  /** Around each box with what its object's height asks for, in pixels of the frame. */
  Rect shares;
};

/**
 * Of one RP, inside the frame: here is what `contextShare` is of. `expected` is as high as the
 * object where that is known. Where somebody else made the RP it may be higher: rather too much is
 * seen then than too little. It is empty where there is no object, but a place to look at.
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
 * <= 1): with `context` pixels of the model's around, and as large as `minSize` and a multiple of
 * `multipleOf` when it is sent, its origin in the frame a multiple of `align`, as far as the frame
 * has room. Clipped to the frame and never empty. `maxSize` and `fixedSize` are not looked at.
 */
Rect cutFor(const Wanted& wanted, double scale, const ModelRules& rules, Size frame);

/**
 * So many times as high as the smallest object that the model finds an object stays at least when
 * its part is scaled down. HOG, whose `object-size` is 96, found 50, 91, 97, 98, 97 and 96 of 100
 * people that it is sure of in vtest.avi when they were scaled to 80, 96, 104, 112, 120 and 128
 * pixels: near the limit one in ten is lost, from a sixth above it on no more than at any height.
 * The rest is for heights that are predicted a little wrong.
 */
inline constexpr double kObjectMargin = 1.25;

/** Where a part lies, for a model that wants to know; unset for others, and where it is scaled. */
std::optional<Placement> placementIn(Size frame, const Part& part, const ModelRules& rules);

/**
 * The smallest scale (0 < scale <= 1) at which the model still finds the object of `rp`, which then
 * is kObjectMargin * `objectSize` pixels high. 1 where `objectSize` or how large the object itself
 * is is not known, which is so where the RP has no identity.
 */
double leastScale(const Rp& rp, const ModelRules& rules);

/**
 * The scale at which a part is sent whose objects ask for `leastScale`: 1, 1/2, 1/4, ... In between
 * there is none, so that an object is not seen at another scale in each frame, and its box moved by
 * that, for the sake of a few pixels.
 */
inline double sentScale(double leastScale) {
  double scale = 1;
  while (scale / 2 >= leastScale) scale /= 2;
  return scale;
}

/** What a part is expected to take on `server`. */
double secondsFor(const Part& part, const ServerState& server, const Capacity& capacity);

/** Indices of the servers that may get parts: the healthy ones, or all that are not removed where
 * none is; at least one. */
std::vector<int> usableServers(const Capacity& capacity);

/** The usable server that would be done first with one more part. */
int idlestServer(const Plan& plan, const Part& part, const Capacity& capacity);

/** Sets plan.makespan from parts that have their server. */
void setMakespan(Plan& plan, const Capacity& capacity);

/** Lists in each part the RPs that lie wholly inside it, each RP in one part only. */
void listRps(Plan& plan, std::span<const Rp> rps, Size frame);

}  // namespace elf
