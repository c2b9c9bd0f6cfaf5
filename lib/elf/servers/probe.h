// SPDX-License-Identifier: LGPL-2.1-or-later
// The requests that measure a server's cost before the first frame.
#pragma once

#include <cstddef>
#include <vector>

#include "elf/geometry/box.h"
#include "elf/image/jpeg_encoder.h"
#include "elf/types/model_rules.h"
#include "elf/wire/infer.h"

namespace elf {

class RemoteNetwork;

/** A flat picture. */
struct Probe {
  Size size;
  /** The input tensor. */
  wire::Tensor image;
};

/** The first answers are not measured: connections are made, models loaded. */
inline constexpr std::size_t kWarmUpProbes = 1;

/** Seconds of sending above which a probe is not sent. */
inline constexpr double kLongestUpload = 0.2;

/**
 * The probes to send one after the other: kWarmUpProbes to warm up, a small picture, a larger one
 * of as many bytes, that one padded by comments to 32 kB, and the small one padded to 512 kB.
 * Pixels and bytes change one at a time, so that the answers determine the whole CostModel, and
 * either picture size is sent twice. The last one is for links so fast that 32 kB do not show.
 *
 * Unless the model asks for others, the sizes are 64x64 and 192x192: all but the last take 82 ms of
 * a server of 1 s for a megapixel, and 37 ms of a link of 8 Mbit/s. They suit `rules`. If the model
 * computes the same of both sizes, only one is used. If probing would take seconds, the list is
 * empty.
 */
std::vector<Probe> makeProbes(const ModelRules& rules, JpegEncoder& encoder);

/**
 * The same for a server that takes only raw pixels, whose bytes can't be chosen: kWarmUpProbes to
 * warm up, and a small and a larger picture, or the only size, twice. Only the server's own report
 * shows which of their costs is the link's. Without it their sum is still right.
 */
std::vector<Probe> makeRawProbes(const ModelRules& rules);
/** The same with pictures that are prepared for a network. */
std::vector<Probe> makeNetworkProbes(const RemoteNetwork& network);

}  // namespace elf
