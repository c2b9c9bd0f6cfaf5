// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/eval/simulation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "elf/agreement/agreement.h"
#include "elf/base/error.h"
#include "elf/merge/merge.h"
#include "elf/predict/tracker.h"
#include "research/eval/flawed_detector.h"
#include "research/eval/trace_clock.h"

namespace elf::eval {

namespace {

/** The share of an object that must be in a part to be seen. */
constexpr double kSeen = 0.3;
constexpr double kFoundIou = 0.5;
constexpr double kMilliseconds = 1e3;

using Found = std::vector<std::optional<Detection>>;

Capacity capacityOf(const SimulationOptions& options, Size frame) {
  if (options.speeds.empty()) throw Error("speeds", "there is no server");
  Capacity capacity;
  capacity.rules = options.rules;
  for (std::size_t i = 0; i < options.speeds.size(); ++i) {
    ServerState server;
    server.url = "server " + std::to_string(i);
    server.cost = {options.requestSeconds, options.frameSeconds / frame.area() / options.speeds[i],
                   8 / options.bitsPerSecond};
    server.bytesPerPixel = options.bytesPerPixel;
    capacity.servers.push_back(std::move(server));
  }
  return capacity;
}

/** The detections in one part, in the pixels of the sent part. */
std::vector<Detection> inPart(const Part& part, const Found& found, const ModelRules& rules) {
  const Size sent = part.sentSize();
  const float sx = static_cast<float>(sent.width) / static_cast<float>(part.rect.width);
  const float sy = static_cast<float>(sent.height) / static_cast<float>(part.rect.height);
  std::vector<Detection> detections;
  for (const std::optional<Detection>& one : found) {
    if (!one || one->box.height() * sy < static_cast<float>(rules.objectSize)) continue;
    const Box seen = intersect(one->box, toBox(part.rect));
    if (seen.area() / one->box.area() < kSeen) continue;
    Detection detection = *one;
    detection.box = scaled(
        shift(seen, static_cast<float>(-part.rect.x), static_cast<float>(-part.rect.y)), sx, sy);
    detections.push_back(std::move(detection));
  }
  return detections;
}

/** The objects in view, and since when they have not been reported. */
class Appearances {
 public:
  /** Objects of the first frame do not count as appeared. */
  void add(std::int64_t frame, const std::set<std::int64_t>& inView,
           const std::set<std::int64_t>& reported) {
    for (const std::int64_t id : inView) {
      if (seen_.insert(id).second && !first_) {
        ++appeared_;
        waiting_[id].since = frame;
      }
      if (const auto waits = waiting_.find(id); waits != waiting_.end()) waits->second.last = frame;
    }
    first_ = false;
    std::erase_if(waiting_, [&](const auto& entry) {
      const auto& [id, view] = entry;
      if (reported.contains(id)) delays_.push_back(static_cast<double>(frame - view.since));
      return reported.contains(id);
    });
  }

  std::size_t appeared() const { return appeared_; }
  std::size_t neverFound() const { return waiting_.size(); }
  /** One for each object that appeared. */
  std::vector<double> delays() const {
    std::vector<double> delays = delays_;
    for (const auto& [id, view] : waiting_)
      delays.push_back(static_cast<double>(view.last - view.since + 1));
    return delays;
  }

 private:
  /** Frame numbers. */
  struct View {
    std::int64_t since = 0, last = 0;
  };

  bool first_ = true;
  std::set<std::int64_t> seen_;
  std::map<std::int64_t, View> waiting_;
  std::vector<double> delays_;
  std::size_t appeared_ = 0;
};

/** The time of the fastest server for a whole frame. */
double secondsForAll(const Capacity& capacity, Size frame) {
  const auto seconds = [&](const ServerState& server) {
    return server.seconds(frame.area(), frame.area());
  };
  return seconds(std::ranges::min(capacity.servers, {}, seconds));
}

/** The results of a frame. */
struct Outcome {
  FrameRecord record;
  /** Pixels that a plan for the RPs alone would send. Unset if they are unknown. */
  std::optional<double> rpPixels;
};

/** One stream. */
class Stream {
 public:
  Stream(const RpPredictor& predictor, const SimulationOptions& options, const Trace& trace)
      : predictor_(predictor),
        options_(options),
        clock_(trace),
        capacity_(std::make_shared<const Capacity>(capacityOf(options, trace.frames.front().size))),
        partitioner_(Partitioner::create(options.partitioner)),
        planner_(Partitioner::create(options.partitioner)),
        history_(options.history),
        calibrator_(options.coverage) {
    planner_.setSettings(options.planner);
  }

