// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/render/painter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "elf/base/printable.h"
#include "elf/render/brush.h"
#include "elf/render/colour.h"
#include "elf/render/letters.h"

namespace elf {

namespace {

constexpr Colour kGrey{0.63, 0.63, 0.63};
constexpr Colour kBlack{0, 0, 0};
constexpr Colour kWhite{1, 1, 1};
constexpr Colour kStatisticsBar{0.08, 0.08, 0.08};
constexpr int kMaskOpacity = 102;  // of 255
/** Limits the names from servers, which may have any length. */
constexpr std::size_t kLongestName = 40;
/** An object at least this many labels large may have its own inside. */
constexpr double kBarsInside = 4;

Colour colourFor(const Detection& d) {
  if (d.coasted) return kGrey;
  return colourOf(d.id != kNoIdentity ? d.id : d.labelId);
}

/** The ink that is most readable on `bar`. */
Colour inkOn(const Colour& bar) {
  return 0.299 * bar.r + 0.587 * bar.g + 0.114 * bar.b > 0.5 ? kBlack : kWhite;
}

/** Widths and letters that are visible at this height. */
struct Scale {
  explicit Scale(Size frame)
      : line(std::max(1, static_cast<int>(std::lround(frame.height / 360.0)))),
        thin(std::max(1, line / 2)),
        bone(std::max(1.5, frame.height / 300.0)),
        letters(std::max(12, static_cast<int>(std::lround(frame.height * 0.02)))),
        margin(letters / 6) {}
  int line;
  int thin;
  double bone;
  int letters;
  int margin;
};

// The box in whole pixels, outer edge. Coordinates far outside are moved to just outside, so that
// they fit an int and the edges stay invisible.
Rect outerRect(const Box& b, Size frame, int line) {
  const auto whole = [line](float v, int side) {
    return static_cast<int>(std::lround(
        std::clamp(v, static_cast<float>(-2 * line), static_cast<float>(side + 2 * line))));
  };
  const int x = whole(b.x0, frame.width);
  const int y = whole(b.y0, frame.height);
  return {x, y, std::max(1, whole(b.x1, frame.width) - x),
          std::max(1, whole(b.y1, frame.height) - y)};
}

bool visible(const Box& b, Size frame) {
  return b.finite() && !intersect(b, toBox(wholeFrame(frame))).empty();
}

void outline(Brush& brush, const Rect& r, int line, const Colour& colour) {
  brush.fill({r.x, r.y, r.width, line}, colour);
  brush.fill({r.x, r.bottom() - line, r.width, line}, colour);
  brush.fill({r.x, r.y, line, r.height}, colour);
  brush.fill({r.right() - line, r.y, line, r.height}, colour);
}

/** The outline's outer edge is the box's, as for an upright box. */
void outline(Brush& brush, RotatedBox box, int line, const Colour& colour) {
  const auto width = static_cast<float>(line);
  box.width = std::max(0.0F, box.width - width);
  box.height = std::max(0.0F, box.height - width);
  const auto corners = cornersOf(box);
  for (std::size_t i = 0; i < corners.size(); ++i) {
    const Corner &from = corners[i], &to = corners[(i + 1) % corners.size()];
    brush.line(from.x, from.y, to.x, to.y, line, colour);
  }
}

void dashedOutline(Brush& brush, const Rect& r, int line, const Colour& colour) {
  const int dash = 4 * line;
  for (int x = r.x; x < r.right(); x += 2 * dash) {
    const int width = std::min(dash, r.right() - x);
    brush.fill({x, r.y, width, line}, colour);
    brush.fill({x, r.bottom() - line, width, line}, colour);
  }
  for (int y = r.y; y < r.bottom(); y += 2 * dash) {
    const int height = std::min(dash, r.bottom() - y);
    brush.fill({r.x, y, line, height}, colour);
    brush.fill({r.right() - line, y, line, height}, colour);
  }
}

void mask(Brush& brush, const Mask& mask, const Colour& colour) {
  if (mask.rect().empty()) return;
  // Its rows have no gaps between them.
  const std::span pixels(mask.row(mask.rect().y).data(),
                         static_cast<std::size_t>(mask.rect().area()));
  brush.blend({mask.rect(), pixels, kMaskOpacity}, colour);
}

void skeleton(Brush& brush, const Detection& object, std::span<const std::array<int, 2>> bones,
              double width, const Colour& colour) {
  const std::span<const Keypoint> joints = object.keypoints;
  // A joint far from its object does not belong to it, and long lines take time.
  const float w = object.box.width(), h = object.box.height();
  const Box around = grow(object.box, {w, h, w, h});
  const auto drawable = [&around](const Keypoint& joint) {
    return isSeen(joint) && joint.x >= around.x0 && joint.x <= around.x1 && joint.y >= around.y0 &&
           joint.y <= around.y1;
  };
  const auto seen = [&](int joint) {
    return joint >= 0 && static_cast<std::size_t>(joint) < joints.size() &&
           drawable(joints[static_cast<std::size_t>(joint)]);
  };
  // A dark edge makes a bone visible on a mask of its own colour.
  for (const auto& [extra, ink] : {std::pair{width / 2 + 1, kBlack}, std::pair{0.0, colour}})
    for (const auto& [a, b] : bones) {
      if (!seen(a) || !seen(b)) continue;
      const Keypoint& from = joints[static_cast<std::size_t>(a)];
      const Keypoint& to = joints[static_cast<std::size_t>(b)];
      brush.line(from.x, from.y, to.x, to.y, width + extra, ink);
    }
  for (const Keypoint& joint : joints) {
    if (!drawable(joint)) continue;
    brush.line(joint.x, joint.y, joint.x, joint.y, 2.5 * width + 1, kBlack);
    brush.line(joint.x, joint.y, joint.x, joint.y, 2 * width, kWhite);
  }
}

/** Whether a byte is the first one of a letter in UTF-8. */
bool isFirstByte(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) != 0x80;
}

struct Words {
  std::string name;
  /** ASCII. */
  std::string rest;
};

/** Words on bars that do not cover each other if possible. */
class Bars {
 public:
  Bars(Letters& letters, Size frame, int margin)
      : letters_(letters), frame_(frame), margin_(margin) {}

