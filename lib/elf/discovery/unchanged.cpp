// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/discovery/unchanged.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace elf {

namespace {

constexpr int kBlock = 8;
constexpr int kPasses = 4;
constexpr float kLeastDifference = 2, kLeastShift = 1.5F;
constexpr float kNoiseShare = 1.5F, kShiftShare = 0.5F, kGradientShare = 0.15F;
constexpr float kMostNoise = 6;
/** Noise alone makes a gradient of this many times the mean difference. */
constexpr float kGradientOfNoise = 2;
/** The share of blocks whose difference is below the noise. */
constexpr double kQuiet = 0.1;

/** One kind of samples of a picture. */
struct Channel {
  std::size_t plane = 0;
  /** Bytes to the first sample and from one to the next. */
  int offset = 0, step = 1;
  /** Pixels of the picture for a sample, along each side. */
  int pixels = 1;
};

std::vector<Channel> channelsOf(PixelFormat format) {
  const auto packed = [](int first, int step) {
    return std::vector<Channel>{{0, first + 1, step}, {0, first, step}, {0, first + 2, step}};
  };
  switch (format) {
    case PixelFormat::I420:
      return {{0, 0, 1}, {1, 0, 1, 2}, {2, 0, 1, 2}};
    case PixelFormat::NV12:
      return {{0, 0, 1}, {1, 0, 2, 2}, {1, 1, 2, 2}};
    case PixelFormat::GRAY8:
      return {{0, 0, 1}};
    case PixelFormat::RGB:
    case PixelFormat::BGR:
      return packed(0, 3);
    case PixelFormat::RGBx:
    case PixelFormat::BGRx:
      return packed(0, 4);
    case PixelFormat::xRGB:
    case PixelFormat::xBGR:
      return packed(1, 4);
  }
  return {};
}

/** The size of a plane's rows, in bytes, and their number. */
Size planeSize(PixelFormat format, std::size_t plane, Size size) {
  const Size half{(size.width + 1) / 2, (size.height + 1) / 2};
  switch (format) {
    case PixelFormat::I420:
      return plane == 0 ? size : half;
    case PixelFormat::NV12:
      return plane == 0 ? size : Size{2 * half.width, half.height};
    case PixelFormat::GRAY8:
      return size;
    case PixelFormat::RGB:
    case PixelFormat::BGR:
      return {3 * size.width, size.height};
    default:
      return {4 * size.width, size.height};
  }
}

std::size_t planesOf(PixelFormat format) {
  if (format == PixelFormat::I420) return 3;
  return format == PixelFormat::NV12 ? 2 : 1;
}

bool isYuv(PixelFormat format) {
  return planesOf(format) > 1;
}

/** To whole samples of chroma, also of both fields. */
Rect wholeSamples(const Rect& rect, PixelFormat format, bool interlaced, Size size) {
  if (!isYuv(format)) return rect;
  const int rows = interlaced ? 4 : 2;
  const int x = rect.x / 2 * 2, y = rect.y / rows * rows;
  const int right = std::min(size.width, roundUp(rect.right(), 2));
  const int bottom = std::min(size.height, roundUp(rect.bottom(), rows));
  return {x, y, right - x, bottom - y};
}

/** The view of `rect`, which begins at whole samples. */
ImageView viewOf(const ImageView& picture, const Rect& rect) {
  ImageView view = picture;
  view.size = rect.size();
  for (std::size_t i = 0; i < planesOf(picture.format); ++i) {
    const Size before = planeSize(picture.format, i, {rect.x, rect.y});
    view.planes[i] +=
        static_cast<std::ptrdiff_t>(before.height) * picture.strides[i] + before.width;
  }
  return view;
}

/** What a block of samples shows of a change. */
struct Difference {
  float mean = 0, signedMean = 0, gradient = 0;

