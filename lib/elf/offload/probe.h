// SPDX-License-Identifier: LGPL-2.1-or-later
// What a server is asked before the first frame, to learn what it costs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "elf/geometry/box.h"
#include "elf/image/jpeg_encoder.h"
#include "elf/model/model_rules.h"

namespace elf {

/** A JPEG file that holds nothing to be found. */
struct ProbePicture {
  Size size;
  std::vector<std::uint8_t> file;
};

/** So many answers at the beginning are no measure: connections are made, models loaded. */
inline constexpr std::size_t kWarmUpProbes = 1;

/**
 * The pictures to send one after the other: kWarmUpProbes to warm up, a small flat one, a larger
 * flat one, a noisy one of the same size. The second and third differ in pixels and hardly in
 * bytes, the third and fourth in bytes only, so that their answers tell all of a CostModel. Where
 * the model has no wish, they are 64x64 and 192x192: 82 ms in all for a server that takes 1 s for a
 * megapixel, and 34 ms on a link of 8 Mbit/s.
 *
 * Their sizes suit `rules`. Where the model's smallest part is as large as the larger picture, the
 * small one is left out; where it is so large that a probe would take seconds, there are none.
 */
std::vector<ProbePicture> probePictures(const ModelRules& rules, JpegEncoder& encoder);

}  // namespace elf