  const Capacity& capacity() const { return *capacity_; }

  void skip(std::int64_t number, Size size) {
    history_.add(
        {.id = static_cast<std::uint64_t>(number), .when = clock_.at(number), .size = size});
  }

  /** `found` is what the detector would find in the whole frame. */
  Outcome run(const TraceFrame& frame, const Found& found, const ImageView* picture) {
    Outcome outcome;
    FrameRecord& record = outcome.record;
    record.id = static_cast<std::uint64_t>(frame.number);
    record.when = clock_.at(frame.number);
    record.size = frame.size;
    record.capacity = capacity_;
    const double frames = history_.framesUntil(record.when);
    std::vector<Prediction> predictions;
    if (history_.known()) {
      predictions = predictor_.predict(history_, record.when);
      record.rps = makeRps(predictions, history_, frame.size, calibrator_.padding(frames));
      outcome.rpPixels =
          partitioner_->plan({frame.size, *record.rps, *capacity_, options_.planner.scale})
              .sentPixels();
    }
    // Every frame in the data was inferred, so that these are the frames since the previous one.
    record.plan = planner_.plan(frame.size, record.rps, *capacity_, picture,
                                std::max(1, static_cast<int>(std::lround(frames))));
    for (const Part& part : record.plan->parts) {
      PartAnswer answer{.state = AnswerState::Answered,
                        .detections = inPart(part, found, options_.rules),
                        .server = part.server,
                        .attempts = 1};
      answer.bytesSent = static_cast<std::size_t>(part.sentSize().area() * options_.bytesPerPixel);
      record.answers.push_back(std::move(answer));
    }
    mergeAnswers(record);
    tracker_.track(record.when, frame.size,
                   record.rps ? std::span<const Rp>(*record.rps) : std::span<const Rp>(),
                   record.detections);
    const Feedback feedback = feedbackOf(record);
    if (record.rps)
      calibrator_.observe(predictions, *record.rps, record.detections, frames, frame.size);
    history_.add(feedback);
    planner_.missed(feedback.unseen);
    return outcome;
  }

 private:
  const RpPredictor& predictor_;
  const SimulationOptions& options_;
  const TraceClock clock_;
  const CapacityPtr capacity_;
  const std::unique_ptr<const Partitioner> partitioner_;
  FramePlanner planner_;
  History history_;
  Tracker tracker_;
  PaddingCalibrator calibrator_;
};

/** Sums over all frames. */
class Sums {
 public:
  void add(const TraceFrame& frame, const Found& found, const Outcome& outcome,
           const Capacity& capacity, Appearances& appearances) {
    const FrameRecord& record = outcome.record;
    ++frames_;
    latencies_.push_back(record.plan->makespan * kMilliseconds);
    whole_ += secondsForAll(capacity, frame.size) * kMilliseconds;
    bytes_ += static_cast<double>(record.bytesSent());
    wholeBytes_ += frame.size.area() * capacity.servers.front().bytesPerPixel;
    pixels_ += record.pixelsSent() / frame.size.area();
    if (outcome.rpPixels)
      discovery_ += (record.pixelsSent() - *outcome.rpPixels) / frame.size.area();

    std::vector<Detection> truth, detectable;
    std::vector<std::int64_t> ids;
    for (std::size_t i = 0; i < frame.objects.size(); ++i) {
      const TraceObject& object = frame.objects[i];
      const Box box = clip(object.box, frame.size);
      if (object.ignored || box.empty()) continue;
      truth.push_back({.box = box, .labelId = object.labelId});
      ids.push_back(object.id);
      if (found[i] && found[i]->box.height() >= static_cast<float>(capacity.rules.objectSize))
        detectable.push_back(*found[i]);
    }
    const std::vector<Pair> pairs = matchDetections(truth, record.detections, kFoundIou);
    counts_ += {truth.size(), pairs.size(), record.detections.size(), pairs.size()};
    wholeCounts_ += comparePlain(truth, detectable, kFoundIou, 0);
    std::set<std::int64_t> reported;
    for (const Pair& pair : pairs) reported.insert(ids[pair.a]);
    appearances.add(frame.number, {ids.begin(), ids.end()}, reported);
  }

