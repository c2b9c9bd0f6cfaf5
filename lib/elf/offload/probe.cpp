// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/offload/probe.h"

#include <algorithm>

#include "elf/base/random.h"

namespace elf {

namespace {

constexpr int kSmallSide = 64;
constexpr int kLargeSide = 192;
constexpr double kMostPixels = 250000;
constexpr int kQuality = 90;
constexpr std::uint8_t kGrey = 128;

/** About `side`, but no smaller or larger than the model wants it. */
int suited(int side, int least, int most, int multipleOf) {
  const int wanted = (std::max(side, least) + multipleOf - 1) / multipleOf * multipleOf;
  return most > 0 ? std::min(wanted, most) : wanted;
}

Size suited(int side, const ModelRules& rules) {
  const Size most = rules.fixedSize.empty() ? rules.maxSize : rules.fixedSize;
  return {suited(side, rules.minSize.width, most.width, rules.multipleOf),
          suited(side, rules.minSize.height, most.height, rules.multipleOf)};
}

/** Appends a picture, all grey or with noise in its luma. */
void add(std::vector<ProbePicture>& pictures, Size size, bool noisy, JpegEncoder& encoder) {
  const auto width = static_cast<std::size_t>(size.width);
  const auto height = static_cast<std::size_t>(size.height);
  std::vector<std::uint8_t> luma(width * height, kGrey),
      chroma((width + 1) / 2 * ((height + 1) / 2), kGrey);
  Random random(1);
  if (noisy)
    for (std::uint8_t& pixel : luma) pixel = static_cast<std::uint8_t>(random.bits());
  const int half = (size.width + 1) / 2;
  const ImageView view{.format = PixelFormat::I420,
                       .size = size,
                       .planes = {luma.data(), chroma.data(), chroma.data()},
                       .strides = {size.width, half, half}};
  const auto file = encoder.encode(view, wholeFrame(size), size, kQuality);
  if (file) pictures.push_back({size, {file.value().begin(), file.value().end()}});
}

}  // namespace

std::vector<ProbePicture> probePictures(const ModelRules& rules, JpegEncoder& encoder) {
  const Size small = suited(kSmallSide, rules), large = suited(kLargeSide, rules);
  std::vector<ProbePicture> pictures;
  if (large.area() > kMostPixels) return pictures;
  for (std::size_t i = 0; i < kWarmUpProbes; ++i) add(pictures, small, false, encoder);
  if (small != large) add(pictures, small, false, encoder);
  add(pictures, large, false, encoder);
  add(pictures, large, true, encoder);
  return pictures;
}

}  // namespace elf
