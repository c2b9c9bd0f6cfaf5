// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/discovery/unchanged.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "elf/base/random.h"

namespace elf {
namespace {

constexpr Size kSize{320, 240};
constexpr Rect kRegion{101, 51, 70, 90};

/** A picture with edges in all its channels, in memory of its own. */
class Picture {
 public:
  explicit Picture(PixelFormat format = PixelFormat::I420) : format_(format) {
    const bool i420 = format == PixelFormat::I420, nv12 = format == PixelFormat::NV12;
    const int bytes = i420 || nv12 || format == PixelFormat::GRAY8               ? 1
                      : format == PixelFormat::RGB || format == PixelFormat::BGR ? 3
                                                                                 : 4;
    add(kSize.width * bytes, kSize.height);
    if (i420) {
      add(kSize.width / 2, kSize.height / 2);
      add(kSize.width / 2, kSize.height / 2);
    }
    if (nv12) add(kSize.width, kSize.height / 2);
    for (std::size_t plane = 0; plane < planes_.size(); ++plane)
      for (int y = 0; y < rows_[plane]; ++y)
        for (int x = 0; x < strides_[plane]; ++x) {
          const bool bright = ((x + y * 3) / 24) % 2 == 0;
          at(plane, x, y) = bright ? 180 : 70;
        }
  }

  std::uint8_t& at(std::size_t plane, int x, int y) {
    return planes_[plane][static_cast<std::size_t>(y) * strides_[plane] + x];
  }
  ImageView view() const {
    ImageView view{.format = format_, .size = kSize};
    for (std::size_t i = 0; i < planes_.size(); ++i) {
      view.planes[i] = planes_[i].data();
      view.strides[i] = strides_[i];
    }
    return view;
  }
  /** Adds what `change(plane, x, y)` says to each byte. */
  template <typename Change>
  Picture with(Change&& change) const {
    Picture changed = *this;
    for (std::size_t plane = 0; plane < planes_.size(); ++plane)
      for (int y = 0; y < rows_[plane]; ++y)
        for (int x = 0; x < strides_[plane]; ++x) {
          const double value = changed.at(plane, x, y) + change(plane, x, y);
          changed.at(plane, x, y) = static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0));
        }
    return changed;
  }
  Picture withNoise(double deviation, std::uint64_t seed) const {
    Random random(seed);
    return with([&](std::size_t, int, int) { return std::round(deviation * random.normal()); });
  }
  /** `left` pixels further to the left. */
  Picture moved(int left) const {
    Picture moved = *this;
    for (std::size_t plane = 0; plane < planes_.size(); ++plane)
      for (int y = 0; y < rows_[plane]; ++y)
        for (int x = 0; x + left < strides_[plane]; ++x)
          moved.at(plane, x, y) =
              planes_[plane][static_cast<std::size_t>(y) * strides_[plane] + x + left];
    return moved;
  }

 private:
  void add(int stride, int rows) {
    planes_.emplace_back(static_cast<std::size_t>(stride) * rows);
    strides_.push_back(stride);
    rows_.push_back(rows);
  }

  PixelFormat format_;
  std::vector<std::vector<std::uint8_t>> planes_;
  std::vector<int> strides_, rows_;
};

/** Whether the region of `now` is as it was in `then`. */
bool same(const Picture& then, const Picture& now, const Rect& rect = kRegion) {
  UnchangedRegions regions;
  regions.remember(0, then.view(), std::vector<Rect>{wholeFrame(kSize)}, 2);
  const UnchangedRegions::Region region{1, 0, rect};
  return regions.unchanged(now.view(), {&region, 1}).front();
}

class UnchangedFormats : public ::testing::TestWithParam<PixelFormat> {};

TEST_P(UnchangedFormats, NoiseIsNoChangeAndOtherPixelsAre) {
  const Picture picture(GetParam());
  EXPECT_TRUE(same(picture, picture));
  for (const double deviation : {1.0, 2.0, 4.0})
    EXPECT_TRUE(same(picture.withNoise(deviation, 1), picture.withNoise(deviation, 2)))
        << deviation;
  EXPECT_FALSE(same(picture, picture.moved(4)));
}

TEST_P(UnchangedFormats, AChangeInAnyChannelCounts) {
  const Picture picture(GetParam());
  const std::size_t planes = GetParam() == PixelFormat::I420   ? 3
                             : GetParam() == PixelFormat::NV12 ? 2
                                                               : 1;
  for (std::size_t changed = 0; changed < planes; ++changed)
    EXPECT_FALSE(same(picture, picture.with([&](std::size_t plane, int, int) {
      return plane == changed ? 30 : 0;
    }))) << changed;
}

