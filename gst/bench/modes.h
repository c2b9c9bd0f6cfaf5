// SPDX-License-Identifier: LGPL-2.1-or-later
// The ways to run a model on a video that elf-bench compares.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gst/bench/options.h"

namespace elf::bench {

/** One way: a launch line between source and sink, and the frames that pass through it. */
struct Mode {
  std::string name;
  /** Elements from the first Elf element to elfmerge, in gst-launch syntax. elfoffload is named
   * `offload`. */
  std::string launch;
  /** The number of frames in flight. */
  int inFlight = 1;
  /** Only every Nth frame is used and reported. */
  int sample = 1;
  /** Only every Nth of these is inferred. The others repeat the boxes of the last one. */
  int interval = 1;
  /** The maximum rate of frames per second. 0: no limit. */
  double fps = 0;
  /** Frames arrive in real time, and those without room are dropped. */
  std::optional<Live> live;
  /** Live: frames that are not inferred bypass the pipeline with the boxes of the last one that
   * was. */
  bool holdsBoxes = false;
  /** The frames carry the reference's own boxes as regions of interest. */
  bool referenceRois = false;
};

/** All modes, in the order of the report. */
const std::vector<std::string>& modeNames();

/** The mode is meaningful only if the input is played in real time. */
bool onlyLive(const std::string& name);

/** The mode `name` (one of modeNames()) against the servers at these addresses, which know the
 * model as `model`. */
Mode makeMode(const std::string& name, const Options& options, const std::string& model,
              const std::vector<std::string>& servers);

}  // namespace elf::bench
