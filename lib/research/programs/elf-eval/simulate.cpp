// SPDX-License-Identifier: LGPL-2.1-or-later
// elf-eval simulate: reports how fast and how exact whole streams are, without a network.
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "elf/base/printable.h"
#include "elf/model/model_file.h"
#include "elf/partition/partitioner.h"
#include "elf/predict/predictor.h"
#include "programs/options.h"
#include "research/eval/simulation.h"
#include "research/programs/elf-eval/tasks.h"

namespace elf::program {

namespace {

constexpr double kMilliseconds = 1e3;
constexpr double kMegabit = 1e6;
constexpr int kMostFrames = 100000;
/** Not given: the model's value counts. */
constexpr gint kModels = std::numeric_limits<gint>::min();

struct Options {
  CommonOptions common;
  std::string predictor;
  /** Empty: not resized. */
  Size resize;
  eval::SimulationOptions simulation;
};

Options parse(int argc, char** argv) {
  Options options;
  eval::SimulationOptions& simulation = options.simulation;
  FramePlanner::Settings& planner = simulation.planner;
  simulation.miss = 0.1;
  simulation.jitter = 2;
  Text predictor, partitioner, model, speeds, resize;
  gint servers = 2;
  gint objectSize = kModels;
  gboolean noScale = FALSE;
  double frameMs = simulation.frameSeconds * kMilliseconds;
  double requestMs = simulation.requestSeconds * kMilliseconds;
  double megabits = simulation.bitsPerSecond / kMegabit;
  gint64 seed = static_cast<gint64>(simulation.seed);
  const std::string predictorHelp = helpOn(predictorChoices());
  const std::string partitionerHelp = helpOn(partitionerChoices());
  const std::vector<GOptionEntry> entries = {
      {"servers", 'n', 0, G_OPTION_ARG_INT, &servers, "How many there are (default: 2)", "N"},
      {"speeds", 0, 0, G_OPTION_ARG_STRING, speeds.slot(), "Of each server (default: 1 for each)",
       "S,..."},
      {"frame-ms", 0, 0, G_OPTION_ARG_DOUBLE, &frameMs,
       "Inference of a whole frame at speed 1 (default: 300)", "MS"},
      {"request-ms", 0, 0, G_OPTION_ARG_DOUBLE, &requestMs,
       "What each part takes besides (default: 5)", "MS"},
      {"mbit", 0, 0, G_OPTION_ARG_DOUBLE, &megabits,
       "Megabits per second of each server's link (default: 80)", "N"},
      {"bytes-per-pixel", 0, 0, G_OPTION_ARG_DOUBLE, &simulation.bytesPerPixel,
       "Of an encoded part (default: 0.25)", "BYTES"},
      {"resize", 0, 0, G_OPTION_ARG_STRING, resize.slot(),
       "Scale videos to frames of this size (default: as they are)", "WxH"},
      {"predictor", 'p', 0, G_OPTION_ARG_STRING, predictor.slot(), predictorHelp.c_str(), "NAME"},
      {"coverage", 0, 0, G_OPTION_ARG_DOUBLE, &simulation.coverage,
       "Share of objects wanted whole in their padded box (default: 0.98)", "SHARE"},
      {"coast-frames", 0, 0, G_OPTION_ARG_INT, &simulation.history.coastFrames,
       "Frames that an object may be missed before it is given up (default: 10)", "N"},
      {"partitioner", 0, 0, G_OPTION_ARG_STRING, partitioner.slot(), partitionerHelp.c_str(),
       "NAME"},
      {"model", 'm', 0, G_OPTION_ARG_STRING, model.slot(),
       "For whose rules parts are made, a .model file (default: none in particular)", "NAME"},
      {"object-size", 0, 0, G_OPTION_ARG_INT, &objectSize,
       "Height of the smallest object that the detector finds, for which parts with larger ones "
       "are scaled down; 0: any (default: the model's, or 0)",
       "PIXELS"},
      {"no-scale", 0, 0, G_OPTION_ARG_NONE, &noScale,
       "Do not scale parts for what --object-size says", nullptr},
      {"scan-interval", 0, 0, G_OPTION_ARG_INT, &planner.discovery.scanInterval,
       "Every place is looked at every N frames; 0: not (default: 40)", "N"},
      {"change-threshold", 0, 0, G_OPTION_ARG_INT, &planner.discovery.changeThreshold,
       "Grey levels of a change that is looked at; 0: none, needs --frames (default: 10)",
       "LEVELS"},
      {"lrc-interval", 0, 0, G_OPTION_ARG_INT, &planner.lrcInterval,
       "The whole frame, scaled down, every N frames; 0: not (default: 0)", "N"},
      {"lrc-ratio", 0, 0, G_OPTION_ARG_DOUBLE, &planner.lrcRatio,
       "Scale of that frame (default: 0.4)", "SCALE"},
      {"miss", 0, 0, G_OPTION_ARG_DOUBLE, &simulation.miss,
       "Share of boxes that are not detected (default: 0.1)", "SHARE"},
      {"jitter", 0, 0, G_OPTION_ARG_DOUBLE, &simulation.jitter,
       "Standard deviation of each side of a detected box (default: 2)", "PIXELS"},
      {"seed", 0, 0, G_OPTION_ARG_INT64, &seed, "Of the random numbers (default: 1)", "N"}};
  options.common = parseCommandLine(
      argc, argv, "- say how fast and how exact whole streams are, without a network", entries,
      FramesUse::LookedAt);
  options.predictor = predictor.valueOr(predictorChoices().front().name);
  simulation.partitioner = partitioner.valueOr(partitionerChoices().front().name);
  requireChoice("--predictor", options.predictor, predictorChoices());
  requireChoice("--partitioner", simulation.partitioner, partitionerChoices());
  simulation.speeds = parseSpeeds(speeds.valueOr(""), servers);
  requireWithin("--frame-ms", frameMs, 0.001, 1e6);
  requireWithin("--request-ms", requestMs, 0, 1e6);
  requireWithin("--mbit", megabits, 0.001, 1e6);
  requireWithin("--bytes-per-pixel", simulation.bytesPerPixel, 0, 4);
  requireWithin("--coverage", simulation.coverage, PaddingCalibrator::kLeastCoverage,
                PaddingCalibrator::kMostCoverage);
  requireWithin("--coast-frames", simulation.history.coastFrames, 0, kMostFrames);
  if (const std::string name = model.valueOr(""); !name.empty())
    simulation.rules = loadModelFile(name).rules;
  if (objectSize != kModels) simulation.rules.objectSize = objectSize;
  requireWithin("--object-size", simulation.rules.objectSize, 0, kMaxPixels);
  requireWithin("--scan-interval", planner.discovery.scanInterval, 0, kMostFrames);
  requireWithin("--change-threshold", planner.discovery.changeThreshold, 0, 255);
  requireWithin("--lrc-interval", planner.lrcInterval, 0, kMostFrames);
  requireWithin("--lrc-ratio", planner.lrcRatio, 0.01, 1);
  requireWithin("--miss", simulation.miss, 0, 1);
  requireWithin("--jitter", simulation.jitter, 0, 1000);
  if (const std::string size = resize.valueOr(""); !size.empty()) {
    const std::optional<Size> parsed = parseSize(size);
    if (!parsed || std::max(parsed->width, parsed->height) > kMaxPixels)
      throw WrongUse("--resize: '" + size + "' is not a size such as 2560x1920");
    options.resize = *parsed;
  }
  planner.scale = !noScale;
  simulation.frameSeconds = frameMs / kMilliseconds;
  simulation.requestSeconds = requestMs / kMilliseconds;
  simulation.bitsPerSecond = megabits * kMegabit;
  simulation.seed = static_cast<std::uint64_t>(seed);
  return options;
}

Json toJson(const eval::Figures& figures) {
  return {{"precision", figures.precision}, {"recall", figures.recall}, {"f1", figures.f1}};
}

Json toJson(const Options& options, const eval::SimulationFigures& figures) {
  const eval::SimulationOptions& simulation = options.simulation;
  const FramePlanner::Settings& planner = simulation.planner;
  return {{"predictor", options.predictor},
          {"coverage", simulation.coverage},
          {"coast_frames", simulation.history.coastFrames},
          {"partitioner", simulation.partitioner},
          {"object_size", simulation.rules.objectSize},
          {"scale", planner.scale},
          {"scan_interval", planner.discovery.scanInterval},
          {"change_threshold", simulation.pictures ? planner.discovery.changeThreshold : 0},
          {"lrc", {{"interval", planner.lrcInterval}, {"ratio", planner.lrcRatio}}},
          {"speeds", simulation.speeds},
          {"frame_ms", simulation.frameSeconds * kMilliseconds},
          {"request_ms", simulation.requestSeconds * kMilliseconds},
          {"mbit", simulation.bitsPerSecond / kMegabit},
          {"bytes_per_pixel", simulation.bytesPerPixel},
          {"miss", simulation.miss},
          {"jitter", simulation.jitter},
          {"seed", simulation.seed},
          {"frames", figures.frames},
          {"objects", figures.objects},
          {"latency_ms",
           {{"mean", figures.latencyMs.mean},
            {"p50", figures.latencyMs.p50},
            {"p95", figures.latencyMs.p95},
            {"whole", figures.wholeLatencyMs}}},
          {"speedup", figures.speedup},
          {"bytes", {{"mean", figures.bytes}, {"whole", figures.wholeBytes}}},
          {"pixels", {{"mean", figures.pixels}, {"discovery", figures.discoveryPixels}}},
          {"accuracy", toJson(figures.accuracy)},
          {"accuracy_whole", toJson(figures.wholeAccuracy)},
          {"appeared",
           {{"objects", figures.appeared},
            {"never_found", figures.neverFound},
            {"delay", {{"mean", figures.delay.mean}, {"p95", figures.delay.p95}}}}}};
}

void print(const Json& result) {
  const auto text = [](const Json& figure, int decimals) {
    return formatNumber(figure.get<double>(), decimals);
  };
  const Json& latency = result["latency_ms"];
  const Json& bytes = result["bytes"];
  const Json& appeared = result["appeared"];
  const double saved = 1 - bytes["mean"].get<double>() / bytes["whole"].get<double>();
  std::cout << result["partitioner"].get<std::string>() << " on " << result["speeds"].size()
            << " servers, " << result["frames"] << " frames: " << text(latency["mean"], 1)
            << " ms a frame (95 % within " << text(latency["p95"], 1) << ") instead of "
            << text(latency["whole"], 1) << ", " << text(result["speedup"], 2) << " times faster\n"
            << text(bytes["mean"], 0) << " bytes a frame instead of " << text(bytes["whole"], 0)
            << ", " << formatNumber(100 * saved, 1) << " % saved; "
            << text(result["pixels"]["mean"], 3) << " of the pixels, "
            << text(result["pixels"]["discovery"], 3) << " of them for discovery\n"
            << "F1 " << text(result["accuracy"]["f1"], 3) << " (precision "
            << text(result["accuracy"]["precision"], 3) << ", recall "
            << text(result["accuracy"]["recall"], 3) << ") instead of "
            << text(result["accuracy_whole"]["f1"], 3) << '\n'
            << appeared["objects"] << " objects appeared, found or gone after "
            << text(appeared["delay"]["mean"], 2) << " frames (95 % within "
            << text(appeared["delay"]["p95"], 0) << "), " << appeared["never_found"] << " never\n";
}

}  // namespace

void runSimulate(int argc, char** argv) {
  Options options = parse(argc, argv);
  const CommonOptions& common = options.common;
  const std::unique_ptr<RpPredictor> predictor = RpPredictor::create(options.predictor);
  std::vector<Trace> traces = readTraces(common.data, common.traces);
  if (!options.resize.empty())
    for (Trace& trace : traces) scaleTo(options.resize, trace);
  std::optional<eval::FramePictures> frames;
  if (!common.frames.empty()) options.simulation.pictures = &frames.emplace(common.frames);
  Pictures pictures(common, traces);
  const eval::SimulationFigures figures =
      eval::simulate(traces, *predictor, options.simulation, pictures.watcher());
  Json result = {{"data", common.data}, {"traces", traces.size()}};
  result.update(toJson(options, figures));
  report(common, result, print);
}

}  // namespace elf::program
