// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/render/painter.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <opencv2/imgproc.hpp>
#include <string>

#include "elf/base/printable.h"
#include "elf/render/colour.h"

namespace elf {

namespace {

constexpr Colour kGrey{0.63, 0.63, 0.63};
constexpr Colour kLabelBackground{0.08, 0.08, 0.08};
constexpr Colour kLabelText{1, 1, 1};
constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;

Colour colourFor(const Detection& d) {
  if (d.coasted) return kGrey;
  return colourOf(d.id != kNoIdentity ? d.id : d.labelId);
}

/** A colour in the values that each plane stores. */
struct PlaneValues {
  std::array<cv::Scalar, 3> of;
};

/** A picture as OpenCV sees its planes, with the two things that one can do to it. */
class Canvas {
 public:
  explicit Canvas(const MutableImageView& picture) : picture_(picture) {
    const Size s = picture.size;
    const Size half{(s.width + 1) / 2, (s.height + 1) / 2};
    switch (picture.format) {
      case PixelFormat::I420:
        add(s, CV_8UC1);
        add(half, CV_8UC1);
        add(half, CV_8UC1);
        break;
      case PixelFormat::NV12:
        add(s, CV_8UC1);
        add(half, CV_8UC2);
        break;
      case PixelFormat::GRAY8:
        add(s, CV_8UC1);
        break;
      case PixelFormat::RGB:
      case PixelFormat::BGR:
        add(s, CV_8UC3);
        break;
      default:
        add(s, CV_8UC4);
    }
  }

  Size size() const { return picture_.size; }

  void fill(const cv::Rect& rect, const Colour& colour) {
    const cv::Rect seen = rect & cv::Rect(0, 0, picture_.size.width, picture_.size.height);
    if (seen.empty()) return;
    const PlaneValues values = planeValues(colour);
    planes_[0](seen).setTo(values.of[0]);
    // A chroma sample is coloured when any of its four pixels is.
    const cv::Point from(seen.x / 2, seen.y / 2);
    const cv::Point to((seen.br().x + 1) / 2, (seen.br().y + 1) / 2);
    for (int i = 1; i < count_; ++i) planes_[i](cv::Rect(from, to)).setTo(values.of[i]);
  }

  /**
   * Words on a plate that fills `plate`; both are grey, so that chroma is flat and luma the same in
   * every format.
   */
  void text(const std::string& words, const cv::Rect& plate, cv::Point baseline, double scale,
            int thickness) {
    fill(plate, kLabelBackground);
    const cv::Rect seen = plate & cv::Rect(0, 0, picture_.size.width, picture_.size.height);
    if (seen.empty()) return;
    cv::Mat coverage = cv::Mat::zeros(seen.size(), CV_8UC1);
    cv::putText(coverage, words, baseline - seen.tl(), kFont, scale, 255, thickness, cv::LINE_AA);
    const auto grey = [this](const Colour& c) {
      return planeValues(c).of[0][opaqueChannel() == 0 ? 1 : 0];
    };
    const double background = grey(kLabelBackground);
    cv::Mat letters;
    coverage.convertTo(letters, CV_8U, (grey(kLabelText) - background) / 255, background);
    cv::Mat target = planes_[0](seen);
    for (int i = 0; i < target.channels(); ++i)
      if (i != opaqueChannel()) cv::insertChannel(letters, target, i);
  }

 private:
  void add(Size s, int type) {
    const auto step = static_cast<std::size_t>(picture_.strides[static_cast<std::size_t>(count_)]);
    planes_[count_] =
        cv::Mat(s.height, s.width, type, picture_.planes[static_cast<std::size_t>(count_)], step);
    ++count_;
  }

  // The channel that is no colour; -1 where all are.
  int opaqueChannel() const {
    switch (picture_.format) {
      case PixelFormat::RGBx:
      case PixelFormat::BGRx:
        return 3;
      case PixelFormat::xRGB:
      case PixelFormat::xBGR:
        return 0;
      default:
        return -1;
    }
  }

  PlaneValues planeValues(const Colour& c) const {
    const double r = 255 * c.r;
    const double g = 255 * c.g;
    const double b = 255 * c.b;
    switch (picture_.format) {
      case PixelFormat::RGB:
      case PixelFormat::RGBx:
        return {{cv::Scalar(r, g, b, 255)}};
      case PixelFormat::BGR:
      case PixelFormat::BGRx:
        return {{cv::Scalar(b, g, r, 255)}};
      case PixelFormat::xRGB:
        return {{cv::Scalar(255, r, g, b)}};
      case PixelFormat::xBGR:
        return {{cv::Scalar(255, b, g, r)}};
      default:
        break;
    }
    double kr = 0.299;
    double kb = 0.114;
    if (picture_.matrix == ColourMatrix::Bt709) {
      kr = 0.2126;
      kb = 0.0722;
    } else if (picture_.matrix == ColourMatrix::Bt2020) {
      kr = 0.2627;
      kb = 0.0593;
    }
    const bool full = picture_.range == ColourRange::Full;
    const double luma = kr * c.r + (1 - kr - kb) * c.g + kb * c.b;
    const double chroma = full ? 255 : 224;
    const double y = full ? 255 * luma : 16 + 219 * luma;
    const double u = 128 + chroma * (c.b - luma) / (2 * (1 - kb));
    const double v = 128 + chroma * (c.r - luma) / (2 * (1 - kr));
    if (picture_.format == PixelFormat::NV12) return {{cv::Scalar(y), cv::Scalar(u, v)}};
    return {{cv::Scalar(y), cv::Scalar(u), cv::Scalar(v)}};
  }

