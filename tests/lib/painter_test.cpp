// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/render/painter.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <ostream>
#include <set>
#include <vector>

namespace elf {
namespace {

constexpr std::array kFormats{PixelFormat::I420, PixelFormat::NV12, PixelFormat::GRAY8,
                              PixelFormat::RGB,  PixelFormat::BGR,  PixelFormat::RGBx,
                              PixelFormat::BGRx, PixelFormat::xRGB, PixelFormat::xBGR};

// A flat grey picture whose rows are longer than needed; what lies behind each row must stay 77.
class Picture {
 public:
  Picture(PixelFormat format, Size size, ColourRange range, ColourMatrix matrix) {
    view_.format = format;
    view_.size = size;
    view_.range = range;
    view_.matrix = matrix;
    const int halfWidth = (size.width + 1) / 2;
    const int halfHeight = (size.height + 1) / 2;
    const auto grey = static_cast<std::uint8_t>(yuv() && !full() ? 16 + 219 * 100 / 255 : 100);
    switch (format) {
      case PixelFormat::I420:
        addPlane(0, size.width, size.height, grey);
        addPlane(1, halfWidth, halfHeight, 128);
        addPlane(2, halfWidth, halfHeight, 128);
        break;
      case PixelFormat::NV12:
        addPlane(0, size.width, size.height, grey);
        addPlane(1, 2 * halfWidth, halfHeight, 128);
        break;
      default:
        addPlane(0, size.width * bytes(), size.height, grey);
    }
  }

  MutableImageView& view() { return view_; }

  /** Full-range luma of a pixel by the picture's own matrix. */
  double luma(int x, int y) const {
    const std::uint8_t* p = view_.planes[0] + y * view_.strides[0] + x * bytes();
    if (yuv()) return full() ? p[0] : (p[0] - 16) * 255.0 / 219;
    const bool first = view_.format == PixelFormat::xRGB || view_.format == PixelFormat::xBGR;
    if (first) ++p;
    const bool bgr = view_.format == PixelFormat::BGR || view_.format == PixelFormat::BGRx ||
                     view_.format == PixelFormat::xBGR;
    const double r = bgr ? p[2] : p[0];
    const double b = bgr ? p[0] : p[2];
    double kr = 0.299;
    double kb = 0.114;
    if (view_.matrix == ColourMatrix::Bt709) {
      kr = 0.2126;
      kb = 0.0722;
    }
    return kr * r + (1 - kr - kb) * p[1] + kb * b;
  }

  bool paddingIsUntouched() const {
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t row = 0; row < rows_[i]; ++row)
        for (std::size_t x = used_[i]; x < used_[i] + kPadding; ++x)
          if (memory_[i][row * (used_[i] + kPadding) + x] != 77) return false;
    return true;
  }

  std::vector<std::vector<std::uint8_t>> pixels() const {
    return {memory_[0], memory_[1], memory_[2]};
  }

 private:
  static constexpr std::size_t kPadding = 5;

  bool yuv() const {
    return view_.format == PixelFormat::I420 || view_.format == PixelFormat::NV12 ||
           view_.format == PixelFormat::GRAY8;
  }
  bool full() const { return view_.range == ColourRange::Full; }
  int bytes() const {
    if (yuv()) return 1;
    return view_.format == PixelFormat::RGB || view_.format == PixelFormat::BGR ? 3 : 4;
  }

  void addPlane(std::size_t i, int width, int height, std::uint8_t value) {
    used_[i] = static_cast<std::size_t>(width);
    rows_[i] = static_cast<std::size_t>(height);
    const std::size_t stride = used_[i] + kPadding;
    memory_[i].assign(stride * rows_[i], 77);
    for (std::size_t row = 0; row < rows_[i]; ++row)
      std::fill_n(memory_[i].begin() + static_cast<std::ptrdiff_t>(row * stride), width, value);
    view_.planes[i] = memory_[i].data();
    view_.strides[i] = static_cast<int>(stride);
  }