  void take(const Appearances& appearances) {
    appeared_ += appearances.appeared();
    neverFound_ += appearances.neverFound();
    const std::vector<double> delays = appearances.delays();
    delays_.insert(delays_.end(), delays.begin(), delays.end());
  }

  SimulationFigures figures() const {
    SimulationFigures figures;
    figures.frames = frames_;
    if (frames_ == 0) return figures;
    const auto count = static_cast<double>(frames_);
    figures.latencyMs = summarise(latencies_);
    figures.wholeLatencyMs = whole_ / count;
    if (figures.latencyMs.mean > 0)
      figures.speedup = figures.wholeLatencyMs / figures.latencyMs.mean;
    figures.bytes = bytes_ / count;
    figures.wholeBytes = wholeBytes_ / count;
    figures.pixels = pixels_ / count;
    figures.discoveryPixels = discovery_ / count;
    figures.objects = counts_.reference;
    figures.accuracy = eval::figures(counts_);
    figures.wholeAccuracy = eval::figures(wholeCounts_);
    figures.appeared = appeared_;
    figures.delay = summarise(delays_);
    figures.neverFound = neverFound_;
    return figures;
  }

 private:
  std::size_t frames_ = 0, appeared_ = 0, neverFound_ = 0;
  Counts counts_, wholeCounts_;
  std::vector<double> latencies_, delays_;
  double whole_ = 0, bytes_ = 0, wholeBytes_ = 0, pixels_ = 0, discovery_ = 0;
};

Scene sceneOf(const Trace& trace, const TraceFrame& frame, const FrameRecord& record) {
  Scene scene = plannedScene(trace, frame, record.rps.value_or(std::vector<Rp>()), *record.plan,
                             *record.capacity);
  for (const TraceObject& object : frame.objects)
    if (!object.ignored) scene.truth.push_back(object.box);
  return scene;
}

void checkIdentities(const Trace& trace) {
  for (const TraceFrame& frame : trace.frames)
    for (const TraceObject& object : frame.objects)
      if (!object.ignored && object.id == TraceObject::kUnknownId)
        throw Error(trace.name, "has objects without identity in frame " +
                                    std::to_string(frame.number) + ", a simulation needs them");
}

}  // namespace

SimulationFigures simulate(std::span<const Trace> traces, const RpPredictor& predictor,
                           const SimulationOptions& options, const Watcher& watch) {
  FlawedDetector detector(options.miss, options.jitter, options.seed);
  Sums sums;
  for (const Trace& trace : traces) {
    if (trace.frames.empty()) continue;
    checkIdentities(trace);
    Stream stream(predictor, options, trace);
    Appearances appearances;
    std::int64_t next = trace.frames.front().number;
    for (const TraceFrame& frame : trace.frames) {
      // For a long gap, one skipped frame is enough.
      if (frame.number > next) stream.skip(frame.number - 1, frame.size);
      next = frame.number + 1;
      const Found found = detector.look(frame);
      std::optional<ImageView> picture;
      if (options.pictures) picture = options.pictures->read(trace.name, frame.number, frame.size);
      const Outcome outcome = stream.run(frame, found, picture ? &*picture : nullptr);
      sums.add(frame, found, outcome, stream.capacity(), appearances);
      if (watch) watch(sceneOf(trace, frame, outcome.record));
    }
    sums.take(appearances);
  }
  return sums.figures();
}

}  // namespace elf::eval