INSTANTIATE_TEST_SUITE_P(All, UnchangedFormats,
                         ::testing::Values(PixelFormat::I420, PixelFormat::NV12, PixelFormat::GRAY8,
                                           PixelFormat::RGB, PixelFormat::BGRx, PixelFormat::xRGB),
                         [](const auto& given) {
                           return "Format" + std::to_string(static_cast<int>(given.param));
                         });

TEST(UnchangedRegions, TheUnusedByteOfAPixelIsNotSeen) {
  const auto flip = [](int unused) {
    return [unused](std::size_t, int x, int) { return x % 4 == unused ? 100 : 0; };
  };
  const Picture last(PixelFormat::BGRx), first(PixelFormat::xRGB);
  EXPECT_TRUE(same(last, last.with(flip(3))));
  EXPECT_TRUE(same(first, first.with(flip(0))));
  EXPECT_FALSE(same(last, last.with(flip(0))));
}

TEST(UnchangedRegions, ASmallObjectThatMovesIsSeenInItsFirstPixel) {
  Picture before;
  const auto patch = [](Picture picture, int left) {
    for (int y = 80; y < 110; ++y)
      for (int x = 120; x < 132; ++x) picture.at(0, x + left, y) = 20;
    return picture;
  };
  for (const double deviation : {0.0, 2.0})
    EXPECT_FALSE(
        same(patch(before, 0).withNoise(deviation, 1), patch(before, 1).withNoise(deviation, 2)))
        << deviation;
}

TEST(UnchangedRegions, AChangeOfLightIsAChangeEvenWithNoise) {
  const Picture picture;
  const auto brighter = [&](int by) {
    return picture.with([by](std::size_t plane, int, int) { return plane == 0 ? by : 0; });
  };
  EXPECT_TRUE(same(picture, brighter(1)));
  for (const int by : {8, 20, -8}) {
    EXPECT_FALSE(same(picture, brighter(by))) << by;
    EXPECT_FALSE(same(picture.withNoise(2, 1), brighter(2 * by).withNoise(2, 2))) << by;
  }
}

TEST(UnchangedRegions, WhatTheModelDidNotSeeWholeIsNotUnchanged) {
  const Picture picture;
  UnchangedRegions regions;
  const UnchangedRegions::Region region{1, 5, kRegion};
  const auto isSame = [&]() -> bool {
    return regions.unchanged(picture.view(), {&region, 1}).front();
  };
  EXPECT_FALSE(isSame()) << "nothing is known";
  regions.remember(5, picture.view(), std::vector<Rect>{{0, 0, 130, 240}, {130, 0, 190, 240}}, 2);
  EXPECT_FALSE(isSame()) << "cut";
  regions.remember(5, picture.view(), std::vector<Rect>{{90, 40, 100, 120}}, 2);
  EXPECT_TRUE(isSame());
  regions.forget();
  EXPECT_FALSE(isSame());
}

TEST(UnchangedRegions, AnUnchangedRegionIsRememberedAfterItsFrameIsGone) {
  // Slow fading is compared with the frame in which the object was found, not with the last one.
  const Picture picture;
  UnchangedRegions regions;
  regions.remember(0, picture.view(), std::vector<Rect>{wholeFrame(kSize)}, 2);
  const UnchangedRegions::Region region{7, 0, kRegion};
  int lasted = 0;
  for (int frame = 1; frame < 30; ++frame) {
    const Picture now =
        picture.with([&](std::size_t plane, int, int) { return plane == 0 ? frame / 2 : 0; });
    if (!regions.unchanged(now.view(), {&region, 1}).front()) break;
    regions.remember(static_cast<std::uint64_t>(frame), now.view(), {}, 2);
    lasted = frame;
  }
  EXPECT_GT(lasted, 2);
  EXPECT_LT(lasted, 12);
}

TEST(UnchangedRegions, RegionsAtTheRimAndOfOddSizesAreCompared) {
  const Picture picture;
  for (const Rect& rect : {Rect{0, 0, 3, 5}, Rect{317, 237, 3, 3}, Rect{0, 0, 320, 240},
                           Rect{13, 17, 1, 1}, Rect{311, 0, 9, 240}}) {
    EXPECT_TRUE(same(picture, picture, rect)) << rect.x;
    EXPECT_FALSE(same(picture, picture.with([](std::size_t, int, int) { return 40; }), rect));
  }
}

}  // namespace
}  // namespace elf
