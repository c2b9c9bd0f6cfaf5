// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/motion_features.h"

#include <algorithm>
#include <cmath>
#include <ranges>

#include "elf/predict/sides.h"

namespace elf {

namespace {

// Smaller errors of a line, in shares of the box, are annotators' rounding.
constexpr float kLeastError = 1e-3F;
// Edges of the frame that are farther away, in boxes, do not matter.
constexpr float kFar = 3;
// Motion in a frame is some hundredths of the frame's size.
constexpr float kFrameMotion = 20;
constexpr float kMostShared = 3;
constexpr float kMostAhead = 10;
constexpr float kFew = 5;
// A miss rate below this counts as none.
constexpr float kLeastMissRate = 0.003F;

/** The least-squares line of each side through the latest observations of a window. */
struct Line {
  FourSides slope{};
  /** Offset of the line from the last observation, at that observation. */
  FourSides offset{};
  /** Root mean square distance of the observations from the line. */
  FourSides error{};
};

using Displacements = std::array<FourSides, kMotionFrames>;

Line fit(const MotionWindow& window, const Displacements& moved, int observations) {
  std::array<std::size_t, kMotionFrames> used;
  std::size_t count = 0;
  for (std::size_t k = 0; k < kMotionFrames && count < static_cast<std::size_t>(observations); ++k)
    if (window.seen[k]) used[count++] = k;
  const auto n = static_cast<float>(count);
  float meanTime = 0;
  for (std::size_t i = 0; i < count; ++i) meanTime -= static_cast<float>(used[i]) / n;
  float spread = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const float time = -static_cast<float>(used[i]) - meanTime;
    spread += time * time;
  }
  Line line;
  for (std::size_t side = 0; side < line.slope.size(); ++side) {
    float mean = 0;
    for (std::size_t i = 0; i < count; ++i) mean += moved[used[i]][side] / n;
    float common = 0;
    for (std::size_t i = 0; i < count; ++i)
      common += (-static_cast<float>(used[i]) - meanTime) * (moved[used[i]][side] - mean);
    line.slope[side] = spread > 0 ? common / spread : 0;
    line.offset[side] = mean - line.slope[side] * meanTime;
    float squares = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const float error =
          moved[used[i]][side] - line.offset[side] + line.slope[side] * static_cast<float>(used[i]);
      squares += error * error;
    }
    line.error[side] = std::sqrt(squares / std::max(n - 1, 1.0F));
  }
  return line;
}

/** Fills an array from its start. */
template <std::size_t N>
class Filler {
 public:
  explicit Filler(std::array<float, N>& values) : values_(values) {}

  void add(float value) { values_[next_++] = value; }
  void add(const FourSides& values) {
    for (const float value : values) add(value);
  }
  void addLogarithm(const FourSides& errors) {
    for (const float error : errors) add(std::log(error + kLeastError));
  }

 private:
  std::array<float, N>& values_;
  std::size_t next_ = 0;
};

}  // namespace

MotionWindow motionWindow(const Track& track, const History& history, const FrameTime& when) {
  MotionWindow window;
  // Of several observations in a frame, the newest counts. The last one has frame 0.
  const Observation* later = nullptr;
  for (const Observation& observation : std::views::reverse(track.observations)) {
    const float back = framesAfter(observation, track.last(), when.interval);
    const auto frame = static_cast<std::size_t>(std::lround(back));
    if (frame >= kMotionFrames) break;
    if (!window.seen[frame]) {
      window.boxes[frame] = observation.box;
      window.seen[frame] = true;
      if (later) {
        // Two observations close together show little of the motion between them.
        const float share = (back - static_cast<float>(frame)) /
                            std::max(framesAfter(observation, *later, when.interval), 0.5F);
        for (const auto side : kSides)
          window.boxes[frame].*side += share * (later->box.*side - observation.box.*side);
      }
    }
    later = &observation;
  }
  window.missed = static_cast<float>(track.missed);
  window.missRate = static_cast<float>(history.missRate());
  window.ahead = framesAfter(track.last(), when);
  return window;
}

MotionFeatures motionFeatures(const MotionWindow& window, Size frame) {
  MotionFeatures features;
  const Box& last = window.last();
  const float mean = std::sqrt(std::max(last.width() * last.height(), 1.0F));
  // Not the width alone: a thin box moves as far as a square one.
  const float scaleX = std::max(last.width(), mean / 2);
  const float scaleY = std::max(last.height(), mean / 2);
  features.scale = {scaleX, scaleY, scaleX, scaleY};

  Displacements moved{};
  int count = 0;
  for (std::size_t k = 0; k < kMotionFrames; ++k) {
    if (!window.seen[k]) continue;
    ++count;
    for (std::size_t side = 0; side < kSides.size(); ++side)
      moved[k][side] = (window.boxes[k].*kSides[side] - last.*kSides[side]) / features.scale[side];
  }
  const Line two = fit(window, moved, 2), three = fit(window, moved, 3),
             five = fit(window, moved, 5), all = fit(window, moved, kMotionFrames);
  features.velocity = three.slope;

  const auto width = static_cast<float>(frame.width);
  const auto height = static_cast<float>(frame.height);
  const FourSides place{last.x0 / width, last.y0 / height, 1 - last.x1 / width,
                        1 - last.y1 / height};
  const float shape = std::log(last.width() / last.height());
  const float size = std::log(mean / std::sqrt(width * height));
  const std::array<float, 3> young{count == 1 ? 1.0F : 0, count == 2 ? 1.0F : 0,
                                   count == 3 ? 1.0F : 0};

  Filler own(features.own);
  for (const Line* line : {&two, &three, &five, &all}) own.add(line->slope);
  own.add(five.offset);
  own.add(all.offset);
  own.addLogarithm(five.error);
  own.addLogarithm(all.error);
  for (const float value : young) own.add(value);
  own.add(static_cast<float>(count) / kMotionFrames);
  own.add(std::min(window.ahead, kMostAhead) / kFew);
  own.add(std::min(window.missed, kMostAhead) / kFew);
  own.add(std::log(window.missRate + kLeastMissRate));
  own.add(place);
  own.add(shape);
  own.add(size);
  own.add({std::clamp(last.x0 / scaleX, 0.0F, kFar), std::clamp(last.y0 / scaleY, 0.0F, kFar),
           std::clamp((width - last.x1) / scaleX, 0.0F, kFar),
           std::clamp((height - last.y1) / scaleY, 0.0F, kFar)});
  for (std::size_t k = 1; k < kMotionFrames; ++k) own.add(moved[k]);
  for (std::size_t k = 1; k < kMotionFrames; ++k) own.add(window.seen[k] ? 1.0F : 0.0F);

  Filler shared(features.shared);
  for (const Line* line : {&two, &five})
    for (std::size_t side = 0; side < kSides.size(); ++side)
      shared.add(line->slope[side] * features.scale[side] * kFrameMotion /
                 (side % 2 == 0 ? width : height));
  shared.add(place);
  shared.add(shape);
  shared.add(size);
  for (const float value : young) shared.add(value);
  float error = 0;
  for (const float value : five.error) error += std::log(value + kLeastError) / 4;
  shared.add(error);
  for (float& value : features.shared) value = std::clamp(value, -kMostShared, kMostShared);
  return features;
}

}  // namespace elf