  MutableImageView view_;
  std::array<std::vector<std::uint8_t>, 3> memory_;
  std::array<std::size_t, 3> used_{};
  std::array<std::size_t, 3> rows_{};
};

Detection detection(Box box, Identity id) {
  Detection d;
  d.box = box;
  d.id = id;
  d.label = "person";
  d.score = 0.87F;
  return d;
}

FrameRecord busyRecord(Size size) {
  FrameRecord record;
  record.size = size;
  const auto w = static_cast<float>(size.width);
  const auto h = static_cast<float>(size.height);
  record.detections = {detection({w * 0.2F, h * 0.3F, w * 0.5F, h * 0.8F}, 1),
                       detection({w * 0.7F, 0, w, h * 0.6F}, 2)};
  record.detections.push_back(detection({w * 0.4F, h * 0.5F, w * 0.6F, h * 0.9F}, 3));
  record.detections.back().coasted = true;
  Rp rp;
  rp.box = {w * 0.15F, h * 0.25F, w * 0.55F, h * 0.85F};
  rp.id = 1;
  record.rps = std::vector<Rp>{rp};
  Part part;
  part.rect = {size.width / 10, size.height / 10, size.width / 2, size.height / 2};
  part.server = 1;
  record.plan.emplace().parts.push_back(part);
  return record;
}

constexpr PaintOptions kAll{true, true, true, true};

struct Case {
  Size size;
  ColourRange range;
  ColourMatrix matrix;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.size.width << "x" << c.size.height << (c.range == ColourRange::Full ? " full" : "")
       << (c.matrix == ColourMatrix::Bt709 ? " bt709" : " bt601");
}

class PainterFormats : public testing::TestWithParam<Case> {};

TEST_P(PainterFormats, LumaAgreesWithinTwoAndNothingOutsideIsTouched) {
  const auto [size, range, matrix] = GetParam();
  const FrameRecord record = busyRecord(size);
  Picture reference(PixelFormat::RGB, size, range, matrix);
  const Picture before(PixelFormat::RGB, size, range, matrix);
  paint(record, kAll, reference.view());
  EXPECT_NE(reference.pixels(), before.pixels());
  for (const PixelFormat format : kFormats) {
    Picture picture(format, size, range, matrix);
    paint(record, kAll, picture.view());
    double worst = 0;
    for (int y = 0; y < size.height; ++y)
      for (int x = 0; x < size.width; ++x)
        worst = std::max(worst, std::abs(picture.luma(x, y) - reference.luma(x, y)));
    EXPECT_LE(worst, 2.0) << "format " << static_cast<int>(format);
    EXPECT_TRUE(picture.paddingIsUntouched()) << "format " << static_cast<int>(format);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, PainterFormats,
    testing::Values(Case{{640, 480}, ColourRange::Limited, ColourMatrix::Bt601},
                    Case{{641, 479}, ColourRange::Full, ColourMatrix::Bt601},
                    Case{{1279, 721}, ColourRange::Limited, ColourMatrix::Bt709},
                    Case{{33, 17}, ColourRange::Full, ColourMatrix::Bt709},
                    Case{{1, 1}, ColourRange::Limited, ColourMatrix::Bt601}));

TEST(Painter, DrawsNothingForBoxesOutsideTheFrameOrWithoutANumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float far = std::numeric_limits<float>::max();
  FrameRecord record;
  record.size = {64, 48};
  record.detections = {detection({-50, -50, -10, -10}, 1), detection({64, 48, 90, 90}, 2),
                       detection({nan, 0, 10, 10}, 3), detection({0, 0, INFINITY, 10}, 4),
                       detection({far / 2, 0, far, 10}, 5)};
  for (const PixelFormat format : kFormats) {
    Picture picture(format, record.size, ColourRange::Limited, ColourMatrix::Bt601);
    const auto before = picture.pixels();
    paint(record, kAll, picture.view());
    EXPECT_EQ(picture.pixels(), before);
  }
}

TEST(Painter, ABoxAroundTheWholeFrameAndMoreHasNoVisibleEdge) {
  FrameRecord record;
  record.size = {64, 48};
  record.detections = {detection({-1e9F, -1e9F, 1e9F, 1e9F}, 1)};
  Picture picture(PixelFormat::I420, record.size, ColourRange::Limited, ColourMatrix::Bt601);
  const auto before = picture.pixels();
  paint(record, {true, false, false, false}, picture.view());
  EXPECT_EQ(picture.pixels(), before);
}

TEST(Painter, EachIdentityKeepsAColourOfItsOwnAndCoastedBoxesAreGrey) {
  const auto corner = [](Identity id, bool coasted) {
    FrameRecord record;
    record.size = {64, 48};
    record.detections = {detection({10, 10, 50, 40}, id)};
    record.detections[0].coasted = coasted;
    Picture picture(PixelFormat::RGB, record.size, ColourRange::Full, ColourMatrix::Bt601);
    paint(record, {true, false, false, false}, picture.view());
    const std::uint8_t* p = picture.view().planes[0] + 10 * picture.view().strides[0] + 30;
    return std::array<int, 3>{p[0], p[1], p[2]};
  };
  std::set<std::array<int, 3>> colours;
  for (Identity id = 1; id <= 8; ++id) {
    colours.insert(corner(id, false));
    EXPECT_EQ(corner(id, false), corner(id, false));
  }
  EXPECT_EQ(colours.size(), 8U);
  const auto grey = corner(1, true);
  EXPECT_EQ(grey[0], grey[1]);
  EXPECT_EQ(grey[1], grey[2]);
}

TEST(Painter, DrawsOfALabelOfAServersNoMoreThanItsBeginning) {
  const auto drawn = [](const std::string& label) {
    FrameRecord record;
    record.size = {1024, 48};
    record.detections = {detection({10, 10, 50, 40}, 1)};
    record.detections[0].label = label;
    Picture picture(PixelFormat::GRAY8, record.size, ColourRange::Full, ColourMatrix::Bt601);
    paint(record, {false, true, false, false}, picture.view());
    return picture.pixels();
  };
  const std::string begin(40, 'x');
  EXPECT_EQ(drawn(begin + std::string(1 << 20, 'y')), drawn(begin));
  EXPECT_NE(drawn(begin), drawn(std::string(39, 'x')));
  EXPECT_EQ(drawn("a\nb\x1b"), drawn("a b "));
}

TEST(Painter, TellsWhenThereIsNothingToDraw) {
  FrameRecord record;
  EXPECT_FALSE(paintsAnything(record, kAll));
  record.rps.emplace();
  record.plan.emplace();
  EXPECT_FALSE(paintsAnything(record, kAll));
  record.detections.push_back(detection({0, 0, 1, 1}, 1));
  EXPECT_TRUE(paintsAnything(record, {false, true, false, false}));
  EXPECT_FALSE(paintsAnything(record, {false, false, true, true}));
}

}  // namespace
}  // namespace elf
