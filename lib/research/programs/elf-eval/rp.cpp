// SPDX-License-Identifier: LGPL-2.1-or-later
// elf-eval rp: reports how good RP prediction is.
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "elf/base/choice.h"
#include "elf/base/printable.h"
#include "elf/predict/padding.h"
#include "elf/predict/predictor.h"
#include "programs/options.h"
#include "research/eval/online_protocol.h"
#include "research/eval/paper_protocol.h"
#include "research/programs/elf-eval/tasks.h"

namespace elf::program {

namespace {

constexpr int kMostHorizons = 100;
constexpr double kNotGiven = std::numeric_limits<double>::lowest();

struct Options {
  CommonOptions common;
  std::string predictor;
  std::string checkpoint;
  std::string protocol;
  eval::OnlineOptions online;
};

constexpr Choice kProtocols[] = {
    {"online", "Frame after frame, with what the pipeline would know"},
    {"paper", "The evaluation of the released code of Elf"},
};
constexpr Choice kPaddings[] = {
    {"calibrated", "What errors so far say is needed for a wanted coverage"},
    {"fixed", "A share of the box's size, and the predictor's own uncertainty"},
};

struct PadOptions {
  std::string kind;
  double coverage = kNotGiven;
  double ratio = kNotGiven;
  double minimum = kNotGiven;
  double deviations = kNotGiven;
};

/** Fills `online` from `pad`. */
void apply(const PadOptions& pad, eval::OnlineOptions& online) {
  requireChoice("--pad", pad.kind, kPaddings);
  const bool fixed = pad.kind == "fixed";
  if (fixed && pad.coverage != kNotGiven) throw WrongUse("--coverage: needs --pad calibrated");
  if (pad.coverage != kNotGiven) online.coverage = pad.coverage;
  requireWithin("--coverage", *online.coverage, PaddingCalibrator::kLeastCoverage,
                PaddingCalibrator::kMostCoverage);
  if (fixed) online.coverage.reset();
  const struct {
    const char* name;
    double given;
    double most;
    double& value;
  } fixedOptions[] = {{"--pad-ratio", pad.ratio, 100, online.padding.ratio},
                      {"--pad-minimum", pad.minimum, 10000, online.padding.minimum},
                      {"--pad-deviations", pad.deviations, 100, online.padding.deviations}};
  for (const auto& option : fixedOptions) {
    if (option.given == kNotGiven) continue;
    if (!fixed) throw WrongUse(std::string(option.name) + ": needs --pad fixed");
    requireWithin(option.name, option.given, 0, option.most);
    option.value = option.given;
  }
}

Options parse(int argc, char** argv) {
  Options options;
  eval::OnlineOptions& online = options.online;
  Text predictor, checkpoint, protocol, padKind;
  PadOptions pad;
  gint64 seed = static_cast<gint64>(online.seed);
  const std::string predictorHelp = helpOn(predictorChoices());
  const std::vector<GOptionEntry> entries = {
      {"predictor", 'p', 0, G_OPTION_ARG_STRING, predictor.slot(), predictorHelp.c_str(), "NAME"},
      {"checkpoint", 'c', 0, G_OPTION_ARG_FILENAME, checkpoint.slot(),
       "Weights of the predictor (default: its own)", "FILE"},
      {"protocol", 0, 0, G_OPTION_ARG_STRING, protocol.slot(), "online or paper (default: online)",
       "NAME"},
      {"miss", 0, 0, G_OPTION_ARG_DOUBLE, &online.miss,
       "online: share of boxes that are not detected (default: 0.1)", "SHARE"},
      {"jitter", 0, 0, G_OPTION_ARG_DOUBLE, &online.jitter,
       "online: standard deviation of each side of a detected box (default: 2)", "PIXELS"},
      {"seed", 0, 0, G_OPTION_ARG_INT64, &seed, "online: of the random numbers (default: 1)", "N"},
      {"horizons", 0, 0, G_OPTION_ARG_INT, &online.horizons,
       "online: predict 1 to N frames ahead (default: 5)", "N"},
      {"pad", 0, 0, G_OPTION_ARG_STRING, padKind.slot(),
       "online: how boxes are padded, calibrated or fixed (default: calibrated)", "NAME"},
      {"coverage", 0, 0, G_OPTION_ARG_DOUBLE, &pad.coverage,
       "calibrated: share of objects wanted whole in their padded box (default: 0.98)", "SHARE"},
      {"pad-ratio", 0, 0, G_OPTION_ARG_DOUBLE, &pad.ratio,
       "fixed: share of the box's size on each side (default: 0.1)", "SHARE"},
      {"pad-minimum", 0, 0, G_OPTION_ARG_DOUBLE, &pad.minimum, "fixed: least padding (default: 16)",
       "PIXELS"},
      {"pad-deviations", 0, 0, G_OPTION_ARG_DOUBLE, &pad.deviations,
       "fixed: of the predictor's uncertainty that are added (default: 1)", "N"}};
  options.common = parseCommandLine(argc, argv, "- say how good RP prediction is", entries);
  options.predictor = predictor.valueOr(predictorChoices().front().name);
  options.checkpoint = checkpoint.valueOr("");
  options.protocol = protocol.valueOr(kProtocols[0].name);
  pad.kind = padKind.valueOr(kPaddings[0].name);
  online.seed = static_cast<std::uint64_t>(seed);
  requireChoice("--predictor", options.predictor, predictorChoices());
  requireChoice("--protocol", options.protocol, kProtocols);
  requireWithin("--miss", online.miss, 0, 1);
  requireWithin("--jitter", online.jitter, 0, 1000);
  requireWithin("--horizons", online.horizons, 1, kMostHorizons);
  apply(pad, online);
  return options;
}

Json orNull(const std::optional<double>& figure) {
  return figure ? Json(*figure) : Json();
}

Json toJson(const eval::PaperFigures& figures) {
  const bool clean = figures.cleanWindows > 0;
  return {{"windows", figures.windows},
          {"targets", figures.targets},
          {"loss", figures.loss},
          {"iou", figures.iou},
          {"leaking", figures.leaking},
          {"windows_clean", figures.cleanWindows},
          {"loss_clean", clean ? Json(figures.lossClean) : Json()},
          {"iou_clean", clean ? Json(figures.iouClean) : Json()}};
}

Json padOf(const eval::OnlineOptions& options) {
  if (options.coverage) return {{"kind", "calibrated"}, {"coverage", *options.coverage}};
  return {{"kind", "fixed"},
          {"ratio", options.padding.ratio},
          {"minimum", options.padding.minimum},
          {"deviations", options.padding.deviations}};
}

Json toJson(const eval::OnlineFigures& figures, const eval::OnlineOptions& options) {
  Json horizons = Json::object();
  for (const eval::HorizonFigures& horizon : figures.horizons)
    horizons[std::to_string(horizon.horizon)] = {{"iou", orNull(horizon.iou)},
                                                 {"coverage", orNull(horizon.coverage)},
                                                 {"coverage_new", orNull(horizon.coverageNew)},
                                                 {"area", orNull(horizon.area)},
                                                 {"frames", horizon.frames},
                                                 {"objects", horizon.objects},
                                                 {"objects_new", horizon.objectsNew}};
  return {{"miss", options.miss},  {"jitter", options.jitter}, {"seed", options.seed},
          {"pad", padOf(options)}, {"frames", figures.frames}, {"objects", figures.objects},
          {"horizons", horizons}};
}

void print(const Json& result) {
  const auto text = [](const Json& figure, int decimals) {
    if (figure.is_null()) return std::string("-");
    return formatNumber(figure.get<double>(), decimals);
  };
  if (result["protocol"] == "paper") {
    std::cout << result["predictor"].get<std::string>() << ": loss " << text(result["loss"], 4)
              << ", IoU " << text(result["iou"], 3) << " over " << result["windows"]
              << " windows; without the " << result["leaking"] << " of " << result["targets"]
              << " targets that leak: loss " << text(result["loss_clean"], 4) << ", IoU "
              << text(result["iou_clean"], 3) << '\n';
    return;
  }
  std::cout << result["predictor"].get<std::string>()
            << "\nhorizon    IoU  coverage  coverage of new    area\n";
  for (const auto& [horizon, figures] : result["horizons"].items()) {
    char line[80];
    g_snprintf(line, sizeof(line), "%7s  %5s  %8s  %15s  %6s\n", horizon.c_str(),
               text(figures["iou"], 3).c_str(), text(figures["coverage"], 3).c_str(),
               text(figures["coverage_new"], 3).c_str(), text(figures["area"], 3).c_str());
    std::cout << line;
  }
}

}  // namespace

void runRp(int argc, char** argv) {
  const Options options = parse(argc, argv);
  const CommonOptions& common = options.common;
  const std::unique_ptr<RpPredictor> predictor =
      RpPredictor::create(options.predictor, options.checkpoint);
  const std::vector<Trace> traces = readTraces(common.data, common.traces);
  Pictures pictures(common, traces);
  Json result = {{"protocol", options.protocol},
                 {"predictor", options.predictor},
                 {"data", common.data},
                 {"traces", traces.size()}};
  if (!options.checkpoint.empty()) result["checkpoint"] = options.checkpoint;
  if (options.protocol == "paper")
    result.update(toJson(eval::evaluatePaper(traces, *predictor, pictures.watcher())));
  else
    result.update(
        toJson(eval::evaluateOnline(traces, *predictor, options.online, pictures.watcher()),
               options.online));
  report(common, result, print);
}

}  // namespace elf::program
