// SPDX-License-Identifier: LGPL-2.1-or-later
// From measured frames to the figures of the report (docs/elf-bench.md says what each means).
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

/** One repeat of one mode; live, of the frames that came out of its pipeline. */
struct RepeatFigures {
  /** Live: from capture. */
  eval::Summary latencyMs;
  double fps = 0;
  double bytesPerFrame = 0;
  /** What whole frames would have taken. */
  double wholeBytesPerFrame = 0;
  /** By the clock, and as the budget of elfoffload counts: with what requests take besides. */
  double kilobitsPerSecond = 0;
  double pixelsPerFrame = 0;
  /** Frames for which nothing was sent, on account of overload or of a budget. */
  std::size_t skipped = 0;
  /** What elfoffload chose, on average over the frames for which something was sent; 0: none. */
  double quality = 0, scale = 0;
  eval::Figures agreement;
  eval::Figures confident;
  eval::Figures confident75;
  eval::ShapeFigures shapes;
  std::optional<eval::TruthFigures> truth;
  /** How many times faster than `single`; unset where that was not run. */
  std::optional<double> speedup;
  bool holds = false;
  /** Why the figures are to be taken with care: see the k...Mark names. */
  std::set<std::string> marks;
  std::vector<double> latencies;
  std::optional<LiveFigures> live;
};

inline constexpr const char* kTooManyBoxesMark = "too-many-boxes";
inline constexpr const char* kCoastedMark = "coasted";
inline constexpr const char* kFailedMark = "failed";
inline constexpr const char* kRetriedMark = "retried";
inline constexpr const char* kSkippedMark = "skipped";
/** A mode that reports more than this many times the reference's boxes is marked. */
inline constexpr double kTooManyBoxes = 1.25;

/** All but `speedup`, `holds` and `live`. */
RepeatFigures measure(const std::vector<FrameResult>& frames, double seconds,
                      const Yardstick& yardstick);

/** Fills in `speedup` and `holds`: median over median, or mean over mean. */
void compare(RepeatFigures& repeat, const RepeatFigures& single, bool byMean);

/** A mode over all its repeats. */
struct ModeFigures {
  std::string name;
  std::string launch;
  /** Frames that were measured in each repeat (live: captured), and the step from one to the next.
   */
  std::size_t frames = 0;
  int sample = 1;
  /** `speedup` is mean over mean instead of median over median. */
  bool speedupByMean = false;
  std::vector<RepeatFigures> repeats;
  /**
   * What counts: the worst of the repeats. Latency, frames/s and speed-up are those of the repeat
   * with the lowest speed-up (without `single`, or for `single` itself, with the highest median);
   * each kind of agreement is that of the repeat with its lowest F1, those of shapes are the
   * lowest; bytes, pixels and skipped frames are the most of any repeat; `holds` only if every
   * repeat holds; all marks; of `live` the worst of each figure.
   */
  RepeatFigures worst;
};

/** Sets `worst` from `repeats`, of which there is at least one. */
void takeWorst(ModeFigures& mode);

/** How many detections of at least `minScore` there are in a frame, on average. */
double boxesPerFrame(const FrameDetections& detections, float minScore);

/** All that the reports tell. */
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
  /** Detections of at least `minScore` in the reference, for each frame. */
  double referenceBoxesPerFrame = 0;
  std::optional<eval::TruthFigures> referenceTruth;
  std::vector<ModeFigures> modes;

  /** The input was played by the clock: each mode has `live` figures. */
  bool live() const { return !modes.empty() && modes.front().worst.live.has_value(); }
  const ModeFigures* find(const std::string& name) const;
  /** Speed-up of `elf` over speed-up of `oracle`; unset where one of them is missing. */
  std::optional<double> shareOfOracle() const;
};

}  // namespace elf::bench
