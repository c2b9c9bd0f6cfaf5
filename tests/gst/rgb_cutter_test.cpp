// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfrgb.h"

#include <gtest/gtest.h>

#include <tuple>

#include "tests/gst/picture.h"

namespace elf::gst {
namespace {

class RgbCutterFormats : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(RgbCutterFormats, APartIsToTheBitWhatVideoconvertMakesOfTheFrame) {
  const auto& [format, colorimetry] = GetParam();
  const testing::Picture picture(format, colorimetry, {101, 75});
  RgbCutter cutter;
  for (const Rect& rect : testing::kOddRects) {
    const auto cut = cutter.cut(picture.mapped(), rect, rect.size());
    EXPECT_EQ(std::vector(cut.begin(), cut.end()), picture.rgbOf(rect))
        << rect.x << "," << rect.y << " " << rect.width << "x" << rect.height;
  }
}

TEST_P(RgbCutterFormats, OfAnInterlacedFrameToo) {
  const auto& [format, colorimetry] = GetParam();
  RgbCutter cutter;
  for (const int height : {76, 78}) {
    const testing::Picture picture(format, colorimetry, {101, height}, "interleaved");
    for (const Rect& rect : testing::kOddRects) {
      const auto cut = cutter.cut(picture.mapped(), rect, rect.size());
      EXPECT_EQ(std::vector(cut.begin(), cut.end()), picture.rgbOf(rect))
          << rect.x << "," << rect.y << " " << rect.width << "x" << rect.height << " of " << height;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Of, RgbCutterFormats,
                         ::testing::Combine(::testing::Values("I420", "NV12", "BGR", "RGB", "BGRx",
                                                              "BGRA", "RGBx", "RGBA", "xRGB",
                                                              "ARGB", "xBGR", "ABGR", "GRAY8"),
                                            ::testing::Values("", "bt601", "bt709", "1:4:0:0")));

TEST(RgbCutter, AScaledPartHasTheColoursOfItsPixels) {
  const testing::Picture picture("I420", "bt709", {200, 120});
  RgbCutter cutter;
  const Rect rect{10, 20, 96, 60};
  const auto cut = cutter.cut(picture.mapped(), rect, {32, 30});
  const std::vector<std::uint8_t> small(cut.begin(), cut.end());
  const std::vector<std::uint8_t> large = picture.rgbOf(rect);
  ASSERT_EQ(small.size(), 32U * 30 * 3);
  for (std::size_t y = 0; y < 30; ++y)
    for (std::size_t i = 0; i < 32U * 3; ++i) {
      // The middle one of the three columns, and either of the two rows.
      const std::size_t column = (i / 3 * 3 + 1) * 3 + i % 3;
      EXPECT_NEAR(small[y * 96 + i], large[2 * y * 288 + column], 6);
    }
}

}  // namespace
}  // namespace elf::gst
