// SPDX-License-Identifier: LGPL-2.1-or-later
// From measured frames to the figures of the report, which docs/elf-bench.md explains.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "elf/agreement/agreement.h"
#include "elf/agreement/statistics.h"
#include "gst/bench/live_figures.h"
#include "gst/bench/measuring.h"
#include "gst/bench/yardstick.h"

namespace elf::bench {

/** One repeat of one mode. Live: of the frames that left its pipeline. */
struct RepeatFigures {
  /** Live: since capture. */
  eval::Summary latencyMs;
  double fps = 0;
  double bytesPerFrame = 0;
  /** The bytes if whole frames were sent. */
  double wholeBytesPerFrame = 0;
  /** Of wall-clock time, and with the overhead of requests, as elfoffload's budget counts. */
  double kilobitsPerSecond = 0;
  double pixelsPerFrame = 0;
  /** How frames were inferred. */
  struct Work {
    /** Pictures sent for a frame, and canvases among them. */
    double runs = 0, canvases = 0;
    /** Share of the boxes that are copies of earlier ones because nothing changed. */
    double kept = 0;
  } work;
  /** Frames for which nothing was sent, because of overload or a budget. */
  std::size_t skipped = 0;
  /** elfoffload's choices, averaged over the frames for which something was sent. 0: none. */
  double quality = 0, scale = 0;
  eval::Figures agreement;
  eval::Figures confident;
  eval::Figures confident75;
  eval::ShapeFigures shapes;
  std::optional<eval::TruthFigures> truth;
  /** Speed-up over `single`. Unset if `single` was not run. */
  std::optional<double> speedup;
  bool holds = false;
  /** Reasons to doubt the figures: see the k...Mark names. */
  std::set<std::string> marks;
  std::vector<double> latencies;
  std::optional<LiveFigures> live;
};

inline constexpr const char* kTooManyBoxesMark = "too-many-boxes";
inline constexpr const char* kCoastedMark = "coasted";
inline constexpr const char* kFailedMark = "failed";
inline constexpr const char* kRetriedMark = "retried";
inline constexpr const char* kSkippedMark = "skipped";
/** A mode that reports more boxes than this many times the reference's is marked. */
inline constexpr double kTooManyBoxes = 1.25;

/** All figures but `speedup`, `holds` and `live`. */
RepeatFigures measure(const std::vector<FrameResult>& frames, double seconds,
                      const Yardstick& yardstick);

/** Sets `speedup` and `holds`. The speed-up is median over median, or mean over mean. */
void compare(RepeatFigures& repeat, const RepeatFigures& single, bool byMean);

/** A mode over all its repeats. */
struct ModeFigures {
  std::string name;
  std::string launch;
  /** The frames measured in each repeat (live: captured), and the step between them. */
  std::size_t frames = 0;
  int sample = 1;
  /** `speedup` is mean over mean instead of median over median. */
  bool speedupByMean = false;
  std::vector<RepeatFigures> repeats;
  /**
   * The worst of the repeats. Latency, frames/s and speed-up are those of the repeat with the
   * lowest speed-up. Without `single`, or for `single` itself, they are those with the highest
   * median. Each kind of agreement is that of the repeat with its lowest F1. Those of shapes are
   * the lowest. Bytes, pixels and skipped frames are the highest of any repeat. `holds` is set only
   * if every repeat holds. All marks are kept. `live` has the worst of each figure.
   */
  RepeatFigures worst;
};

/** Sets `worst` from `repeats`, which must not be empty. */
void takeWorst(ModeFigures& mode);

/** The average number of detections per frame that score at least `minScore`. */
double boxesPerFrame(const FrameDetections& detections, float minScore);

/** The content of the reports. */
struct Report {
  std::string version;
  std::string gstreamerVersion;
  /** ISO 8601, UTC. */
  std::string date;
  int cpus = 0;
  bool pinned = false;
  std::string commandLine;
  Size frameSize;
  std::string format;
  std::size_t frames = 0;
  float minScore = 0;
  float sureScore = 0;
  /** The average number of detections per reference frame that score at least `minScore`. */
  double referenceBoxesPerFrame = 0;
  std::optional<eval::TruthFigures> referenceTruth;
  std::vector<ModeFigures> modes;

  /** The input was played in real time: each mode has `live` figures. */
  bool live() const { return !modes.empty() && modes.front().worst.live.has_value(); }
  const ModeFigures* find(const std::string& name) const;
  /** Speed-up of `elf` over speed-up of `oracle`. Unset if one is missing. */
  std::optional<double> shareOfOracle() const;
};

}  // namespace elf::bench
