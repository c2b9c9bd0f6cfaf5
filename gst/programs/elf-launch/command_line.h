// SPDX-License-Identifier: LGPL-2.1-or-later
// The options of elf-launch, from its command line and its configuration file.
#pragma once

#include <glib.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace elf::program {

struct Options {
  bool list = false;
  bool quiet = false;
  bool version = false;
  /** Frames after which the stream ends. Negative: never. */
  gint64 frames = -1;
  /** Seconds for which a source that is lost is started again. 0: not; negative: for ever. */
  gint64 retry = -1;
  /** "-" is standard output. Empty: no summary. */
  std::string json;
  /** Of the pipeline. */
  std::string name;
  /** VARIABLE=VALUE; the last one for a variable counts. */
  std::vector<std::string> assignments;
};

/** The command line is wrong. */
class WrongUse : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/**
 * Parses the command line, and the file that --config names. What the command line gives replaces
 * that of the file. Throws WrongUse, or elf::Error that names the file and the key. Initializes
 * GStreamer. `--help` prints the options and ends the process.
 */
Options parseOptions(int argc, char** argv);

}  // namespace elf::program
