// SPDX-License-Identifier: LGPL-2.1-or-later
// The ways to run a model on a video that elf-bench compares.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gst/bench/options.h"

namespace elf::bench {

/** One way: a launch line between the source and the sink, and which frames go through it. */
struct Mode {
  std::string name;
  /** Elements from the first Elf element to elfmerge, in gst-launch syntax; elfoffload is named
   * `offload`. */
  std::string launch;
  /** Frames that are under way at the same time. */
  int inFlight = 1;
  /** Only every so many frames are used, and reported about. */
  int sample = 1;
  /** Of these only every so many are inferred; the others repeat the boxes of the last one. */
  int interval = 1;
  /** Frames a second that come at most; 0: as fast as they are done with. */
  double fps = 0;
  /** Frames come by the clock, and those that find no room are dropped. */
  std::optional<Live> live;
  /** Live: frames that are not inferred pass beside, with the boxes of the last one that was. */
  bool holdsBoxes = false;
  /** The frames carry the reference's own boxes as regions of interest. */
  bool referenceRois = false;
};

/** All modes, in the order of the report. */
const std::vector<std::string>& modeNames();

/** That mode says nothing unless the input is played by the clock. */
bool onlyLive(const std::string& name);

/** The mode of that name (one of modeNames()) against the servers of these addresses, which call
 * the model `model`. */
Mode makeMode(const std::string& name, const Options& options, const std::string& model,
              const std::vector<std::string>& servers);

}  // namespace elf::bench
