// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/bench/live_figures.h"

#include <algorithm>

namespace elf::bench {

namespace {

constexpr eval::Figures kNothing{0, 0, 0};

/** Shown boxes count equally, whether found in the frame or predicted for it. */
std::vector<Detection> asShown(const FrameResult* frame) {
  if (!frame) return {};
  std::vector<Detection> boxes = frame->detections;
  for (Detection& box : boxes) box.coasted = false;
  return boxes;
}

/** The frames that left a pipeline, in order of the time, in milliseconds, at which they left or at
 * which their boxes were known. */
class Arrivals {
 public:
  Arrivals(const std::vector<FrameResult>& out, double FrameResult::*delayMs, double fps)
      : out_(out), delayMs_(delayMs), fps_(fps) {}

  double captureOf(std::size_t frame) const { return static_cast<double>(frame) * 1000 / fps_; }

  /**
   * The last frame before `frame` that arrived by `time` and satisfies `counts`. `frame` and `time`
   * must not decrease between calls.
   */
  template <typename Counts>
  const FrameResult* lastBefore(std::size_t frame, double time, Counts&& counts) {
    for (; next_ < out_.size() && out_[next_].frame < frame && arrivalOf(out_[next_]) <= time;
         ++next_)
      if (counts(out_[next_])) last_ = &out_[next_];
    return last_;
  }

 private:
  double arrivalOf(const FrameResult& result) const {
    return captureOf(result.frame) + result.*delayMs_;
  }

  const std::vector<FrameResult>& out_;
  double FrameResult::*const delayMs_;
  const double fps_;
  std::size_t next_ = 0;
  const FrameResult* last_ = nullptr;
};

/** The repeat with the highest `badness`. */
template <typename Badness>
const LiveFigures& worstBy(const std::vector<LiveFigures>& repeats, Badness badness) {
  return *std::ranges::max_element(repeats, {}, badness);
}

}  // namespace

LiveFigures measureLive(const std::vector<FrameResult>& out, const Live& live, bool holdsBoxes,
                        const Yardstick& yardstick) {
  const std::size_t count = yardstick.reference.size();
  LiveFigures figures;
  Comparison shownBoxes(yardstick), newestBoxes(yardstick);
  // Boxes held until a frame is due, and the newest at its capture. The boxes of a frame that was
  // not inferred are those that the loop moved to its time.
  Arrivals inferredOnes(out, &FrameResult::latencyMs, live.fps);
  Arrivals heldOnes(out, &FrameResult::latencyMs, live.fps);
  Arrivals newestOnes(out, &FrameResult::answeredMs, live.fps);
  const auto wasInferred = [](const FrameResult& frame) { return frame.inferred; };
  const auto hasBoxes = [holdsBoxes](const FrameResult& frame) {
    return frame.inferred || frame.coasted || !holdsBoxes;
  };
  std::vector<double> delays, ages;
  std::size_t shown = 0, inferred = 0;
  auto next = out.begin();
  for (std::size_t frame = 0; frame < count; ++frame) {
    const double captured = inferredOnes.captureOf(frame);
    const FrameResult* mine = next != out.end() && next->frame == frame ? &*next++ : nullptr;
    const bool looked = mine && mine->inferred;
    const double due = captured + live.deadlineMs;
    const FrameResult* last = inferredOnes.lastBefore(frame, due, wasInferred);
    const FrameResult* held = heldOnes.lastBefore(frame, due, hasBoxes);
    newestBoxes.add(frame, asShown(newestOnes.lastBefore(frame, captured, hasBoxes)));
    if (mine) {
      delays.push_back(mine->latencyMs);
      figures.delays.push_back({frame, mine->latencyMs});
    }
    if (looked) ++inferred;
    if (mine ? mine->latencyMs > live.deadlineMs : !holdsBoxes) continue;
    ++shown;
    shownBoxes.add(frame, asShown(mine && hasBoxes(*mine) ? mine : held));
    if (looked)
      ages.push_back(0);
    else if (last)
      ages.push_back(captured - inferredOnes.captureOf(last->frame));
  }
  const auto all = static_cast<double>(std::max<std::size_t>(1, count));
  figures.shown = static_cast<double>(shown) / all;
  figures.inferred = static_cast<double>(inferred) / all;
  figures.delayMs = eval::summarise(std::move(delays));
  figures.ageMs = eval::summarise(std::move(ages));
  figures.confident = shownBoxes.confident();
  figures.confident75 = shownBoxes.confident75();
  figures.confidentTruth = shownBoxes.truth();
  if (shown == 0) {  // else a share of nothing would be 1
    figures.confident = figures.confident75 = kNothing;
    if (figures.confidentTruth) figures.confidentTruth = eval::TruthFigures{kNothing, 0};
  }
  figures.streaming = newestBoxes.confident();
  figures.streamingTruth = newestBoxes.truth();
  return figures;
}

LiveFigures worstOf(const std::vector<LiveFigures>& repeats) {
  LiveFigures worst = worstBy(repeats, [](const auto& r) { return r.delayMs.p95; });
  worst.shown = worstBy(repeats, [](const auto& r) { return -r.shown; }).shown;
  worst.inferred = worstBy(repeats, [](const auto& r) { return -r.inferred; }).inferred;
  worst.ageMs = worstBy(repeats, [](const auto& r) { return r.ageMs.p95; }).ageMs;
  for (const auto figures :
       {&LiveFigures::confident, &LiveFigures::confident75, &LiveFigures::streaming})
    worst.*figures = worstBy(repeats, [=](const auto& r) { return -(r.*figures).f1; }).*figures;
  for (const auto truth : {&LiveFigures::confidentTruth, &LiveFigures::streamingTruth})
    if (worst.*truth)
      worst.*truth = worstBy(repeats, [=](const auto& r) { return -(r.*truth)->f1; }).*truth;
  return worst;
}

}  // namespace elf::bench
