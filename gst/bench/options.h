// SPDX-License-Identifier: LGPL-2.1-or-later
// The options of elf-bench.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "elf/geometry/box.h"
#include "gst/bench/offload_properties.h"

namespace elf::bench {

/** The input is played in real time. */
struct Live {
  double fps = 0;
  /** The time from a frame's capture until it is shown. */
  int deadlineMs = 200;
};

struct Options {
  /** A video file, a folder of images, or a pattern of image files such as `frames/%06d.png`. */
  std::string input;
  /** Name or path of a `.model` file. */
  std::string model = "hog";
  /** The model that the modes are compared with. Empty: the same. */
  std::string reference;
  int servers = 2;
  /** Names from modeNames(), in the order of the report. */
  std::vector<std::string> modes;
  /** The number of input frames to use. -1: all. */
  int frames = -1;
  /** MOTChallenge file. Empty: none. */
  std::string truth;
  /** The files of the reports. Empty: none, "-": standard output (JSON only). */
  std::string json;
  std::string html;
  int repeats = 3;
  int skipInterval = 3;
  /** Columns and rows of the mode `grid`. Empty: a cell for each server. */
  Size grid;
  /** Unset: the model's own. */
  std::optional<double> minScore;
  std::optional<double> sureScore;
  /** The whole-frame modes `single` and `roundrobin` run on every Nth frame. */
  int sample = 1;
  /** In addition to those that the modes set. */
  std::vector<OffloadProperty> offload;
  /** The maximum rate of frames per second. 0: no limit. */
  double fps = 0;
  std::optional<Live> live;
  /** Size of the frames as a share of the input's, along one side. */
  double scale = 1;
};

/** The text that --help or --version prints instead of a run. */
struct Printout {
  std::string text;
};

struct Command {
  std::optional<Printout> printout;
  Options options;
};

/**
 * Reads a command line. Throws elf::Error naming the wrong option. The program then ends with exit
 * code 2. Call it after gst_init().
 */
Command parseCommandLine(int argc, char** argv);

}  // namespace elf::bench
