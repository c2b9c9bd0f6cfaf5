// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/bench/options.h"

#include <glib.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <sstream>

#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "gst/bench/modes.h"

namespace elf::bench {

namespace {

constexpr int kUnset = std::numeric_limits<int>::min();

std::vector<std::string> parseModes(const std::string& list, bool live) {
  const std::vector<std::string>& known = modeNames();
  std::vector<std::string> modes;
  std::istringstream names(list);
  for (std::string name; std::getline(names, name, ',');) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      std::string all;
      for (const std::string& mode : known) all += (all.empty() ? "" : ", ") + mode;
      throw Error("--modes", "no mode is called '" + name + "', there are " + all);
    }
    if (std::find(modes.begin(), modes.end(), name) != modes.end())
      throw Error("--modes", "'" + name + "' is named twice");
    if (onlyLive(name) && !live)
      throw Error("--modes", name + " needs --live (it holds boxes while new frames are captured)");
    modes.push_back(name);
  }
  if (modes.empty()) throw Error("--modes", "names no mode");
  return modes;
}

std::vector<std::string> allModes(bool live) {
  std::vector<std::string> modes = modeNames();
  if (!live) std::erase_if(modes, onlyLive);
  return modes;
}

void require(bool holds, const char* option, const std::string& reason) {
  if (!holds) throw Error(option, reason);
}

/** The texts that GOption writes. Owns them. */
struct RawTexts {
  char* input = nullptr;
  char* model = nullptr;
  char* reference = nullptr;
  char* modes = nullptr;
  char* truth = nullptr;
  char* json = nullptr;
  char* html = nullptr;
  char* offload = nullptr;
  char* grid = nullptr;

  RawTexts() = default;
  RawTexts(const RawTexts&) = delete;
  RawTexts& operator=(const RawTexts&) = delete;
  ~RawTexts() {
    for (char* text : {input, model, reference, modes, truth, json, html, offload, grid})
      g_free(text);
  }
};

/** The numbers that it writes. */
struct Raw {
  int servers = 2;
  int frames = -1;
  int repeats = 3;
  int skipInterval = 3;
  int sample = 1;
  double minScore = std::numeric_limits<double>::quiet_NaN();
  double sureScore = std::numeric_limits<double>::quiet_NaN();
  double scale = 1;
  double fps = 0;
  double live = std::numeric_limits<double>::quiet_NaN();
  int deadline = kUnset;
  gboolean help = FALSE;
  gboolean version = FALSE;
};

Size parseGrid(const std::string& text) {
  constexpr int kMostCells = 16;
  Size grid;
  int end = 0;
  const int numbers = std::sscanf(text.c_str(), "%2dx%2d%n", &grid.width, &grid.height, &end);
  if (numbers != 2 || static_cast<std::size_t>(end) != text.size() || grid.empty() ||
      grid.width > kMostCells || grid.height > kMostCells)
    throw Error("--grid", "'" + text + "' is not COLUMNSxROWS of up to 16x16 (for example 2x2)");
  return grid;
}

std::string textOr(const char* text, const char* otherwise) {
  return text ? text : otherwise;
}

}  // namespace