  const MutableImageView& picture_;
  std::array<cv::Mat, 3> planes_;
  int count_ = 0;
};

/** Widths and letters that can be read at this height. */
struct Scale {
  explicit Scale(Size frame)
      : line(std::max(1, static_cast<int>(std::lround(frame.height / 360.0)))),
        thin(std::max(1, line / 2)),
        font(std::max(0.35, frame.height / 1000.0)),
        stroke(std::max(1, static_cast<int>(std::lround(font * 1.6)))) {}
  int line;
  int thin;
  double font;
  int stroke;
};

// The box in whole pixels, outer edge. What lies far outside is moved to just outside, so that it
// fits an int and its edges stay unseen.
cv::Rect outerRect(const Box& b, Size frame, int line) {
  const auto whole = [line](float v, int side) {
    return static_cast<int>(std::lround(
        std::clamp(v, static_cast<float>(-2 * line), static_cast<float>(side + 2 * line))));
  };
  const cv::Point from(whole(b.x0, frame.width), whole(b.y0, frame.height));
  const cv::Point to(whole(b.x1, frame.width), whole(b.y1, frame.height));
  return {from.x, from.y, std::max(1, to.x - from.x), std::max(1, to.y - from.y)};
}

bool visible(const Box& b, Size frame) {
  return b.finite() && !intersect(b, toBox(wholeFrame(frame))).empty();
}

void outline(Canvas& canvas, const cv::Rect& r, int line, const Colour& colour) {
  canvas.fill({r.x, r.y, r.width, line}, colour);
  canvas.fill({r.x, r.br().y - line, r.width, line}, colour);
  canvas.fill({r.x, r.y, line, r.height}, colour);
  canvas.fill({r.br().x - line, r.y, line, r.height}, colour);
}

void dashedOutline(Canvas& canvas, const cv::Rect& r, int line, const Colour& colour) {
  const int dash = 4 * line;
  for (int x = r.x; x < r.br().x; x += 2 * dash) {
    const int width = std::min(dash, r.br().x - x);
    canvas.fill({x, r.y, width, line}, colour);
    canvas.fill({x, r.br().y - line, width, line}, colour);
  }
  for (int y = r.y; y < r.br().y; y += 2 * dash) {
    const int height = std::min(dash, r.br().y - y);
    canvas.fill({r.x, y, line, height}, colour);
    canvas.fill({r.br().x - line, y, line, height}, colour);
  }
}

enum class LabelPlace { Above, Inside };

void label(Canvas& canvas, const std::string& words, const cv::Rect& r, LabelPlace place,
           const Scale& scale) {
  int below = 0;
  const cv::Size letters = cv::getTextSize(words, kFont, scale.font, scale.stroke, &below);
  const int margin = 2 * scale.stroke;
  const cv::Size plate(letters.width + 2 * margin, letters.height + below + 2 * margin);
  cv::Point corner = r.tl();
  if (place == LabelPlace::Above && r.y >= plate.height) corner.y -= plate.height;
  const Size frame = canvas.size();
  corner.x = std::clamp(corner.x, 0, std::max(0, frame.width - plate.width));
  corner.y = std::clamp(corner.y, 0, std::max(0, frame.height - plate.height));
  canvas.text(words, {corner, plate}, {corner.x + margin, corner.y + margin + letters.height},
              scale.font, scale.stroke);
}

std::string words(const Detection& d) {
  char score[32];
  std::snprintf(score, sizeof score, " %.2f", static_cast<double>(d.score));
  constexpr std::size_t kLongestLabel = 40;
  // A server says what it likes, and OpenCV measures and draws all of it.
  return (d.label.empty() ? std::to_string(d.labelId) : printable(d.label, kLongestLabel)) + score;
}

}  // namespace

bool paintsAnything(const FrameRecord& record, const PaintOptions& options) {
  return ((options.boxes || options.labels) && !record.detections.empty()) ||
         (options.rps && record.rps && !record.rps->empty()) ||
         (options.parts && record.plan && !record.plan->parts.empty());
}

void paint(const FrameRecord& record, const PaintOptions& options,
           const MutableImageView& picture) {
  Canvas canvas(picture);
  const Size frame = picture.size;
  const Scale scale(frame);
  if (options.parts && record.plan) {
    for (const Part& part : record.plan->parts) {
      const cv::Rect r = outerRect(toBox(part.rect), frame, scale.thin);
      outline(canvas, r, scale.thin, colourOf(part.server));
      label(canvas, std::to_string(part.server), r, LabelPlace::Inside, scale);
    }
  }
  if (options.rps && record.rps) {
    for (const Rp& rp : *record.rps)
      if (visible(rp.box, frame))
        dashedOutline(canvas, outerRect(rp.box, frame, scale.thin), scale.thin, colourOf(rp.id));
  }
  for (const Detection& d : record.detections) {
    if (!visible(d.box, frame)) continue;
    const cv::Rect r = outerRect(d.box, frame, scale.line);
    if (options.boxes) outline(canvas, r, scale.line, colourFor(d));
    if (options.labels) label(canvas, words(d), r, LabelPlace::Above, scale);
  }
}

}  // namespace elf