  /** Cuts the end of the name if the words would not fit into the frame. */
  Words fitted(Words words) {
    const auto fits = [&](std::size_t size) {
      const auto name = std::string_view(words.name).substr(0, size);
      return letters_.width(name, words.rest) + 2 * margin_ <= frame_.width;
    };
    if (fits(words.name.size())) return words;
    std::vector<std::size_t> sizes;  // of prefixes that end between letters
    for (std::size_t i = 0; i < words.name.size(); ++i)
      if (isFirstByte(words.name[i])) sizes.push_back(i);
    const auto tooLong = std::ranges::partition_point(sizes, fits);
    words.name.resize(tooLong == sizes.begin() ? 0 : *(tooLong - 1));
    return words;
  }

  Size sizeOf(const Words& words) {
    return {letters_.width(words.name, words.rest) + 2 * margin_, letters_.height() + 2 * margin_};
  }

  struct Corner {
    int x = 0;
    int y = 0;
  };
  /** Adds a bar with its upper left corner at the first free one of `corners`, else at the
   * first. */
  void add(Words words, std::initializer_list<Corner> corners, const Colour& bar) {
    const Size size = sizeOf(words);
    Rect place = inside(*corners.begin(), size);
    for (const Corner& corner : corners) {
      const Rect other = inside(corner, size);
      // A bar that is moved up or down is in the wrong place.
      if (other.y != corner.y || !free(other)) continue;
      place = other;
      break;
    }
    bars_.push_back({place, std::move(words), bar});
  }

  /** The first bar is drawn above all others. */
  void draw(Brush& brush) {
    for (auto bar = bars_.rbegin(); bar != bars_.rend(); ++bar) {
      brush.fill(bar->place, bar->colour);
      const std::vector<std::uint8_t> ink = letters_.drawn(bar->words.name, bar->words.rest);
      const Rect rect{bar->place.x + margin_, bar->place.y + margin_,
                      bar->place.width - 2 * margin_, letters_.height()};
      brush.blend({rect, ink}, inkOn(bar->colour));
    }
  }

 private:
  struct Bar {
    Rect place;
    Words words;
    Colour colour;
  };

  Rect inside(const Corner& corner, Size size) const {
    return {std::clamp(corner.x, 0, std::max(0, frame_.width - size.width)),
            std::clamp(corner.y, 0, std::max(0, frame_.height - size.height)), size.width,
            size.height};
  }
  bool free(const Rect& place) const {
    return std::ranges::none_of(
        bars_, [&](const Bar& bar) { return !intersect(bar.place, place).empty(); });
  }

  Letters& letters_;
  Size frame_;
  int margin_;
  std::vector<Bar> bars_;
};

/** The class's number if it has no name in letters that can be drawn. */
std::string nameOf(const Detection& d, Letters& letters) {
  const std::string name = letters.drawable(d.label, kLongestName);
  return name.find_first_not_of(' ') == std::string::npos ? std::to_string(d.labelId) : name;
}

/** The server that answered or failed last, or the planned one if nothing was sent. */
int serverOf(const FrameRecord& record, std::size_t part) {
  return part < record.answers.size() ? record.answers[part].server
                                      : record.plan->parts[part].server;
}

std::string nameOfServer(const FrameRecord& record, int server) {
  const std::string* url = record.urlOf(server);
  if (!url) return std::to_string(server);
  const std::size_t scheme = url->find("://");
  return printable(scheme == std::string::npos ? *url : url->substr(scheme + 3), kLongestName);
}

std::string statistics(const FrameRecord& record) {
  const auto answered =
      std::ranges::count(record.answers, AnswerState::Answered, &PartAnswer::state);
  const auto unanswered = static_cast<std::ptrdiff_t>(record.answers.size()) - answered;
  std::string words = formatNumber(static_cast<double>(record.timings.total.count()) * 1e-3, 1) +
                      " ms, " + formatNumber(static_cast<double>(record.bytesSent()) * 1e-3, 1) +
                      " kB, objects " + std::to_string(record.detections.size()) + ", parts " +
                      std::to_string(record.plan ? record.plan->parts.size() : 0);
  if (record.skipped) words += " (not sent)";
  if (unanswered > 0) words += " (" + std::to_string(unanswered) + " unanswered)";
  return words;
}

}  // namespace

