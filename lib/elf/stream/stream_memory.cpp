// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/stream/stream_memory.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "elf/merge/merge.h"
#include "elf/predict/indexing.h"

namespace elf {

namespace {

/** Where objects were expected. */
std::span<const Rp> predictedIn(const FrameRecord& record) {
  const auto& rps = record.predicted ? record.predicted : record.rps;
  return rps ? std::span<const Rp>(*rps) : std::span<const Rp>();
}

/** What a model sees of an object's surroundings matters, too: pixels, and a share of its longer
 * side. */
constexpr float kAround = 16, kAroundShare = 0.1F;
/** The usual time from frame to frame, where frames have no time stamps. */
constexpr std::chrono::milliseconds kUsualInterval{40};

std::chrono::nanoseconds ageOf(const FrameTime& then, const FrameTime& now) {
  if (then.running && now.running) return *now.running - *then.running;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(kUsualInterval *
                                                              framesBetween(then.at, now));
}

/** `most`, less a part of its half that differs from one identity to the next. */
std::chrono::nanoseconds longest(std::chrono::milliseconds most, Identity id) {
  constexpr double kGoldenRatio = 0.6180339887498949;
  const double spread = std::fmod(static_cast<double>(id) * kGoldenRatio, 1.0);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(most * (1 - spread / 2));
}

}  // namespace

void StreamMemory::begin(std::unique_ptr<const RpPredictor> predictor, History::Limits limits) {
  predictor_ = std::move(predictor);
  history_ = History(limits);
  found_.clear();
  looks_.forget();
  padding_.forget();
}

void StreamMemory::setIndexing(int indexing) {
  tracker_.setIndexer(RpIndexer::create(indexerChoices()[static_cast<std::size_t>(indexing)].name));
}

bool StreamMemory::knows(const FrameRecord& record) const {
  return predictor_ && record.generation == generation_ && history_.known() &&
         record.id > *history_.lastLooked();
}

// Writes it into the record, too.
Forecast StreamMemory::forecast(FrameRecord& record) const {
  record.horizon = static_cast<int>(record.id - *history_.lastLooked());
  record.horizonTime.reset();
  if (record.runningTime && lookedAt_) record.horizonTime = *record.runningTime - *lookedAt_;
  Forecast forecast{
      history_.framesUntil(record.when), predictor_->predict(history_, record.when), {}};
  forecast.rps =
      makeRps(forecast.predictions, history_, record.size, padding_.padding(forecast.frames));
  record.rps = forecast.rps;
  record.predicted.reset();
  return forecast;
}

void StreamMemory::predict(FrameRecord& record) {
  if (!knows(record)) return;
  Forecast made = forecast(record);
  if (record.skipped) return;
  looks_.widen(record);
  if (forecasts_.size() == kMostForecasts) forecasts_.erase(forecasts_.begin());
  forecasts_.insert_or_assign(record.id, std::move(made));
}

std::vector<UnchangedRegions::Region> StreamMemory::found(const FrameRecord& record,
                                                          std::chrono::milliseconds most) const {
  std::vector<UnchangedRegions::Region> regions;
  if (!record.rps || record.generation != generation_) return regions;
  for (const Rp& rp : *record.rps) {
    const auto one = found_.find(rp.id);
    const auto track = history_.tracks().find(rp.id);
    if (one == found_.end() || track == history_.tracks().end()) continue;
    if (looks_.asks(rp.id, record.id)) continue;
    const Found& last = one->second;
    if (track->second.missed > 0 || track->second.unanswered > 0) continue;
    if (ageOf(last.when, record.when) > longest(most, rp.id)) continue;
    const Box& box = last.detection.box;
    const float around = std::max(kAround, kAroundShare * std::max(box.width(), box.height()));
    regions.push_back(
        {rp.id, last.frame, roundOutwards(grow(box, {around, around, around, around}), last.size)});
  }
  return regions;
}

std::optional<Detection> StreamMemory::kept(Identity id) const {
  const auto found = found_.find(id);
  if (found == found_.end()) return std::nullopt;
  Detection detection = found->second.detection;
  detection.kept = true;
  return detection;
}

void StreamMemory::noteFound(const FrameRecord& record) {
  for (const Detection& detection : record.detections)
    if (!detection.coasted && !detection.kept && detection.id != kNoIdentity)
      found_.insert_or_assign(detection.id, Found{record.id, record.when, record.size, detection});
  std::erase_if(found_,
                [&](const auto& found) { return !history_.tracks().contains(found.first); });
}

void StreamMemory::coast(FrameRecord& record) {
  if (knows(record)) forecast(record);
  // Coasted boxes need no plan and no answers.
  FrameRecord bare;
  bare.skipped = true;
  bare.rps = record.rps;
  mergeAnswers(bare);
  record.detections = std::move(bare.detections);
  eraseMissed(record);
  identify(record);
}

void StreamMemory::eraseMissed(FrameRecord& record) const {
  std::erase_if(record.detections, [&](const Detection& detection) {
    const auto track = history_.tracks().find(detection.id);
    return detection.coasted && track != history_.tracks().end() && track->second.missed > 0;
  });
}

void StreamMemory::identify(FrameRecord& record) {
  if (record.generation != generation_) return;
  tracker_.track(record.when, record.size, predictedIn(record), record.detections);
  looks_.judge(record);
}

std::vector<Rect> StreamMemory::learn(FrameRecord& record) {
  if (record.generation < generation_) return {};
  if (record.generation > generation_) {
    generation_ = record.generation;
    history_.clear();
    found_.clear();
    looks_.forget();
    tracker_.forget();
    forecasts_.erase(forecasts_.begin(), forecasts_.lower_bound(record.id));
  }
  identify(record);
  Feedback feedback = feedbackOf(record);
  const auto made = forecasts_.find(record.id);
  // Where ROI metas of others replaced the RPs, no server looked at them.
  if (made != forecasts_.end() && feedback.looked && !record.predicted)
    padding_.observe(made->second.predictions, made->second.rps, feedback.detections,
                     made->second.frames, record.size);
  forecasts_.erase(forecasts_.begin(), forecasts_.upper_bound(record.id));
  history_.add(feedback);
  looks_.eraseUnknown([this](Identity id) { return history_.tracks().contains(id); });
  if (feedback.looked) noteFound(record);
  if (history_.lastLooked() == record.id) lookedAt_ = record.runningTime;
  return std::move(feedback.unseen);
}

}  // namespace elf