  bool isNoise(float noise) const {
    const float edges = kGradientShare * std::max(0.0F, gradient - kGradientOfNoise * noise);
    return mean <= kLeastDifference + kNoiseShare * noise + edges &&
           std::abs(signedMean) <= kLeastShift + kShiftShare * noise + edges;
  }
};

/** Rows of one channel at one block, in both pictures. */
struct Samples {
  const std::uint8_t *now, *then;
  int nowStride, thenStride, step;
};

template <int kStep>
Difference differenceOf(const Samples& samples, int width, int height) {
  int sum = 0, signedSum = 0;
  for (int y = 0; y < height; ++y) {
    const std::uint8_t* const now =
        samples.now + static_cast<std::ptrdiff_t>(y) * samples.nowStride;
    const std::uint8_t* const then =
        samples.then + static_cast<std::ptrdiff_t>(y) * samples.thenStride;
    for (int x = 0; x < width; ++x) {
      const int difference = now[x * kStep] - then[x * kStep];
      sum += std::abs(difference);
      signedSum += difference;
    }
  }
  const auto count = static_cast<float>(width * height);
  return {static_cast<float>(sum) / count, static_cast<float>(signedSum) / count, 0};
}

/** The mean step from one sample to the next, across and down together. */
float gradientOf(const Samples& samples, int width, int height) {
  int across = 0, down = 0;
  for (int y = 0; y < height; ++y) {
    const std::uint8_t* const now =
        samples.now + static_cast<std::ptrdiff_t>(y) * samples.nowStride;
    for (int x = 0; x < width; ++x) {
      const int at = x * samples.step;
      if (x > 0) across += std::abs(now[at] - now[at - samples.step]);
      if (y > 0) down += std::abs(now[at] - now[at - samples.nowStride]);
    }
  }
  const auto mean = [](int total, int number) {
    return static_cast<float>(total) / static_cast<float>(std::max(1, number));
  };
  return mean(across, (width - 1) * height) + mean(down, width * (height - 1));
}

Difference differenceOf(const Samples& samples, int width, int height) {
  const auto differ = [&] {
    switch (samples.step) {
      case 1:
        return differenceOf<1>(samples, width, height);
      case 2:
        return differenceOf<2>(samples, width, height);
      case 3:
        return differenceOf<3>(samples, width, height);
      default:
        return differenceOf<4>(samples, width, height);
    }
  };
  Difference difference = differ();
  // Of most blocks edges need not explain anything.
  if (!difference.isNoise(0)) difference.gradient = gradientOf(samples, width, height);
  return difference;
}

/** The differences of two pictures of one size, block by block. Stops after a block that no noise
 * explains: false. Those of brightness, or green, are added to `quiet` as well. */
bool compare(const ImageView& now, const ImageView& then, std::vector<Difference>& blocks,
             std::vector<float>& quiet) {
  bool first = true;
  for (const Channel& channel : channelsOf(now.format)) {
    const Size size{(now.size.width + channel.pixels - 1) / channel.pixels,
                    (now.size.height + channel.pixels - 1) / channel.pixels};
    // The remainder is spread over the blocks: small ones would show more of the noise.
    const Size grid{std::max(1, size.width / kBlock), std::max(1, size.height / kBlock)};
    const auto isNoise = [&](int row, int column) {
      const int x = column * size.width / grid.width;
      const int y = row * size.height / grid.height;
      const auto at = [&](const ImageView& view) {
        return view.planes[channel.plane] +
               static_cast<std::ptrdiff_t>(y) * view.strides[channel.plane] + x * channel.step +
               channel.offset;
      };
      const Difference block = differenceOf({at(now), at(then), now.strides[channel.plane],
                                             then.strides[channel.plane], channel.step},
                                            (column + 1) * size.width / grid.width - x,
                                            (row + 1) * size.height / grid.height - y);
      if (first) quiet.push_back(block.mean);
      blocks.push_back(block);
      return block.isNoise(kMostNoise);
    };
    // Every fourth row of blocks first: what moves is mostly seen there.
    for (int start = 0; start < kPasses; ++start)
      for (int row = start; row < grid.height; row += kPasses)
        for (int column = 0; column < grid.width; ++column)
          if (!isNoise(row, column)) return false;
    first = false;
  }
  return true;
}

bool areOfOneKind(const ImageView& a, const ImageView& b) {
  return a.format == b.format && a.matrix == b.matrix && a.range == b.range &&
         a.interlaced == b.interlaced;
}

}  // namespace