bool paintsAnything(const FrameRecord& record, const PaintOptions& options) {
  const auto any = [&](auto&& drawn) { return std::ranges::any_of(record.detections, drawn); };
  return options.statistics || ((options.boxes || options.labels) && !record.detections.empty()) ||
         (options.masks && any([](const Detection& d) { return d.mask.has_value(); })) ||
         (options.keypoints && any([](const Detection& d) { return !d.keypoints.empty(); })) ||
         (options.rps && record.rps && !record.rps->empty()) ||
         (options.parts && record.plan && !record.plan->parts.empty());
}

Painter::Painter() = default;
Painter::~Painter() = default;
Painter::Painter(Painter&&) noexcept = default;
Painter& Painter::operator=(Painter&&) noexcept = default;

void Painter::paint(const FrameRecord& record, const PaintOptions& options,
                    const MutableImageView& picture) {
  Brush brush(picture);
  const Size frame = picture.size;
  const Scale scale(frame);
  if (!letters_ || letters_->height() != scale.letters)
    letters_ = std::make_unique<Letters>(scale.letters);
  Bars bars(*letters_, frame, scale.margin);

  std::vector<const Detection*> seen;  // the strongest first
  for (const Detection& d : record.detections)
    if (visible(d.box, frame)) seen.push_back(&d);

  if (options.masks) {
    for (auto d = seen.rbegin(); d != seen.rend(); ++d)
      if ((*d)->mask) mask(brush, *(*d)->mask, colourFor(**d));
  }
  if (options.statistics) {
    const Words words = bars.fitted({statistics(record), {}});
    bars.add(words, {{0, frame.height - bars.sizeOf(words).height}}, kStatisticsBar);
  }
  if (options.parts && record.plan) {
    for (std::size_t i = 0; i < record.plan->parts.size(); ++i) {
      const Rect& r = record.plan->parts[i].rect;
      const int server = serverOf(record, i);
      outline(brush, r, scale.thin, colourOf(server));
      const Words words = bars.fitted({nameOfServer(record, server), {}});
      const Size size = bars.sizeOf(words);
      bars.add(words,
               {{r.x, r.y},
                {r.right() - size.width, r.y},
                {r.x, r.bottom() - size.height},
                {r.right() - size.width, r.bottom() - size.height}},
               colourOf(server));
    }
  }
  if (options.rps && record.rps) {
    for (const Rp& rp : *record.rps)
      if (visible(rp.box, frame))
        dashedOutline(brush, outerRect(rp.box, frame, scale.thin), scale.thin, colourOf(rp.id));
  }
  if (options.boxes) {
    for (auto d = seen.rbegin(); d != seen.rend(); ++d) {
      if ((*d)->rotated && (*d)->rotated->possible())
        outline(brush, *(*d)->rotated, scale.line, colourFor(**d));
      else
        outline(brush, outerRect((*d)->box, frame, scale.line), scale.line, colourFor(**d));
    }
  }
  if (options.keypoints) {
    std::span<const std::array<int, 2>> bones;
    if (record.capacity) bones = record.capacity->rules.skeleton;
    for (auto d = seen.rbegin(); d != seen.rend(); ++d)
      skeleton(brush, **d, bones, scale.bone, colourFor(**d));
  }
  if (options.labels) {
    // By age: an object's label keeps its place, whatever the scores of the others.
    std::ranges::stable_sort(seen, {}, &Detection::id);
    for (const Detection* d : seen) {
      const Rect r = outerRect(d->box, frame, scale.line);
      const Words words = bars.fitted(
          {nameOf(*d, *letters_), " " + formatNumber(static_cast<double>(d->score), 2)});
      const Size bar = bars.sizeOf(words);
      const Bars::Corner above{r.x, r.y - bar.height}, inside{r.x, std::max(0, r.y)},
          below{r.x, r.bottom()}, beside{r.right(), r.y};
      // A label inside a small object would hide it.
      if (kBarsInside * bar.area() > r.area())
        bars.add(words, {above, below, beside, inside}, colourFor(*d));
      else
        bars.add(words, {above, inside, below}, colourFor(*d));
    }
  }
  bars.draw(brush);
}

}  // namespace elf
