// SPDX-License-Identifier: LGPL-2.1-or-later
// What elf-bench was asked to do.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gst/bench/offload_properties.h"

namespace elf::bench {

/** The input is played by the clock. */
struct Live {
  double fps = 0;
  /** How long after its capture a frame is shown. */
  int deadlineMs = 200;
};

struct Options {
  /** A video file, a folder of images, or a pattern of image files such as `frames/%06d.png`. */
  std::string input;
  /** Name or path of a `.model` file. */
  std::string model = "hog";
  int servers = 2;
  /** Names out of modeNames(), in the order of the report. */
  std::vector<std::string> modes;
  /** Frames of the input that are used; -1: all. */
  int frames = -1;
  /** MOTChallenge file; empty: none. */
  std::string truth;
  /** Where the reports go; empty: nowhere, "-": standard output (JSON only). */
  std::string json;
  std::string html;
  int repeats = 3;
  int skipInterval = 3;
  /** Unset: the model's own. */
  std::optional<double> minScore;
  std::optional<double> sureScore;
  /** The whole-frame modes `single` and `roundrobin` run on every so many frames. */
  int sample = 1;
  /** Beyond what the modes set. */
  std::vector<OffloadProperty> offload;
  /** Frames a second that come at most; 0: as fast as they are done with. */
  double fps = 0;
  std::optional<Live> live;
  /** Size of the frames as a share of the input's, along one side. */
  double scale = 1;
};

/** What --help or --version asks to be printed instead of a run. */
struct Printout {
  std::string text;
};

struct Command {
  std::optional<Printout> printout;
  Options options;
};

/**
 * Reads a command line. Throws elf::Error naming the option for anything that is wrong: the program
 * then ends with exit code 2. After gst_init().
 */
Command parseCommandLine(int argc, char** argv);

}  // namespace elf::bench
