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

#include "elf/discovery/unchanged.h"
#include "elf/predict/history.h"
#include "elf/predict/padding.h"
#include "elf/predict/predictor.h"
#include "elf/predict/tracker.h"
#include "elf/stream/second_looks.h"
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

  /**
   * Where the objects of the RPs were found, for those that the last look found, no longer than
   * `most` ago. In the order of the RPs. The longest times differ from object to object, from half
   * of `most` on, so that not all are asked for in the same frame again.
   */
  std::vector<UnchangedRegions::Region> found(const FrameRecord& record,
                                              std::chrono::milliseconds most) const;
  /** The detection that a server found last for the object, as a kept one; unset if it is over. */
  std::optional<Detection> kept(Identity id) const;

  /** Sets the detections of a frame without answers: objects that were found when a server last
   * looked for them, where they are by now. */
  void coast(FrameRecord& record);
  /** Removes coasted objects that were gone when a server last looked for them. */
  void eraseMissed(FrameRecord& record) const;
  /** Gives detections their identities, and lowers the scores of those that need a second look. */
  void identify(FrameRecord& record);

  /**
   * Learns from an answered frame, which also gets its identities. A frame of an older generation
   * teaches nothing. Returns places where a server should have looked and did not answer.
   */
  std::vector<Rect> learn(FrameRecord& record);

 private:
  bool knows(const FrameRecord& record) const;
  Forecast forecast(FrameRecord& record) const;

  /** What a server found last for an object. */
  struct Found {
    std::uint64_t frame = 0;
    FrameTime when;
    Size size;
    Detection detection;
  };
  void noteFound(const FrameRecord& record);

  std::uint32_t generation_ = 0;
  std::unique_ptr<const RpPredictor> predictor_;
  History history_;
  /** Of the objects in `history_`. */
  std::map<Identity, Found> found_;
  /** Running time of the last frame that a server looked at. */
  std::optional<std::chrono::nanoseconds> lookedAt_;
  Tracker tracker_;
  SecondLooks looks_;
  PaddingCalibrator padding_;
  /** By frame. */
  std::map<std::uint64_t, Forecast> forecasts_;
};

}  // namespace elf
