// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/stream/stream_memory.h"

#include <algorithm>
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

}  // namespace

void StreamMemory::begin(std::unique_ptr<const RpPredictor> predictor, History::Limits limits) {
  predictor_ = std::move(predictor);
  history_ = History(limits);
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
  if (forecasts_.size() == kMostForecasts) forecasts_.erase(forecasts_.begin());
  forecasts_.insert_or_assign(record.id, std::move(made));
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
  if (record.generation == generation_)
    tracker_.track(record.when, record.size, predictedIn(record), record.detections);
}

std::vector<Rect> StreamMemory::learn(FrameRecord& record) {
  if (record.generation < generation_) return {};
  if (record.generation > generation_) {
    generation_ = record.generation;
    history_.clear();
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
  if (history_.lastLooked() == record.id) lookedAt_ = record.runningTime;
  return std::move(feedback.unseen);
}

}  // namespace elf
