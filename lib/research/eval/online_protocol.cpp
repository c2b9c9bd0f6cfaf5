// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/eval/online_protocol.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "elf/base/error.h"
#include "elf/predict/tracker.h"
#include "research/eval/flawed_detector.h"
#include "research/eval/trace_clock.h"

namespace elf::eval {

namespace {

/** The pipeline's knowledge while a trace passes through it. */
class Pipeline {
 public:
  Pipeline(const RpPredictor& predictor, const OnlineOptions& options, const Trace& trace)
      : predictor_(predictor),
        options_(options),
        clock_(trace),
        last_(trace.frames.back().number),
        size_(trace.frames.front().size),
        history_(options.history),
        calibrators_(
            static_cast<std::size_t>(options.horizons),
            PaddingCalibrator(options.coverage.value_or(PaddingCalibrator::kDefaultCoverage))) {}

  /** The forecasts of frame `number`, made 1, 2, ... frames before, up to the first frame. */
  const std::vector<Forecast>& forecasts(std::int64_t number) { return forecasts_[number]; }

  /** Takes the detections of frame `number`, or that it was not inferred, and predicts the next. */
  void answer(std::int64_t number, bool looked, std::vector<Detection> detections) {
    // The nearest forecast has the RPs for which the frame was cut.
    const std::vector<Forecast>& made = forecasts_[number];
    const std::vector<Rp> rps = made.empty() ? std::vector<Rp>{} : made.front().rps;
    if (looked) {
      const FrameTime now = clock_.at(number);
      tracker_.track(now, size_, rps, detections);
      // Without the RPs: detections here are never cut by one.
      for (std::size_t i = 0; i < made.size() && options_.coverage; ++i)
        calibrators_[i].observe(made[i].predictions, {}, detections, made[i].frames, size_);
      history_.add({.id = static_cast<std::uint64_t>(number),
                    .when = now,
                    .size = size_,
                    .looked = true,
                    .detections = std::move(detections)});
    }
    forecasts_.erase(forecasts_.begin(), forecasts_.upper_bound(number));
    for (int horizon = 1; horizon <= options_.horizons && number + horizon <= last_; ++horizon) {
      const FrameTime then = clock_.at(number + horizon);
      Forecast forecast{history_.framesUntil(then), predictor_.predict(history_, then), {}};
      forecast.rps =
          makeRps(forecast.predictions, history_, size_, paddingOf(horizon, forecast.frames));
      std::vector<Forecast>& of = forecasts_[number + horizon];
      of.insert(of.begin(), std::move(forecast));
    }
  }

 private:
  Padding paddingOf(int horizon, double frames) const {
    return options_.coverage ? calibrators_[static_cast<std::size_t>(horizon) - 1].padding(frames)
                             : options_.padding;
  }

  const RpPredictor& predictor_;
  const OnlineOptions& options_;
  const TraceClock clock_;
  /** Number of the last frame. */
  const std::int64_t last_;
  Size size_;
  History history_;
  Tracker tracker_;
  /** One per horizon, as in a pipeline that predicts that far ahead. */
  std::vector<PaddingCalibrator> calibrators_;
  std::map<std::int64_t, std::vector<Forecast>> forecasts_;
};

bool covered(const Box& object, Size frame, const std::vector<Rp>& rps) {
  const Box seen = clip(object, frame);
  return std::any_of(rps.begin(), rps.end(), [&](const Rp& rp) {
    return intersect(seen, clip(rp.box, frame)).area() >= PaddingCalibrator::kInside * seen.area();
  });
}

double bestIou(const Box& object, const std::vector<Prediction>& predictions) {
  double best = 0;
  for (const Prediction& prediction : predictions)
    best = std::max(best, iou(object, prediction.box));
  return best;
}

/** An object of the truth. */
struct Target {
  Box box;
  bool wasThere = false;
};

/** Sums for one horizon. */
struct Sums {
  std::size_t frames = 0, objects = 0, objectsNew = 0, covered = 0, coveredNew = 0;
  double iou = 0, area = 0;

