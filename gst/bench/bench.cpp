// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/bench/bench.h"

#include <algorithm>
#include <ctime>
#include <thread>

#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/model/model_file.h"
#include "elf/server/local_server.h"
#include "gst/bench/input.h"
#include "gst/bench/measuring.h"
#include "gst/bench/modes.h"
#include "gst/bench/reference.h"

namespace elf::bench {

namespace {

/** Modes take turns after this many frames, so that a slow moment of the machine affects all. */
constexpr std::size_t kBlock = 20;

std::string now() {
  const std::time_t time = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&time, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

std::string gstreamerVersion() {
  return takeText(gst_version_string());
}

int cores() {
  return static_cast<int>(std::thread::hardware_concurrency());
}

/** New servers with one thread each, each on its own core if there are enough cores. */
std::vector<LocalServer> startServers(const Options& options) {
  std::vector<LocalServer> servers;
  for (int i = 0; i < options.servers; ++i) {
    LocalServerOptions server;
    server.arguments = {"--model", options.model, "--threads", "1"};
    if (options.servers <= cores()) server.core = i;
    servers.emplace_back(server);
  }
  return servers;
}

/** One live repeat: the modes run in sequence, each with its own stream. In the order of
 * `modes`. */
std::vector<RepeatFigures> runLiveRepeat(const std::vector<Mode>& modes, const Input& input,
                                         const Yardstick& yardstick, const Progress& progress) {
  std::vector<RepeatFigures> figures;
  for (const Mode& mode : modes) {
    ModeRun run(mode, input, yardstick.reference, yardstick.minScore);
    run.run(0, input.frames.size());
    figures.push_back(measure(run.results(), run.seconds(), yardstick));
    figures.back().live = measureLive(run.results(), *mode.live, mode.holdsBoxes, yardstick);
    progress(figures.size() * input.frames.size());
  }
  return figures;
}

/** One repeat: all modes on all frames, in blocks. In the order of `modes`. */
std::vector<RepeatFigures> runRepeat(const std::vector<Mode>& modes, const Input& input,
                                     const Yardstick& yardstick, const Progress& progress) {
  std::vector<std::unique_ptr<ModeRun>> runs;
  for (const Mode& mode : modes)
    runs.push_back(std::make_unique<ModeRun>(mode, input, yardstick.reference, yardstick.minScore));
  const std::size_t count = input.frames.size();
  std::size_t done = 0;
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t end = std::min(count, begin + kBlock);
    for (std::size_t turn = 0; turn < runs.size(); ++turn) {
      runs[(begin / kBlock + turn) % runs.size()]->run(begin, end);
      progress(done += end - begin);
    }
  }
  std::vector<RepeatFigures> figures;
  const RepeatFigures* single = nullptr;
  figures.reserve(runs.size());
  for (const auto& run : runs) {
    figures.push_back(measure(run->results(), run->seconds(), yardstick));
    if (run->mode().name == "single") single = &figures.back();
  }
  if (single)
    for (std::size_t i = 0; i < figures.size(); ++i)
      compare(figures[i], *single, modes[i].interval > 1);
  return figures;
}

}  // namespace

Report runBench(const Options& options, const StepProgress& progress, const DataWarning& warn) {
  const ModelFile model = loadModelFile(options.model);
  const ModelFile judge = options.reference.empty() ? model : loadModelFile(options.reference);
  // Their names may be spelled in another way.
  if (judge.rules.labels.size() != model.rules.labels.size())
    throw Error("--reference", judge.name + " has " + std::to_string(judge.rules.labels.size()) +
                                   " labels (it needs the " +
                                   std::to_string(model.rules.labels.size()) + " of " + model.name +
                                   ", in the same order)");
  std::vector<MotEntry> entries;
  if (!options.truth.empty()) entries = readMot(options.truth, warn);
  const double minScore = options.minScore.value_or(judge.rules.minScore);
  const double sureScore = options.sureScore.value_or(judge.rules.sureScore);
  if (minScore > sureScore) throw Error("--sure-score", "must not be below --min-score");

  const Input input =
      readInput(options.input, options.frames, options.scale, [&](std::size_t count) {
        progress("decoding", options.frames > 0 ? static_cast<double>(count) / options.frames : 0);
      });
  const std::size_t count = input.frames.size();
  const FrameDetections reference = inferReference(judge, input, [&](std::size_t done) {
    progress("reference", static_cast<double>(done) / static_cast<double>(count));
  });
  Yardstick yardstick{reference, nullptr, static_cast<float>(minScore),
                      static_cast<float>(sureScore)};
  Truth truth;
  if (!options.truth.empty()) {
    truth = makeTruth(entries, count, input.size(), input.sourceSize, model.rules);
    yardstick.truth = &truth;
  }

  const std::vector<LocalServer> servers = startServers(options);
  std::vector<std::string> urls;
  for (const LocalServer& server : servers) urls.push_back(server.url());
  std::vector<Mode> modes;
  for (const std::string& name : options.modes)
    modes.push_back(makeMode(name, options, model.name, urls));

  Report report;
  report.version = ELF_VERSION;
  report.gstreamerVersion = gstreamerVersion();
  report.date = now();
  report.cpus = cores();
  report.pinned = options.servers <= cores();
  report.frameSize = input.size();
  report.format = gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(&input.info));
  report.frames = count;
  report.minScore = yardstick.minScore;
  report.sureScore = yardstick.sureScore;
  report.referenceBoxesPerFrame = boxesPerFrame(reference, yardstick.minScore);
  if (yardstick.truth) report.referenceTruth = judgeReference(yardstick);
  for (const Mode& mode : modes) {
    ModeFigures figures;
    figures.name = mode.name;
    figures.launch = mode.launch;
    figures.sample = mode.sample;
    figures.speedupByMean = mode.interval > 1 && !mode.live;
    report.modes.push_back(std::move(figures));
  }
  const auto run = options.live ? runLiveRepeat : runRepeat;
  for (int repeat = 0; repeat < options.repeats; ++repeat) {
    auto figures = run(modes, input, yardstick, [&](std::size_t done) {
      const double all = static_cast<double>(count * modes.size());
      progress("repeat " + std::to_string(repeat + 1), static_cast<double>(done) / all);
    });
    for (std::size_t i = 0; i < figures.size(); ++i)
      report.modes[i].repeats.push_back(std::move(figures[i]));
  }
  for (ModeFigures& mode : report.modes) {
    mode.frames = options.live ? count : mode.repeats.front().latencies.size();
    takeWorst(mode);
  }
  return report;
}

}  // namespace elf::bench
