// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/eval/paper_protocol.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "elf/base/error.h"
#include "elf/predict/indexing.h"
#include "research/data/elf_release_window.h"

namespace elf::eval {

namespace {

constexpr std::size_t kHistory = ElfReleaseWindow::kHistory;
/** The first index at which a window may end: the released code's window size is 3. */
constexpr std::size_t kFirstTarget = 3;
/** The released code also loads the frame after a window's last, and never uses it. */
constexpr std::size_t kLeastFrames = kFirstTarget + 2;

/** The predictions for a window's targets, in order. An empty box if there is none. */
std::vector<Box> predictWindow(const ElfReleaseWindow& window, Size size,
                               const RpPredictor& predictor) {
  History history;
  for (std::size_t step = 0; step < kHistory; ++step) {
    Feedback feedback;
    feedback.id = step;
    feedback.when.at = static_cast<double>(step);
    feedback.size = size;
    feedback.looked = true;
    for (std::size_t row = 0; row < window.targets.size(); ++row) {
      Detection detection;
      detection.box = window.history[step][row];
      detection.score = 1;
      detection.labelId = window.targets[row].labelId;
      detection.id = static_cast<Identity>(row) + 1;
      feedback.detections.push_back(std::move(detection));
    }
    history.add(feedback);
  }
  std::vector<Box> boxes(window.targets.size());
  for (const Prediction& prediction : predictor.predict(history, {kHistory}))
    boxes[static_cast<std::size_t>(prediction.id) - 1] = prediction.box;
  return boxes;
}

/** Corners in parts of the frame's width and height. */
struct Corners {
  double x0, y0, x1, y1;
  /** Below 0 if one pair of sides has crossed, as in the released loss. */
  double area() const { return (x1 - x0) * (y1 - y0); }
};

Corners normalise(const Box& box, Size size) {
  return {static_cast<double>(box.x0) / size.width, static_cast<double>(box.y0) / size.height,
          static_cast<double>(box.x1) / size.width, static_cast<double>(box.y1) / size.height};
}

double releasedIou(const Corners& a, const Corners& b) {
  const double width = std::max(0.0, std::min(a.x1, b.x1) - std::max(a.x0, b.x0));
  const double height = std::max(0.0, std::min(a.y1, b.y1) - std::max(a.y0, b.y0));
  const double common = width * height;
  return common / (a.area() + b.area() - common);
}

/** Sums over the targets of one window. */
class WindowError {
 public:
  void add(const Corners& predicted, const Corners& target) {
    const auto square = [](double error) { return error * error; };
    squares_ += square(predicted.x0 - target.x0) + square(predicted.y0 - target.y0) +
                square(predicted.x1 - target.x1) + square(predicted.y1 - target.y1);
    iou_ += releasedIou(predicted, target);
    ++count_;
  }
  bool empty() const { return count_ == 0; }
  double iou() const { return iou_ / static_cast<double>(count_); }
  double loss() const { return squares_ / static_cast<double>(count_) + 1 - iou(); }

 private:
  double squares_ = 0;
  double iou_ = 0;
  std::size_t count_ = 0;
};

/** Index of the last frame of window `index` of video `video`. */
std::size_t lastFrame(std::size_t index, std::size_t video, std::size_t frames) {
  const bool before = video > 0 || index == frames - 1;
  return std::max(kFirstTarget, before && index > 0 ? index - 1 : index);
}

Scene sceneOf(const Trace& trace, std::size_t last, const ElfReleaseWindow& window,
              const std::vector<Box>& predicted) {
  Scene scene{trace.name, trace.frames[last].number, trace.frames[last].size, {}, {}};
  for (const LabelledBox& target : window.targets) scene.truth.push_back(target.box);
  for (std::size_t row = 0; row < predicted.size(); ++row) {
    Rp rp;
    rp.box = rp.expected = predicted[row];
    rp.id = static_cast<Identity>(row) + 1;
    scene.rps.push_back(std::move(rp));
  }
  return scene;
}

}  // namespace

PaperFigures evaluatePaper(std::span<const Trace> traces, const RpPredictor& predictor,
                           const Watcher& watch) {
  const std::unique_ptr<RpIndexer> indexer = RpIndexer::create("elf-release");
  PaperFigures figures;
  for (std::size_t video = 0; video < traces.size(); ++video) {
    const Trace& trace = traces[video];
    if (trace.frames.size() < kLeastFrames)
      throw Error(trace.name, "has " + std::to_string(trace.frames.size()) +
                                  " frames, the protocol `paper` needs " +
                                  std::to_string(kLeastFrames));
    for (std::size_t index = 0; index < trace.frames.size(); ++index) {
      const std::size_t last = lastFrame(index, video, trace.frames.size());
      const ElfReleaseWindow window = elfReleaseWindow(trace, last, *indexer);
      if (window.targets.empty()) continue;
      const Size size = trace.frames[last].size;
      const std::vector<Box> predicted = predictWindow(window, size, predictor);
      WindowError all;
      WindowError clean;
      for (std::size_t row = 0; row < predicted.size(); ++row) {
        const Corners box = normalise(predicted[row], size);
        const Corners target = normalise(window.targets[row].box, size);
        all.add(box, target);
        if (window.leaks[0][row] || window.leaks[1][row])
          ++figures.leaking;
        else
          clean.add(box, target);
      }
      ++figures.windows;
      figures.targets += window.targets.size();
      figures.loss += all.loss();
      figures.iou += all.iou();
      if (!clean.empty()) {
        ++figures.cleanWindows;
        figures.lossClean += clean.loss();
        figures.iouClean += clean.iou();
      }
      if (watch) watch(sceneOf(trace, last, window, predicted));
    }
  }
  const auto windows = static_cast<double>(std::max<std::size_t>(figures.windows, 1));
  const auto cleanWindows = static_cast<double>(std::max<std::size_t>(figures.cleanWindows, 1));
  figures.loss /= windows;
  figures.iou /= windows;
  figures.lossClean /= cleanWindows;
  figures.iouClean /= cleanWindows;
  return figures;
}

}  // namespace elf::eval