PixelBlock::PixelBlock(const ImageView& picture, const Rect& rect)
    : layout_(picture),
      rect_(wholeSamples(rect, picture.format, picture.interlaced, picture.size)) {
  const ImageView source = viewOf(picture, rect_);
  layout_.size = rect_.size();
  for (std::size_t i = 0; i < planesOf(picture.format); ++i) {
    const Size plane = planeSize(picture.format, i, rect_.size());
    layout_.strides[i] = plane.width;
    planes_[i].resize(static_cast<std::size_t>(plane.width) * plane.height);
    for (int y = 0; y < plane.height; ++y)
      std::memcpy(planes_[i].data() + static_cast<std::ptrdiff_t>(y) * plane.width,
                  source.planes[i] + static_cast<std::ptrdiff_t>(y) * source.strides[i],
                  static_cast<std::size_t>(plane.width));
  }
}

ImageView PixelBlock::view() const {
  ImageView view = layout_;
  for (std::size_t i = 0; i < planes_.size(); ++i) view.planes[i] = planes_[i].data();
  return view;
}

PixelBlock PixelBlock::cropped(const Rect& rect) const {
  PixelBlock block(view(), {rect.x - rect_.x, rect.y - rect_.y, rect.width, rect.height});
  block.rect_.x += rect_.x;
  block.rect_.y += rect_.y;
  return block;
}

const PixelBlock* UnchangedRegions::find(const Region& region) const {
  const auto kept = kept_.find(region.id);
  if (kept != kept_.end() && kept->second.frame == region.frame &&
      contains(kept->second.pixels.rect(), region.rect))
    return &kept->second.pixels;
  const auto frame = inferred_.find(region.frame);
  if (frame == inferred_.end()) return nullptr;
  const auto block = std::ranges::find_if(
      frame->second, [&](const PixelBlock& one) { return contains(one.rect(), region.rect); });
  return block == frame->second.end() ? nullptr : &*block;
}

std::vector<bool> UnchangedRegions::unchanged(const ImageView& picture,
                                              std::span<const Region> regions) {
  struct Candidate {
    std::size_t index = 0;
    const PixelBlock* then = nullptr;
    std::vector<Difference> blocks;
  };
  std::vector<Candidate> candidates;
  std::vector<float> quiet;
  for (std::size_t i = 0; i < regions.size(); ++i) {
    Candidate candidate{i, find(regions[i]), {}};
    if (!candidate.then) continue;
    const Rect rect =
        wholeSamples(regions[i].rect, picture.format, picture.interlaced, picture.size);
    const Rect& held = candidate.then->rect();
    const ImageView then = candidate.then->view();
    if (!areOfOneKind(picture, then) || !contains(held, rect)) continue;
    const Rect inside{rect.x - held.x, rect.y - held.y, rect.width, rect.height};
    if (compare(viewOf(picture, rect), viewOf(then, inside), candidate.blocks, quiet))
      candidates.push_back(std::move(candidate));
  }
  float noise = 0;
  if (!quiet.empty()) {
    const auto at =
        quiet.begin() + static_cast<std::ptrdiff_t>(kQuiet * static_cast<double>(quiet.size()));
    std::nth_element(quiet.begin(), at, quiet.end());
    noise = std::min(*at, kMostNoise);
  }
  std::vector<bool> same(regions.size());
  std::map<Identity, Kept> kept;
  for (const Candidate& candidate : candidates) {
    const Region& region = regions[candidate.index];
    if (!std::ranges::all_of(candidate.blocks,
                             [&](const Difference& block) { return block.isNoise(noise); }))
      continue;
    same[candidate.index] = true;
    const auto before = kept_.find(region.id);
    if (before != kept_.end() && before->second.frame == region.frame)
      kept.insert(kept_.extract(before));
    else
      kept.insert_or_assign(region.id, Kept{region.frame, candidate.then->cropped(region.rect)});
  }
  kept_ = std::move(kept);
  return same;
}

void UnchangedRegions::remember(std::uint64_t frame, const ImageView& picture,
                                std::span<const Rect> rects, std::size_t frames) {
  std::vector<PixelBlock>& blocks = inferred_[frame];
  for (const Rect& rect : rects) blocks.emplace_back(picture, rect);
  while (inferred_.size() > frames) inferred_.erase(inferred_.begin());
}

void UnchangedRegions::forget() {
  inferred_.clear();
  kept_.clear();
}

}  // namespace elf
