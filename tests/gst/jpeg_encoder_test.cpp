// SPDX-License-Identifier: LGPL-2.1-or-later
// A part, decoded, must be what videoconvert makes of the same rectangle.
#include "elf/image/jpeg_encoder.h"

#include <gtest/gtest.h>
#include <turbojpeg.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "tests/gst/picture.h"

namespace elf {
namespace {

constexpr double kJpegError = 2;
// Of so few pixels no mean is taken: one rounding counts whole.
constexpr double kTinyPartError = 3;

struct Rgb {
  Size size;
  std::vector<std::uint8_t> pixels;
};

Rgb decode(std::span<const std::uint8_t> file) {
  Rgb picture;
  tjhandle handle = tjInitDecompress();
  int subsampling = 0, space = 0;
  EXPECT_EQ(tjDecompressHeader3(handle, file.data(), file.size(), &picture.size.width,
                                &picture.size.height, &subsampling, &space),
            0);
  picture.pixels.resize(static_cast<std::size_t>(picture.size.area()) * 3);
  EXPECT_EQ(tjDecompress2(handle, file.data(), file.size(), picture.pixels.data(),
                          picture.size.width, 0, picture.size.height, TJPF_RGB, 0),
            0);
  tjDestroy(handle);
  return picture;
}

/** Mean difference of a decoded part from the same rectangle of videoconvert's RGB. */
double difference(const Rgb& part, const testing::Picture& picture, const Rect& rect) {
  EXPECT_EQ(part.size, rect.size());
  const std::vector<std::uint8_t> expected = picture.rgbOf(rect);
  double sum = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) sum += std::abs(expected[i] - part.pixels[i]);
  return sum / (3 * rect.area());
}

class JpegEncoderColours : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(JpegEncoderColours, APartIsWhatVideoconvertMakesOfTheRectangle) {
  const auto& [format, colorimetry] = GetParam();
  const testing::Picture picture(format, colorimetry, {101, 75});
  JpegEncoder encoder;
  for (const Rect& rect : testing::kOddRects) {
    const auto file = encoder.encode(picture.view(), rect, rect.size(), 90);
    ASSERT_TRUE(file.ok()) << file.error();
    EXPECT_LE(difference(decode(file.value()), picture, rect),
              rect.area() < 16 ? kTinyPartError : kJpegError)
        << rect.x << "," << rect.y << " " << rect.width << "x" << rect.height;
  }
}

TEST(JpegEncoder, APartOfAnInterlacedFrameIsWhatVideoconvertMakesOfIt) {
  // Fields that differ are hard to compress. With the chroma of the other field it is 30 or more.
  constexpr double kFieldsError = 6;
  JpegEncoder encoder;
  for (const char* format : {"I420", "NV12"})
    for (const int height : {76, 78}) {
      const testing::Picture picture(format, "", {101, height}, "interleaved");
      for (const Rect& rect : testing::kOddRects) {
        if (rect.area() < 1000) continue;
        const auto file = encoder.encode(picture.view(), rect, rect.size(), 95);
        ASSERT_TRUE(file.ok()) << file.error();
        EXPECT_LE(difference(decode(file.value()), picture, rect), kFieldsError)
            << rect.x << "," << rect.y << " " << rect.width << "x" << rect.height << " of "
            << height;
      }
    }
}

// range:matrix:transfer:primaries, as GStreamer numbers them: range 1 full, 2 limited; matrix 3
// BT.709, 4 BT.601, 6 BT.2020.
INSTANTIATE_TEST_SUITE_P(Yuv, JpegEncoderColours,
                         ::testing::Combine(::testing::Values("I420", "NV12"),
                                            ::testing::Values("", "1:4:0:0", "2:4:0:0", "1:3:0:0",
                                                              "2:3:0:0", "1:6:0:0", "2:6:0:0",
                                                              "bt601", "bt709", "bt2020")));
INSTANTIATE_TEST_SUITE_P(Gray, JpegEncoderColours,
                         ::testing::Combine(::testing::Values("GRAY8"),
                                            ::testing::Values("", "1:4:0:0", "2:4:0:0",
                                                              "2:3:0:0")));
INSTANTIATE_TEST_SUITE_P(Rgb, JpegEncoderColours,
                         ::testing::Combine(::testing::Values("RGB", "BGR", "RGBx", "BGRx", "xRGB",
                                                              "xBGR", "RGBA", "BGRA", "ARGB",
                                                              "ABGR"),
                                            ::testing::Values("", "sRGB", "2:1:0:0")));

TEST(JpegEncoder, ScaledPartsKeepTheirColours) {
  for (const char* format : {"I420", "NV12", "BGR", "GRAY8", "xRGB"}) {
    const testing::Picture picture(format, "", {200, 120});
    JpegEncoder encoder;
    for (const Rect& rect : {Rect{0, 0, 200, 120}, Rect{3, 5, 90, 60}, Rect{10, 20, 33, 31}}) {
      const Size sent{rect.width / 2, rect.height / 3};
      const auto file = encoder.encode(picture.view(), rect, sent, 90);
      ASSERT_TRUE(file.ok()) << file.error();
      const Rgb small = decode(file.value());
      ASSERT_EQ(small.size, sent);
      const auto whole = encoder.encode(picture.view(), rect, rect.size(), 100);
      const Rgb large = decode(whole.value());
      double sum = 0;
      for (int y = 0; y < sent.height; ++y)
        for (int x = 0; x < sent.width; ++x)
          for (int c = 0; c < 3; ++c) {
            const int fromX = (2 * x + 1) * rect.width / sent.width / 2;
            const int fromY = (2 * y + 1) * rect.height / sent.height / 2;
            sum += std::abs(
                small.pixels[static_cast<std::size_t>((y * sent.width + x) * 3 + c)] -
                large.pixels[static_cast<std::size_t>((fromY * rect.width + fromX) * 3 + c)]);
          }
      EXPECT_LE(sum / (3 * sent.area()), 5) << format << " " << rect.x << "," << rect.y;
    }
  }
}

TEST(JpegEncoder, ReadsNothingBehindTheLastRowOfAnOddPicture) {
  // The planes end exactly where the picture does, so that a sanitizer sees one byte too many.
  const Size size{7, 5};
  const std::vector<std::uint8_t> y(35, 100), u(12, 90), v(12, 170), uv(24, 128);
  JpegEncoder encoder;
  for (const ColourRange range : {ColourRange::Full, ColourRange::Limited}) {
    ImageView view{PixelFormat::I420,   size, {y.data(), u.data(), v.data()}, {7, 4, 4},
                   ColourMatrix::Bt601, range};
    EXPECT_TRUE(encoder.encode(view, wholeFrame(size), size, 90).ok());
    EXPECT_TRUE(encoder.encode(view, wholeFrame(size), {3, 3}, 90).ok());
    view = {PixelFormat::NV12, size, {y.data(), uv.data()}, {7, 8}, ColourMatrix::Bt709, range};
    EXPECT_TRUE(encoder.encode(view, wholeFrame(size), size, 90).ok());
    EXPECT_TRUE(encoder.encode(view, {1, 1, 6, 4}, {6, 4}, 90).ok());
  }
}

TEST(JpegEncoder, ASizeThatJpegCannotHoldIsAnError) {
  const std::vector<std::uint8_t> row(70000, 0);
  const ImageView view{PixelFormat::GRAY8, {70000, 1}, {row.data()}, {70000}};
  JpegEncoder encoder;
  EXPECT_FALSE(encoder.encode(view, {0, 0, 70000, 1}, {70000, 1}, 90).ok());
}

}  // namespace
}  // namespace elf