  void add(const std::vector<Target>& targets, const Forecast& forecast, Size frame) {
    ++frames;
    for (const Rp& rp : forecast.rps) area += clip(rp.box, frame).area() / frame.area();
    for (const Target& target : targets) {
      const bool inside = eval::covered(target.box, frame, forecast.rps);
      if (target.wasThere) {
        ++objects;
        iou += bestIou(target.box, forecast.predictions);
        covered += inside;
      } else {
        ++objectsNew;
        coveredNew += inside;
      }
    }
  }

  HorizonFigures figures(int horizon) const {
    const auto mean = [](double sum, std::size_t count) {
      return count > 0 ? std::optional(sum / static_cast<double>(count)) : std::nullopt;
    };
    return {horizon,
            frames,
            objects,
            objectsNew,
            mean(iou, objects),
            mean(static_cast<double>(covered), objects),
            mean(static_cast<double>(coveredNew), objectsNew),
            mean(area, frames)};
  }
};

std::vector<Target> targetsOf(const Trace& trace, const TraceFrame& frame,
                              const std::set<std::int64_t>& before) {
  std::vector<Target> targets;
  for (const TraceObject& object : frame.objects) {
    if (object.ignored) continue;
    if (object.id == TraceObject::kUnknownId)
      throw Error(trace.name, "has objects without identity in frame " +
                                  std::to_string(frame.number) +
                                  ", the protocol `online` needs them");
    if (!clip(object.box, frame.size).empty())
      targets.push_back({object.box, before.contains(object.id)});
  }
  return targets;
}

std::set<std::int64_t> identitiesOf(const TraceFrame& frame) {
  std::set<std::int64_t> ids;
  for (const TraceObject& object : frame.objects)
    if (!object.ignored && !clip(object.box, frame.size).empty()) ids.insert(object.id);
  return ids;
}

Scene sceneOf(const Trace& trace, const TraceFrame& frame, const std::vector<Target>& targets,
              const Forecast& forecast) {
  Scene scene{trace.name, frame.number, frame.size, {}, forecast.rps};
  for (const Target& target : targets) scene.truth.push_back(target.box);
  return scene;
}

}  // namespace

OnlineFigures evaluateOnline(std::span<const Trace> traces, const RpPredictor& predictor,
                             const OnlineOptions& options, const Watcher& watch) {
  FlawedDetector detector(options.miss, options.jitter, options.seed);
  OnlineFigures figures;
  std::vector<Sums> sums(static_cast<std::size_t>(options.horizons));
  for (const Trace& trace : traces) {
    if (trace.frames.empty()) continue;
    Pipeline pipeline(predictor, options, trace);
    std::int64_t next = trace.frames.front().number;
    std::set<std::int64_t> before;
    for (const TraceFrame& frame : trace.frames) {
      // In a long gap, only forecasts from near its end can reach this frame.
      for (next = std::max(next, frame.number - options.horizons); next < frame.number; ++next)
        pipeline.answer(next, false, {});
      const std::vector<Target> targets = targetsOf(trace, frame, before);
      const std::vector<Forecast>& forecasts = pipeline.forecasts(frame.number);
      for (std::size_t i = 0; i < forecasts.size(); ++i)
        sums[i].add(targets, forecasts[i], frame.size);
      if (watch && !forecasts.empty()) watch(sceneOf(trace, frame, targets, forecasts.front()));
      ++figures.frames;
      figures.objects += targets.size();
      before = identitiesOf(frame);
      std::vector<Detection> found;
      for (std::optional<Detection>& one : detector.look(frame))
        if (one) found.push_back(std::move(*one));
      pipeline.answer(frame.number, true, std::move(found));
      next = frame.number + 1;
    }
  }
  for (std::size_t i = 0; i < sums.size(); ++i)
    figures.horizons.push_back(sums[i].figures(static_cast<int>(i) + 1));
  return figures;
}

}  // namespace elf::eval
