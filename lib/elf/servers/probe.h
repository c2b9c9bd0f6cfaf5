// SPDX-License-Identifier: LGPL-2.1-or-later
// What a server is asked before the first frame, to learn what it costs.
#pragma once

#include <cstddef>
#include <vector>

#include "elf/geometry/box.h"
#include "elf/image/jpeg_encoder.h"
#include "elf/types/model_rules.h"
#include "elf/wire/infer.h"

namespace elf {

class RemoteNetwork;

/** A picture that shows nothing. */
struct Probe {
  Size size;
  /** The input tensor. */
  wire::Tensor image;
};

/** So many answers at the beginning are no measure: connections are made, models loaded. */
inline constexpr std::size_t kWarmUpProbes = 1;

/** Seconds on the way above which a probe is not sent. */
inline constexpr double kLongestUpload = 0.2;

/**
 * The probes to send one after the other: kWarmUpProbes to warm up, a small picture, a larger one
 * of as many bytes, that one with 32 kB in comments of the file, and the small one with 512 kB.
 * Pixels and bytes change one at a time, so that the answers tell all of a CostModel, and either
 * size of picture comes twice. The last one is for links so fast that 32 kB don't show.
 *
 * Where the model has no wish, the sizes are 64x64 and 192x192: all but the last take 82 ms of a
 * server of 1 s for a megapixel, and 37 ms of a link of 8 Mbit/s. They suit `rules`. Where the
 * model computes the same of both sizes, there is only one; where that is so much that probing
 * would take seconds, there are none.
 */
std::vector<Probe> makeProbes(const ModelRules& rules, JpegEncoder& encoder);

/**
 * The same for a server that takes nothing but raw pixels, of which bytes are no choice:
 * kWarmUpProbes to warm up, and a small and a larger picture, or the one that there is, twice. What
 * of their costs is the link's only the server's own account tells; their sum is right without it.
 */
std::vector<Probe> makeRawProbes(const ModelRules& rules);
/** The same of pictures that are prepared for a network. */
std::vector<Probe> makeNetworkProbes(const RemoteNetwork& network);

}  // namespace elf
