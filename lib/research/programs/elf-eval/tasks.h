// SPDX-License-Identifier: LGPL-2.1-or-later
// The tasks of elf-eval, and their shared code.
#pragma once

#include <glib.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "elf/base/choice.h"
#include "research/data/traces.h"
#include "research/eval/scene.h"
#include "research/eval/scene_picture.h"

namespace elf::program {

using Json = nlohmann::ordered_json;

/** The command line can't be used. what() begins with the option. */
class WrongUse : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/**
 * A task evaluates and reports. `argv` begins with the program's name, without the task. Throws
 * WrongUse before anything is read, and elf::Error on failure.
 */
using Task = void(int argc, char** argv);
Task runRp;
Task runPartition;
Task runSimulate;

/** The options of every task. */
struct CommonOptions {
  std::string data;
  TraceOptions traces;
  std::string jsonFile;
  std::string render;
  std::string frames;
  int renderCount = 20;
};

/** The use of the videos' pictures. */
enum class FramesUse { DrawnOn, LookedAt };

/**
 * Reads a command line with a task's own options and the common ones. Sets the variables of `own`.
 * Ends the program for --help and --version. Throws WrongUse, and elf::Error if the JSON can't be
 * written.
 */
CommonOptions parseCommandLine(int argc, char** argv, const char* purpose,
                               std::vector<GOptionEntry> own,
                               FramesUse framesUse = FramesUse::DrawnOn);

/**
 * The speeds of `servers` servers. `list` is "1,0.5", or empty if all have speed 1. Throws WrongUse
 * naming --servers or --speeds.
 */
std::vector<double> parseSpeeds(const std::string& list, int servers);

/** The --help text of an option that takes one of the choices, by default the first. */
std::string helpOn(std::span<const Choice> choices);

/** Throws WrongUse naming the option if the value is not one of the choices. */
void requireChoice(const char* option, const std::string& value, std::span<const Choice> choices);
/** The same for a value outside the range, or NaN. */
void requireWithin(const char* option, double value, double least, double most);

/** The pictures that a task draws, if requested. */
class Pictures {
 public:
  /** Throws elf::Error as SceneWriter does. `traces` will be evaluated. */
  Pictures(const CommonOptions& options, std::span<const Trace> traces);

  /** Draws. Empty if nothing must be drawn. Lives as long as this object. */
  eval::Watcher watcher();

 private:
  std::optional<eval::SceneWriter> writer_;
};

/** Writes the result as JSON if requested, and calls `print` unless that is on standard output. */
void report(const CommonOptions& options, const Json& result, void (*print)(const Json& result));

}  // namespace elf::program
