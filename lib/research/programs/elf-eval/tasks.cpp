// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/programs/elf-eval/tasks.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <sstream>

#include "elf/base/glib.h"
#include "elf/base/output_file.h"
#include "programs/options.h"

namespace elf::program {

namespace {

gboolean printVersion(const gchar*, const gchar*, gpointer, GError**) {
  std::cout << "elf-eval " << ELF_VERSION << std::endl;
  std::exit(0);
}

}  // namespace

CommonOptions parseCommandLine(int argc, char** argv, const char* purpose,
                               std::vector<GOptionEntry> own, FramesUse framesUse) {
  CommonOptions common;
  Text data, format, frameSize, json, render, frames;
  const std::string formatHelp =
      "One of " + namesOf(traceFormatChoices()) + " (default: recognised)";
  const GOptionEntry shared[] = {
      {"data", 'd', 0, G_OPTION_ARG_FILENAME, data.slot(), "Data set of box traces", "DIR"},
      {"format", 0, 0, G_OPTION_ARG_STRING, format.slot(), formatHelp.c_str(), "NAME"},
      {"frame-size", 0, 0, G_OPTION_ARG_STRING, frameSize.slot(),
       "Size of the frames, where the data do not tell", "WxH"},
      {"json", 0, 0, G_OPTION_ARG_FILENAME, json.slot(),
       "Write the figures as JSON; - is standard output", "FILE"},
      {"render", 0, 0, G_OPTION_ARG_FILENAME, render.slot(), "Write pictures of frames", "DIR"},
      {"render-count", 0, 0, G_OPTION_ARG_INT, &common.renderCount,
       "At most N pictures, evenly spread (default: 20)", "N"},
      {"frames", 0, 0, G_OPTION_ARG_FILENAME, frames.slot(),
       framesUse == FramesUse::DrawnOn
           ? "Pictures of the videos to draw on (default: a blank canvas)"
           : "Pictures of the videos, to see changes in and to draw on (default: none)",
       "DIR"},
      {"version", 0, G_OPTION_FLAG_NO_ARG, G_OPTION_ARG_CALLBACK,
       reinterpret_cast<gpointer>(printVersion), "Print the version, and end", nullptr},
      {nullptr, 0, 0, G_OPTION_ARG_NONE, nullptr, nullptr, nullptr}};
  own.insert(own.end(), std::begin(shared), std::end(shared));
  const elf::Ref<GOptionContext> context(g_option_context_new(purpose));
  g_option_context_add_main_entries(context.get(), own.data(), nullptr);
  GError* error = nullptr;
  const bool parsed = g_option_context_parse(context.get(), &argc, &argv, &error);
  if (!parsed) throw WrongUse(takeReason(error));
  if (argc > 1) throw WrongUse(std::string("unexpected argument '") + argv[1] + "'");
  common.data = data.valueOr("");
  common.traces.format = format.valueOr("");
  common.jsonFile = json.valueOr("");
  common.render = render.valueOr("");
  common.frames = frames.valueOr("");
  if (const std::string size = frameSize.valueOr(""); !size.empty()) {
    const auto parsedSize = parseSize(size);
    if (!parsedSize) throw WrongUse("--frame-size: '" + size + "' is not a size such as 1242x375");
    common.traces.frameSize = *parsedSize;
  }
  common.traces.warn = [](const std::string& text) {
    std::cerr << "elf-eval: warning: " << text << '\n';
  };
  if (common.data.empty()) throw WrongUse("--data: is missing");
  if (!common.traces.format.empty())
    requireChoice("--format", common.traces.format, traceFormatChoices());
  if (common.renderCount < 1) throw WrongUse("--render-count: is not above 0");
  if (framesUse == FramesUse::DrawnOn && common.render.empty() && !common.frames.empty())
    throw WrongUse("--frames: needs --render");
  requireWritable(common.jsonFile);
  return common;
}

std::string helpOn(std::span<const Choice> choices) {
  return "One of " + namesOf(choices) + " (default: " + choices.front().name + ")";
}

void requireChoice(const char* option, const std::string& value, std::span<const Choice> choices) {
  if (!isOneOf(value, choices))
    throw WrongUse(std::string(option) + ": unknown name '" + value +
                   "', there are: " + namesOf(choices));
}

void requireWithin(const char* option, double value, double least, double most) {
  if (std::isfinite(value) && value >= least && value <= most) return;
  std::ostringstream why;
  why << option << ": is not between " << least << " and " << most;
  throw WrongUse(why.str());
}

std::vector<double> parseSpeeds(const std::string& list, int servers) {
  constexpr int kMostServers = 64;
  requireWithin("--servers", servers, 1, kMostServers);
  const auto count = static_cast<std::size_t>(servers);
  if (list.empty()) return std::vector<double>(count, 1.0);
  std::vector<double> speeds;
  const char* at = list.data();
  const char* const end = at + list.size();
  while (true) {
    double speed = 0;
    const auto read = std::from_chars(at, end, speed);
    if (read.ec != std::errc{} || (read.ptr != end && *read.ptr != ','))
      throw WrongUse("--speeds: '" + list + "' are not speeds such as 1,0.5");
    requireWithin("--speeds", speed, 0.001, 1000);
    speeds.push_back(speed);
    if (read.ptr == end) break;
    at = read.ptr + 1;
  }
  if (speeds.size() != count)
    throw WrongUse("--speeds: names " + std::to_string(speeds.size()) + " of " +
                   std::to_string(servers) + " servers");
  return speeds;
}

Pictures::Pictures(const CommonOptions& options, std::span<const Trace> traces) {
  if (options.render.empty()) return;
  std::size_t frames = 0;
  for (const Trace& trace : traces) frames += trace.frames.size();
  const auto count = static_cast<std::size_t>(options.renderCount);
  writer_.emplace(eval::SceneWriterOptions{options.render, options.frames,
                                           std::max<std::size_t>(1, (frames + count - 1) / count)});
}

eval::Watcher Pictures::watcher() {
  if (!writer_) return {};
  return [this](const eval::Scene& scene) { writer_->write(scene); };
}

void report(const CommonOptions& options, const Json& result, void (*print)(const Json& result)) {
  if (options.jsonFile != "-") print(result);
  if (!options.jsonFile.empty()) writeFile(options.jsonFile, result.dump(2) + '\n');
}

}  // namespace elf::program