Command parseCommandLine(int argc, char** argv) {
  RawTexts texts;
  Raw raw;
  const GOptionEntry entries[] = {
      {"input", 'i', 0, G_OPTION_ARG_FILENAME, &texts.input,
       "A video, a folder of images, or a pattern of images (frames/%06d.png)", "PATH"},
      {"model", 'm', 0, G_OPTION_ARG_STRING, &texts.model, "Name or file of the model (hog)",
       "NAME"},
      {"reference", 0, 0, G_OPTION_ARG_STRING, &texts.reference,
       "Compare with this model instead, for example the same network at a larger size", "NAME"},
      {"servers", 'n', 0, G_OPTION_ARG_INT, &raw.servers, "Local servers, each with one thread (2)",
       "N"},
      {"modes", 0, 0, G_OPTION_ARG_STRING, &texts.modes,
       "Out of single, roundrobin, skip, grid, strips, elf, pipelined, oracle, and with --live "
       "naive (all)",
       "MODE,..."},
      {"frames", 'f', 0, G_OPTION_ARG_INT, &raw.frames, "Use the first N frames; -1 is all (-1)",
       "N"},
      {"truth", 0, 0, G_OPTION_ARG_FILENAME, &texts.truth, "Truth in MOTChallenge text", "FILE"},
      {"json", 0, 0, G_OPTION_ARG_FILENAME, &texts.json,
       "Write all figures as JSON; - is standard output", "FILE"},
      {"html", 0, 0, G_OPTION_ARG_FILENAME, &texts.html, "Write a page with plots", "FILE"},
      {"repeats", 0, 0, G_OPTION_ARG_INT, &raw.repeats, "Runs of each mode; the worst counts (3)",
       "N"},
      {"skip-interval", 0, 0, G_OPTION_ARG_INT, &raw.skipInterval,
       "Mode skip infers every N-th frame (3)", "N"},
      {"grid", 0, 0, G_OPTION_ARG_STRING, &texts.grid,
       "Cells of mode grid, for example 2x2 (one for each server)", "COLUMNSxROWS"},
      {"min-score", 0, 0, G_OPTION_ARG_DOUBLE, &raw.minScore,
       "Detections below are not looked at (the model's)", "S"},
      {"sure-score", 0, 0, G_OPTION_ARG_DOUBLE, &raw.sureScore,
       "From this score on a detection must be found again (the model's)", "S"},
      {"sample", 0, 0, G_OPTION_ARG_INT, &raw.sample,
       "Run single and roundrobin on every N-th frame only (1)", "N"},
      {"scale", 0, 0, G_OPTION_ARG_DOUBLE, &raw.scale, "Resize the input by this factor (1)", "F"},
      {"offload", 0, 0, G_OPTION_ARG_STRING, &texts.offload,
       "Set these properties of elfoffload in each mode (none)", "\"NAME=VALUE ...\""},
      {"fps", 0, 0, G_OPTION_ARG_DOUBLE, &raw.fps,
       "Let no more frames come in a second (as fast as they are done with)", "F"},
      {"live", 0, 0, G_OPTION_ARG_DOUBLE, &raw.live,
       "Play the input by the clock, FPS frames a second", "FPS"},
      {"deadline", 0, 0, G_OPTION_ARG_INT, &raw.deadline,
       "Show a live frame MS milliseconds after its capture (200)", "MS"},
      {"version", 0, 0, G_OPTION_ARG_NONE, &raw.version, "Print the version", nullptr},
      {"help", 'h', 0, G_OPTION_ARG_NONE, &raw.help, "Print this help", nullptr},
      {}};
  const Ref<GOptionContext> context(
      g_option_context_new("- compare ways to run a model on a video, side by side"));
  // --help is our own option, so that it returns here instead of ending the process.
  g_option_context_set_help_enabled(context.get(), FALSE);
  g_option_context_add_main_entries(context.get(), entries, nullptr);
  GError* failure = nullptr;
  if (!g_option_context_parse(context.get(), &argc, &argv, &failure))
    throw Error("command line", takeReason(failure));
  Command command;
  if (raw.help) {
    command.printout = Printout{takeText(g_option_context_get_help(context.get(), TRUE, nullptr))};
    return command;
  }
  if (raw.version) {
    command.printout = Printout{"elf-bench " ELF_VERSION "\n"};
    return command;
  }
  if (argc > 1) throw Error(argv[1], "is not an option (see --help)");

  Options& options = command.options;
  options.input = textOr(texts.input, "");
  options.model = textOr(texts.model, "hog");
  options.reference = textOr(texts.reference, "");
  options.truth = textOr(texts.truth, "");
  options.json = textOr(texts.json, "");
  options.html = textOr(texts.html, "");
  if (!std::isnan(raw.live)) {
    options.live = Live{.fps = raw.live};
    if (raw.deadline != kUnset) options.live->deadlineMs = raw.deadline;
  }
  options.modes = texts.modes ? parseModes(texts.modes, options.live.has_value())
                              : allModes(options.live.has_value());
  options.servers = raw.servers;
  options.frames = raw.frames;
  options.repeats = raw.repeats;
  options.skipInterval = raw.skipInterval;
  if (texts.grid) options.grid = parseGrid(texts.grid);
  options.sample = raw.sample;
  options.scale = raw.scale;
  options.fps = raw.fps;
  if (texts.offload) options.offload = parseOffloadProperties(texts.offload);
  if (!std::isnan(raw.minScore)) options.minScore = raw.minScore;
  if (!std::isnan(raw.sureScore)) options.sureScore = raw.sureScore;

  require(!options.input.empty(), "--input", "is missing: name a video, a folder or a pattern");
  require(!options.model.empty(), "--model", "is empty");
  require(options.servers >= 1 && options.servers <= 64, "--servers", "must be within 1..64");
  require(options.frames > 0 || options.frames == -1, "--frames", "is neither above 0 nor -1, all");
  require(options.repeats >= 1, "--repeats", "must be at least 1");
  require(options.skipInterval >= 1, "--skip-interval", "must be at least 1");
  require(options.sample >= 1, "--sample", "must be at least 1");
  require(options.scale > 0 && options.scale <= 8, "--scale", "must be above 0 and at most 8");
  require(options.fps == 0 || (options.fps >= 0.1 && options.fps <= 1000), "--fps",
          "must be within 0.1..1000");
  if (options.live) {
    const Live& live = *options.live;
    require(live.fps >= 0.1 && live.fps <= 1000, "--live", "must be within 0.1..1000");
    require(live.deadlineMs >= 1, "--deadline", "must be at least 1");
    require(options.fps == 0, "--live", "goes without --fps (--live FPS is the rate)");
    require(options.sample == 1, "--live", "goes without --sample (every frame is captured)");
  }
  require(options.live || raw.deadline == kUnset, "--deadline",
          "needs --live (other runs have no deadline)");
  require(!texts.reference || !options.reference.empty(), "--reference", "is empty");
  require(!texts.truth || !options.truth.empty(), "--truth", "is empty");
  require(!texts.json || !options.json.empty(), "--json", "is empty");
  require(!texts.html || !options.html.empty(), "--html", "is empty");
  return command;
}

}  // namespace elf::bench
