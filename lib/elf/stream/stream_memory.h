// SPDX-License-Identifier: LGPL-2.1-or-later
// What a stream remembers of its objects, and expects of them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "elf/predict/history.h"
#include "elf/predict/padding.h"
#include "elf/predict/predictor.h"
#include "elf/predict/tracker.h"
#include "elf/types/frame_record.h"

namespace elf {

/**
 * History, identities, forecasts and padding of one stream. They are about the frames of one
 * generation: the first answered frame of a newer one clears them. Not thread-safe.
 */
class StreamMemory {
 public:
  /** Forecasts that are kept until their frames are answered. Where frames are lost, the newest. */
  static constexpr std::size_t kMostForecasts = 64;

  /** Starts anew. Without a predictor nothing is predicted. */
  void begin(std::unique_ptr<const RpPredictor> predictor, History::Limits limits);
  void setCoverage(double coverage) { padding_.setCoverage(coverage); }
  /** `indexing` is an index into indexerChoices(). */
  void setIndexing(int indexing);

  /** Sets the RPs of a frame, if its objects are known. Keeps the forecast, to learn from the
   * answer, unless the frame is skipped. */
  void predict(FrameRecord& record);
  /** The frame of that number gets no answers. */
  void forgetForecast(std::uint64_t id) { forecasts_.erase(id); }

  /** Sets the detections of a frame without answers: objects that were found when a server last
   * looked for them, where they are by now. */
  void coast(FrameRecord& record);
  /** Removes coasted objects that were gone when a server last looked for them. */
  void eraseMissed(FrameRecord& record) const;
  /** Gives detections their identities. */
  void identify(FrameRecord& record);

  /**
   * Learns from an answered frame, which also gets its identities. A frame of an older generation
   * teaches nothing. Returns places where a server should have looked and did not answer.
   */
  std::vector<Rect> learn(FrameRecord& record);

 private:
  bool knows(const FrameRecord& record) const;
  Forecast forecast(FrameRecord& record) const;

  std::uint32_t generation_ = 0;
  std::unique_ptr<const RpPredictor> predictor_;
  History history_;
  /** Running time of the last frame that a server looked at. */
  std::optional<std::chrono::nanoseconds> lookedAt_;
  Tracker tracker_;
  PaddingCalibrator padding_;
  /** By frame. */
  std::map<std::uint64_t, Forecast> forecasts_;
};

}  // namespace elf
