// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/render/painter.h"

#include <gtest/gtest.h>

#include <cmath>
#include <iostream>
#include <limits>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "elf/base/printable.h"
#include "elf/render/script.h"

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

  // Its view points into its own memory.
  Picture(Picture&&) = default;

  MutableImageView& view() { return view_; }

  /** Full-range luma of a pixel by the picture's own matrix. */
  double luma(int x, int y) const {
    const std::uint8_t* p = view_.planes[0] + y * view_.strides[0] + x * bytes();
    if (yuv()) return full() ? p[0] : (p[0] - 16) * 255.0 / 219;
    const auto [r, g, b] = rgb(x, y);
    const auto [kr, kb] = weights();
    return kr * r + (1 - kr - kb) * g + kb * b;
  }

  bool hasChroma() const { return view_.format != PixelFormat::GRAY8; }

  /** Chroma of a pixel, -127.5..127.5: what it is too blue by and too red by. */
  std::array<double, 2> chroma(int x, int y) const {
    const auto sample = [&](std::size_t plane, int step, int offset) {
      const int stored =
          view_.planes[plane][y / 2 * view_.strides[plane] + x / 2 * step + offset] - 128;
      return full() ? stored : stored * 255.0 / 224;
    };
    if (view_.format == PixelFormat::I420) return {sample(1, 1, 0), sample(2, 1, 0)};
    if (view_.format == PixelFormat::NV12) return {sample(1, 2, 0), sample(1, 2, 1)};
    const auto [r, g, b] = rgb(x, y);
    const auto [kr, kb] = weights();
    const double grey = kr * r + (1 - kr - kb) * g + kb * b;
    return {(b - grey) / (2 * (1 - kb)), (r - grey) / (2 * (1 - kr))};
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
  std::array<double, 3> rgb(int x, int y) const {
    const std::uint8_t* p = view_.planes[0] + y * view_.strides[0] + x * bytes();
    if (view_.format == PixelFormat::xRGB || view_.format == PixelFormat::xBGR) ++p;
    const bool bgr = view_.format == PixelFormat::BGR || view_.format == PixelFormat::BGRx ||
                     view_.format == PixelFormat::xBGR;
    return {static_cast<double>(p[bgr ? 2 : 0]), static_cast<double>(p[1]),
            static_cast<double>(p[bgr ? 0 : 2])};
  }
  /** Of red and of blue in luma. */
  std::array<double, 2> weights() const {
    if (view_.matrix == ColourMatrix::Bt709) return {0.2126, 0.0722};
    return {0.299, 0.114};
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

/** An ellipse that fills `rect`. */
Mask ellipse(const Rect& rect) {
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < rect.height; ++y)
    for (int x = 0; x < rect.width; ++x)
      pixels.push_back(std::hypot((2 * x + 1.0) / rect.width - 1, (2 * y + 1.0) / rect.height - 1) <
                       1);
  return {rect, std::move(pixels)};
}

CapacityPtr capacityOf(const std::string& url, std::vector<std::array<int, 2>> skeleton = {}) {
  Capacity capacity;
  capacity.servers.push_back({"http://unused:1", true, false});
  capacity.servers.push_back({url, true, false});
  capacity.rules.skeleton = std::move(skeleton);
  return std::make_shared<const Capacity>(std::move(capacity));
}

// Boxes, masks and joints that lie inside, at the border, and beyond it.
FrameRecord busyRecord(Size size) {
  FrameRecord record;
  record.size = size;
  const auto w = static_cast<float>(size.width);
  const auto h = static_cast<float>(size.height);
  record.detections = {detection({w * 0.2F, h * 0.3F, w * 0.5F, h * 0.8F}, 1),
                       detection({w * 0.7F, 0, w, h * 0.6F}, 2)};
  record.detections.push_back(detection({w * 0.4F, h * 0.5F, w * 0.6F, h * 0.9F}, 3));
  record.detections.back().coasted = true;
  const int width = size.width / 3 + 3;
  const int height = size.height / 3 + 3;
  record.detections[0].mask = ellipse({size.width / 5, size.height / 4, width, height});
  record.detections[1].mask = ellipse({size.width - width / 2, -3, width, height});
  record.detections[0].keypoints = {{w * 0.3F, h * 0.4F, 1},
                                    {w * 0.45F, h * 0.7F, 0.5F},
                                    {w * 0.2F, h * 1.2F, 0.9F},
                                    {-w, h * 0.5F, 0.9F}};
  record.detections[1].rotated = {w * 0.85F, h * 0.3F, w * 0.3F, h * 0.2F, 0.8F};
  record.capacity = capacityOf("http://127.0.0.1:8001", {{0, 1}, {1, 2}, {1, 3}});
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

constexpr PaintOptions kNone{false, false, false, false, false, false, false};
constexpr PaintOptions kAll{true, true, true, true, true, true, true};

/** That alone. */
constexpr PaintOptions only(bool PaintOptions::*option) {
  PaintOptions options = kNone;
  options.*option = true;
  return options;
}

/** All that comes of the record's objects, RPs and parts; a line of statistics there is always. */
constexpr PaintOptions kAllButStatistics{true, true, true, true, true, true, false};
constexpr PaintOptions kBoxes = only(&PaintOptions::boxes);
constexpr PaintOptions kLabels = only(&PaintOptions::labels);

struct Case {
  Size size;
  ColourRange range;
  ColourMatrix matrix;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.size.width << "x" << c.size.height << (c.range == ColourRange::Full ? " full" : "")
       << (c.matrix == ColourMatrix::Bt709 ? " bt709" : " bt601");
}

/**
 * By how much the chroma of any pixel is outside of what `reference` has in the four pixels of its
 * sample and in those of the samples around.
 */
double worstChroma(const Picture& picture, const Picture& reference, Size size) {
  double worst = 0;
  for (int y = 0; y < size.height; y += 2)
    for (int x = 0; x < size.width; x += 2) {
      const auto found = picture.chroma(x, y);
      std::array<double, 2> least{1e9, 1e9}, most{-1e9, -1e9};
      for (int v = std::max(0, y - 2); v < std::min(y + 4, size.height); ++v)
        for (int u = std::max(0, x - 2); u < std::min(x + 4, size.width); ++u) {
          const auto near = reference.chroma(u, v);
          for (std::size_t i = 0; i < 2; ++i) {
            least[i] = std::min(least[i], near[i]);
            most[i] = std::max(most[i], near[i]);
          }
        }
      for (std::size_t i = 0; i < 2; ++i)
        worst = std::max({worst, least[i] - found[i], found[i] - most[i]});
    }
  return worst;
}

class PainterFormats : public testing::TestWithParam<Case> {};

TEST_P(PainterFormats, LumaAgreesWithinTwoChromaWithinASampleAndNothingOutsideIsTouched) {
  const auto [size, range, matrix] = GetParam();
  const FrameRecord record = busyRecord(size);
  Picture reference(PixelFormat::RGB, size, range, matrix);
  const Picture before(PixelFormat::RGB, size, range, matrix);
  Painter().paint(record, kAll, reference.view());
  EXPECT_NE(reference.pixels(), before.pixels());
  for (const PixelFormat format : kFormats) {
    Picture picture(format, size, range, matrix);
    Painter().paint(record, kAll, picture.view());
    double worst = 0;
    for (int y = 0; y < size.height; ++y)
      for (int x = 0; x < size.width; ++x)
        worst = std::max(worst, std::abs(picture.luma(x, y) - reference.luma(x, y)));
    EXPECT_LE(worst, 2.0) << "format " << static_cast<int>(format);
    if (picture.hasChroma()) {
      EXPECT_LE(worstChroma(picture, reference, size), 3.0)
          << "format " << static_cast<int>(format);
    }
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
    Painter().paint(record, kAllButStatistics, picture.view());
    EXPECT_EQ(picture.pixels(), before);
  }
}

TEST(Painter, ABoxAroundTheWholeFrameAndMoreHasNoVisibleEdge) {
  FrameRecord record;
  record.size = {64, 48};
  record.detections = {detection({-1e9F, -1e9F, 1e9F, 1e9F}, 1)};
  Picture picture(PixelFormat::I420, record.size, ColourRange::Limited, ColourMatrix::Bt601);
  const auto before = picture.pixels();
  Painter().paint(record, kBoxes, picture.view());
  EXPECT_EQ(picture.pixels(), before);
}

TEST(Painter, EachIdentityKeepsAColourOfItsOwnAndCoastedBoxesAreGrey) {
  const auto corner = [](Identity id, bool coasted) {
    FrameRecord record;
    record.size = {64, 48};
    record.detections = {detection({10, 10, 50, 40}, id)};
    record.detections[0].coasted = coasted;
    Picture picture(PixelFormat::RGB, record.size, ColourRange::Full, ColourMatrix::Bt601);
    Painter().paint(record, kBoxes, picture.view());
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
    Painter().paint(record, kLabels, picture.view());
    return picture.pixels();
  };
  const std::string begin(40, 'x');
  EXPECT_EQ(drawn(begin + std::string(1 << 20, 'y')), drawn(begin));
  EXPECT_NE(drawn(begin), drawn(std::string(39, 'x')));
  EXPECT_EQ(drawn("a\nb\x1b"), drawn("a b "));
  EXPECT_EQ(drawn("\xe4\xba"), drawn("0")) << "the number of the class";
}

/** A frame of `size` with one object, drawn in `format` with `options`. */
class Drawing {
 public:
  Drawing(Size size, PixelFormat format) : size_(size), format_(format) { record.size = size; }

  Picture blank() const { return {format_, size_, ColourRange::Full, ColourMatrix::Bt601}; }
  Picture drawn(const PaintOptions& options) const {
    Picture picture = blank();
    Painter().paint(record, options, picture.view());
    EXPECT_TRUE(picture.paddingIsUntouched());
    return picture;
  }
  /** The smallest rectangle around all pixels that change. */
  Rect changed(const PaintOptions& options) const {
    const Picture before = blank();
    const Picture after = drawn(options);
    Rect around{size_.width, size_.height, -size_.width, -size_.height};
    for (int y = 0; y < size_.height; ++y)
      for (int x = 0; x < size_.width; ++x)
        if (before.luma(x, y) != after.luma(x, y))
          around = around.empty() ? Rect{x, y, 1, 1} : unite(around, Rect{x, y, 1, 1});
    return around;
  }

  FrameRecord record;

 private:
  Size size_;
  PixelFormat format_;
};

TEST(Painter, LettersAreTwoPercentOfTheHeightAndTwelvePixelsAtLeast) {
  const auto barHeight = [](Size size) {
    Drawing drawing(size, PixelFormat::GRAY8);
    drawing.record.detections = {detection({100, 100, 200, 200}, 1)};
    return drawing.changed(kLabels).height;
  };
  EXPECT_EQ(barHeight({320, 240}), 12 + 2 * 2);
  EXPECT_EQ(barHeight({1280, 720}), 14 + 2 * 2);
  EXPECT_EQ(barHeight({3840, 2160}), 43 + 2 * 7);
}

TEST(Painter, ALabelIsInsideTheFrameAndKeepsItsScore) {
  for (const Box& box : {Box{-20, -20, 10, 10}, Box{310, 230, 400, 300}, Box{-5, 100, 500, 120}}) {
    Drawing drawing({320, 240}, PixelFormat::GRAY8);
    drawing.record.detections = {detection(box, 1)};
    const Rect usual = drawing.changed(kLabels);
    EXPECT_EQ(usual.height, 16);
    EXPECT_GT(usual.width, 60);
    drawing.record.detections[0].label = std::string(40, 'm');
    const Rect large = drawing.changed(kLabels);
    EXPECT_GT(large.width, 300);
    const auto certain = drawing.drawn(kLabels).pixels();
    drawing.record.detections[0].score = 0.12F;
    EXPECT_NE(drawing.drawn(kLabels).pixels(), certain);
  }
}

TEST(Painter, NoLabelCoversAnotherWhereThereIsRoom) {
  Drawing drawing({320, 240}, PixelFormat::GRAY8);
  const Box box{100, 100, 200, 150};
  drawing.record.detections = {detection(box, 1)};
  EXPECT_EQ(drawing.changed(kLabels), (Rect{100, 84, drawing.changed(kLabels).width, 16}));
  const Picture one = drawing.drawn(kLabels);
  drawing.record.detections = {detection(box, 3), detection(box, 2), detection(box, 1)};
  const Picture three = drawing.drawn(kLabels);
  const Rect all = drawing.changed(kLabels);
  EXPECT_EQ(all.y, 84) << "above";
  EXPECT_EQ(all.bottom(), 166) << "below";
  for (int y = 84; y < 100; ++y)
    for (int x = 0; x < 320; ++x)
      ASSERT_EQ(one.luma(x, y), three.luma(x, y)) << "the oldest object keeps its place";
}

TEST(Painter, NoLabelHidesItsSmallObjectWhereThereIsRoomElsewhere) {
  Drawing drawing({320, 240}, PixelFormat::GRAY8);
  drawing.record.detections = {detection({100, 4, 120, 14}, 1)};
  EXPECT_GE(drawing.changed(kLabels).y, 14) << "below";
  Drawing low({320, 20}, PixelFormat::GRAY8);
  low.record.detections = {detection({100, 3, 120, 14}, 1)};
  EXPECT_GE(low.changed(kLabels).x, 120) << "beside";
}

TEST(Painter, LettersStandOutFromTheBarInEveryColour) {
  for (Identity id = 1; id <= 40; ++id) {
    Drawing drawing({320, 240}, PixelFormat::RGB);
    drawing.record.detections = {detection({100, 100, 200, 200}, id)};
    const Rect bar = drawing.changed(kLabels);
    const Picture picture = drawing.drawn(kLabels);
    const double background = picture.luma(bar.x, bar.y);
    double contrast = 0;
    for (int y = bar.y; y < bar.bottom(); ++y)
      for (int x = bar.x; x < bar.right(); ++x)
        contrast = std::max(contrast, std::abs(picture.luma(x, y) - background));
    EXPECT_GT(contrast, 100) << "identity " << id;
  }
}

TEST(Painter, ALabelIsDrawnInAnyScriptThatThisMachineHasAFontFor) {
  const auto script = createScript(20, 15);
  if (!script) GTEST_SKIP() << "built without Pango";
  for (const std::string name : {"Fußgänger", "Ärmel", "人", "人 和 车", "شخص كبير"}) {
    Drawing drawing({320, 240}, PixelFormat::I420);
    drawing.record.detections = {detection({100, 100, 200, 200}, 1)};
    const auto drawn = [&](const std::string& label) {
      drawing.record.detections[0].label = label;
      return drawing.drawn(kLabels).pixels();
    };
    const auto with = drawn(name);
    if (!script->drawn(name)) {
      EXPECT_EQ(with, drawn(name.find('r') == name.npos ? "0" : printable(name))) << name;
      std::cerr << "no font has " << name << "\n";
      continue;
    }
    EXPECT_NE(with, drawn("0")) << name;
    EXPECT_NE(with, drawn(printable(name))) << name;
    EXPECT_NE(with, drawn(name + name)) << name;
    EXPECT_EQ(with, drawn(name)) << name;
    // Like any other one it stands above its object, within the frame, and has a score.
    const Rect bar = drawing.changed(kLabels);
    EXPECT_EQ(bar, (Rect{100, 84, bar.width, 16})) << name;
    drawing.record.detections[0].score = 0.12F;
    EXPECT_NE(drawing.drawn(kLabels).pixels(), with) << name;
    drawing.record.detections[0].label.clear();
    for (int i = 0; i < 40; ++i) drawing.record.detections[0].label += name;
    EXPECT_EQ(drawing.changed(kLabels).height, 16) << name;
    for (const Size size : {Size{64, 48}, Size{21, 13}}) {
      Drawing narrow(size, PixelFormat::NV12);
      narrow.record.detections = {detection({0, 0, 5, 5}, 1)};
      narrow.record.detections[0].label = name;
      EXPECT_TRUE(contains(wholeFrame(size), narrow.changed(kLabels))) << name;
    }
  }
}

TEST(Painter, ACoastedObjectIsGreyAllOver) {
  Drawing drawing({320, 240}, PixelFormat::I420);
  drawing.record.detections = {detection({100, 100, 200, 200}, 1)};
  drawing.record.detections[0].mask = ellipse({100, 100, 100, 100});
  const auto flat = drawing.blank().pixels();
  const auto chroma = [&] {
    const auto pixels = drawing.drawn(kAllButStatistics).pixels();
    return std::pair(pixels[1], pixels[2]);
  };
  EXPECT_NE(chroma(), std::pair(flat[1], flat[2]));
  drawing.record.detections[0].coasted = true;
  EXPECT_EQ(chroma(), std::pair(flat[1], flat[2]));
}

TEST(Painter, AMaskIsFortyPercentOpaqueAndBlendsChromaByTheShareOfItsPixels) {
  // A picture of 5x3: the samples at its right and lower edge have two pixels, the last one has
  // one.
  Drawing drawing({5, 3}, PixelFormat::I420);
  drawing.record.detections = {detection({0, 0, 5, 3}, 1)};
  drawing.record.detections[0].mask = Mask({0, 0, 5, 3}, {1, 1, 1, 0, 0,  //
                                                          1, 1, 0, 0, 1,  //
                                                          0, 0, 0, 1, 1});
  const Picture before = drawing.blank();
  const Picture half = drawing.drawn(only(&PaintOptions::masks));
  // The same colour as an outline, opaque.
  drawing.record.detections[0].box = {1, 1, 4, 2};
  const Picture opaque = drawing.drawn(kBoxes);
  const double luma = opaque.luma(2, 1) - before.luma(2, 1);
  const auto full = opaque.chroma(2, 1);
  for (int y = 0; y < 3; ++y)
    for (int x = 0; x < 5; ++x) {
      const bool inside = drawing.record.detections[0].mask->row(y)[static_cast<std::size_t>(x)];
      EXPECT_NEAR(half.luma(x, y), before.luma(x, y) + (inside ? 0.4 * luma : 0), 1)
          << x << " " << y;
    }
  const double shares[2][3] = {{1, 0.25, 0.5}, {0, 0.5, 1}};
  for (int y = 0; y < 2; ++y)
    for (int x = 0; x < 3; ++x)
      for (std::size_t i = 0; i < 2; ++i)
        EXPECT_NEAR(half.chroma(2 * x, 2 * y)[i], 0.4 * shares[y][x] * full[i], 1) << x << " " << y;
}

TEST(Painter, ABoneIsDrawnWhereBothOfItsJointsAreSeen) {
  Drawing drawing({320, 240}, PixelFormat::GRAY8);
  drawing.record.detections = {detection({50, 50, 250, 200}, 1)};
  drawing.record.detections[0].keypoints = {{60, 100, 0.9F}, {240, 100, kSeenJoint}};
  // What a model file can't say does no harm.
  drawing.record.capacity = capacityOf("http://a:1", {{0, 1}, {1, 2}, {-1, 0}});
  constexpr PaintOptions kKeypoints = only(&PaintOptions::keypoints);
  const auto middle = [&] { return drawing.drawn(kKeypoints).luma(150, 100); };
  const double background = drawing.blank().luma(150, 100);
  EXPECT_GT(std::abs(middle() - background), 10);
  const Rect both = drawing.changed(kKeypoints);
  EXPECT_LE(both.x, 59);
  EXPECT_GE(both.right(), 241);
  drawing.record.detections[0].keypoints[1].visibility = kSeenJoint - 0.01F;
  EXPECT_EQ(middle(), background);
  EXPECT_LT(drawing.changed(kKeypoints).right(), 70) << "nor is that joint";
  drawing.record.detections[0].keypoints = {{NAN, 100, 1}, {1e30F, 100, 1}};
  EXPECT_TRUE(drawing.changed(kKeypoints).empty());
}

TEST(Painter, ARotatedBoxIsDrawnAtItsAngleAndItsLabelWhereThatOfItsHullIs) {
  Drawing drawing({320, 240}, PixelFormat::GRAY8);
  const RotatedBox rotated{160, 120, 100, 40, 0.5F};
  drawing.record.detections = {detection(rotated.hull(), 1)};
  drawing.record.detections[0].coasted = true;  // and so of a grey that stands out
  const auto upright = drawing.drawn(kLabels).pixels();
  drawing.record.detections[0].rotated = rotated;
  EXPECT_EQ(drawing.drawn(kLabels).pixels(), upright);

  const Picture picture = drawing.drawn(kBoxes), blank = drawing.blank();
  // A pixel by its distance from the middle along and across: the line is one pixel wide, and its
  // edges are smooth.
  const double cosine = std::cos(0.5), sine = std::sin(0.5);
  for (int y = 0; y < 240; ++y)
    for (int x = 0; x < 320; ++x) {
      const double dx = x + 0.5 - 160, dy = y + 0.5 - 120;
      const double along = std::abs(dx * cosine + dy * sine);
      const double across = std::abs(dy * cosine - dx * sine);
      const double outside = std::max(along - 50, across - 20);
      const double change = std::abs(picture.luma(x, y) - blank.luma(x, y));
      if (outside > 0.51 || outside < -1.51) {
        EXPECT_EQ(change, 0) << x << " " << y;
      } else if (std::abs(outside + 0.5) < 0.2) {
        EXPECT_GT(change, 15) << x << " " << y;
      }
    }
}

TEST(Painter, ARotatedBoxThatReachesOutOfTheFrameOrIsNoneDoesNoHarm) {
  Drawing drawing({320, 240}, PixelFormat::GRAY8);
  drawing.record.detections = {detection({0, 100, 40, 140}, 1)};
  const Rect upright = drawing.changed(kBoxes);
  EXPECT_EQ(upright, (Rect{0, 100, 40, 40}));
  drawing.record.detections[0].rotated = {-20, 120, 90, 50, 0.4F};
  const Rect partly = drawing.changed(kBoxes);
  EXPECT_FALSE(partly.empty());
  EXPECT_TRUE(contains(wholeFrame({320, 240}), partly));
  // As large as one can be, and no line of it comes near.
  drawing.record.detections[0].rotated = {160, 120, kFarthestBox, kFarthestBox, 0.4F};
  EXPECT_TRUE(drawing.changed(kBoxes).empty());
  for (const RotatedBox& none :
       {RotatedBox{NAN, 0, 1, 1, 0}, RotatedBox{160, 120, 1e30F, 5, 1}, RotatedBox{}}) {
    drawing.record.detections[0].rotated = none;
    EXPECT_EQ(drawing.changed(kBoxes), upright);
  }
}

TEST(Painter, APartBearsTheNameOfTheServerThatAnswered) {
  Drawing drawing({320, 240}, PixelFormat::GRAY8);
  Part part;
  part.rect = {20, 20, 200, 100};
  drawing.record.plan = Plan{.parts = {part}};
  constexpr PaintOptions kParts = only(&PaintOptions::parts);
  const auto drawn = [&](const std::string& url) {
    drawing.record.capacity = capacityOf(url);
    return drawing.drawn(kParts).pixels();
  };
  const auto planned = drawn("http://gpu:8000");
  EXPECT_EQ(planned, drawn("http://other:8000")) << "the part is the first server's";
  drawing.record.answers.resize(1);
  drawing.record.answers[0].server = 1;
  const auto answered = drawn("http://gpu:8000");
  EXPECT_NE(answered, planned);
  EXPECT_NE(answered, drawn("http://other:8000"));
  EXPECT_EQ(answered, drawn("https://gpu:8000")) << "without the scheme";
  EXPECT_EQ(drawing.changed(kParts), part.rect) << "its name stands inside";
}

TEST(Painter, TheStatisticsOfTheFrameAreALineAtTheBottom) {
  Drawing drawing({640, 240}, PixelFormat::GRAY8);
  constexpr PaintOptions kStatistics = only(&PaintOptions::statistics);
  const Rect line = drawing.changed(kStatistics);
  EXPECT_EQ(line.x, 0);
  EXPECT_EQ(line.bottom(), 240);
  EXPECT_EQ(line.height, 16);
  std::set<std::vector<std::vector<std::uint8_t>>> all{drawing.drawn(kStatistics).pixels()};
  drawing.record.detections = {detection({0, 0, 9, 9}, 1)};
  EXPECT_TRUE(all.insert(drawing.drawn(kStatistics).pixels()).second) << "objects";
  drawing.record.plan = Plan{.parts = std::vector<Part>(1)};
  EXPECT_TRUE(all.insert(drawing.drawn(kStatistics).pixels()).second) << "parts";
  drawing.record.answers.resize(1);
  EXPECT_TRUE(all.insert(drawing.drawn(kStatistics).pixels()).second) << "unanswered";
  drawing.record.answers[0].bytesSent = 1234;
  EXPECT_TRUE(all.insert(drawing.drawn(kStatistics).pixels()).second) << "bytes";
  drawing.record.timings.total = Microseconds(1234);
  EXPECT_TRUE(all.insert(drawing.drawn(kStatistics).pixels()).second) << "milliseconds";
}

TEST(Painter, DrawsTheSameAfterFramesOfOtherSizes) {
  Painter used;
  for (const Size size : {Size{640, 480}, Size{1279, 721}, Size{33, 17}, Size{640, 480}}) {
    const FrameRecord record = busyRecord(size);
    Picture picture(PixelFormat::NV12, size, ColourRange::Limited, ColourMatrix::Bt601);
    Picture fresh(PixelFormat::NV12, size, ColourRange::Limited, ColourMatrix::Bt601);
    used.paint(record, kAll, picture.view());
    Painter().paint(record, kAll, fresh.view());
    EXPECT_EQ(picture.pixels(), fresh.pixels());
  }
}

TEST(Painter, TellsWhenThereIsNothingToDraw) {
  FrameRecord record;
  EXPECT_FALSE(paintsAnything(record, kAllButStatistics));
  EXPECT_TRUE(paintsAnything(record, only(&PaintOptions::statistics)));
  record.rps.emplace();
  record.plan.emplace();
  EXPECT_FALSE(paintsAnything(record, kAllButStatistics));
  record.detections.push_back(detection({0, 0, 1, 1}, 1));
  EXPECT_TRUE(paintsAnything(record, kLabels));
  PaintOptions others = kAllButStatistics;
  others.boxes = others.labels = false;
  EXPECT_FALSE(paintsAnything(record, others));
  record.detections[0].mask = Mask({0, 0, 1, 1}, {1});
  EXPECT_TRUE(paintsAnything(record, only(&PaintOptions::masks)));
  EXPECT_FALSE(paintsAnything(record, only(&PaintOptions::keypoints)));
  record.detections[0].keypoints = {{0, 0, 1}};
  EXPECT_TRUE(paintsAnything(record, only(&PaintOptions::keypoints)));
}

}  // namespace
}  // namespace elf
