// SPDX-License-Identifier: LGPL-2.1-or-later
// elf-eval: says how good RP prediction is on given data (docs/elf-eval.md).
#include <glib.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <exception>
#include <fstream>
#include <iostream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <opencv2/core/utility.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "elf/base/choice.h"
#include "elf/base/error.h"
#include "elf/base/printable.h"
#include "elf/data/traces.h"
#include "elf/eval/online_protocol.h"
#include "elf/eval/paper_protocol.h"
#include "elf/eval/scene_picture.h"
#include "elf/predict/padding.h"
#include "elf/predict/predictor.h"

namespace {

using Json = nlohmann::ordered_json;

constexpr int kFailed = 1;
constexpr int kWrongUse = 2;
constexpr int kMostHorizons = 100;
constexpr double kNotGiven = std::numeric_limits<double>::lowest();

struct Options {
  std::string task;
  std::string data;
  elf::TraceOptions traces;
  std::string predictor;
  std::string checkpoint;
  std::string protocol;
  elf::eval::OnlineOptions online;
  std::string jsonFile;
  std::string render;
  std::string frames;
  int renderCount = 20;
  bool version = false;
};

int wrongUse(const std::string& why) {
  std::cerr << "elf-eval: " << why << "; see elf-eval --help\n";
  return kWrongUse;
}

constexpr elf::Choice kProtocols[] = {
    {"online", "Frame after frame, with what the pipeline would know"},
    {"paper", "The evaluation of the released code of Elf"},
};
constexpr elf::Choice kPaddings[] = {
    {"calibrated", "What errors so far say is needed for a wanted coverage"},
    {"fixed", "A share of the box's size, and the predictor's own uncertainty"},
};

/** "1242x375"; nothing where it is no size. */
std::optional<elf::Size> parseSize(std::string_view text) {
  elf::Size size;
  const char* const end = text.data() + text.size();
  const auto width = std::from_chars(text.data(), end, size.width);
  if (width.ec != std::errc{} || width.ptr == end || *width.ptr != 'x') return std::nullopt;
  const auto height = std::from_chars(width.ptr + 1, end, size.height);
  if (height.ec != std::errc{} || height.ptr != end || size.empty()) return std::nullopt;
  return size;
}

bool within(double value, double least, double most) {
  return std::isfinite(value) && value >= least && value <= most;
}

/** Why `options` can't be used, or nothing. */
std::string check(const Options& options) {
  const elf::eval::OnlineOptions& online = options.online;
  if (options.task.empty()) return "what is to be evaluated is missing: rp";
  if (options.task != "rp") return "unknown task '" + options.task + "', there is: rp";
  if (options.data.empty()) return "--data: is missing";
  if (!elf::isOneOf(options.predictor, elf::predictorChoices()))
    return "--predictor: there is none called '" + options.predictor +
           "', there are: " + elf::namesOf(elf::predictorChoices());
  if (!elf::isOneOf(options.protocol, kProtocols))
    return "--protocol: there is none called '" + options.protocol +
           "', there are: " + elf::namesOf(kProtocols);
  if (!options.traces.format.empty() &&
      !elf::isOneOf(options.traces.format, elf::traceFormatChoices()))
    return "--format: there is none called '" + options.traces.format +
           "', there are: " + elf::namesOf(elf::traceFormatChoices());
  if (!within(online.miss, 0, 1)) return "--miss: is not between 0 and 1";
  if (!within(online.jitter, 0, 1000)) return "--jitter: is not between 0 and 1000";
  if (online.horizons < 1 || online.horizons > kMostHorizons)
    return "--horizons: is not between 1 and " + std::to_string(kMostHorizons);
  if (options.renderCount < 1) return "--render-count: is not above 0";
  if (options.render.empty() && !options.frames.empty()) return "--frames: needs --render";
  return {};
}

struct PadOptions {
  std::string kind;
  double coverage = kNotGiven;
  double ratio = kNotGiven;
  double minimum = kNotGiven;
  double deviations = kNotGiven;
};

/** Fills `online` from `pad`; returns why it could not, or nothing. */
std::string apply(const PadOptions& pad, elf::eval::OnlineOptions& online) {
  using elf::PaddingCalibrator;
  if (!elf::isOneOf(pad.kind, kPaddings))
    return "--pad: there is none called '" + pad.kind + "', there are: " + elf::namesOf(kPaddings);
  const bool fixed = pad.kind == "fixed";
  if (fixed && pad.coverage != kNotGiven) return "--coverage: needs --pad calibrated";
  if (pad.coverage != kNotGiven) online.coverage = pad.coverage;
  if (!within(*online.coverage, PaddingCalibrator::kLeastCoverage,
              PaddingCalibrator::kMostCoverage))
    return "--coverage: is not between 0.5 and 0.999";
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
    if (!fixed) return std::string(option.name) + ": needs --pad fixed";
    if (!within(option.given, 0, option.most))
      return std::string(option.name) + ": is not between 0 and " +
             std::to_string(static_cast<int>(option.most));
    option.value = option.given;
  }
  return {};
}

/** Fills `options`; returns why it could not, or nothing. */
std::string parse(int argc, char** argv, Options& options) {
  elf::eval::OnlineOptions& online = options.online;
  gchar* data = nullptr;
  gchar* format = nullptr;
  gchar* frameSize = nullptr;
  gchar* predictor = nullptr;
  gchar* checkpoint = nullptr;
  gchar* protocol = nullptr;
  gchar* padKind = nullptr;
  PadOptions pad;
  gchar* json = nullptr;
  gchar* render = nullptr;
  gchar* frames = nullptr;
  gint64 seed = static_cast<gint64>(online.seed);
  gint renderCount = options.renderCount;
  gboolean version = FALSE;
  const std::string predictorHelp = "One of " + elf::namesOf(elf::predictorChoices()) +
                                    " (default: " + elf::predictorChoices().front().name + ")";
  const std::string formatHelp =
      "One of " + elf::namesOf(elf::traceFormatChoices()) + " (default: recognised)";
  const GOptionEntry entries[] = {
      {"data", 'd', 0, G_OPTION_ARG_FILENAME, &data, "Data set of box traces", "DIR"},
      {"format", 0, 0, G_OPTION_ARG_STRING, &format, formatHelp.c_str(), "NAME"},
      {"frame-size", 0, 0, G_OPTION_ARG_STRING, &frameSize,
       "Size of the frames, where the data do not tell", "WxH"},
      {"predictor", 'p', 0, G_OPTION_ARG_STRING, &predictor, predictorHelp.c_str(), "NAME"},
      {"checkpoint", 'c', 0, G_OPTION_ARG_FILENAME, &checkpoint,
       "Weights of the predictor (default: its own)", "FILE"},
      {"protocol", 0, 0, G_OPTION_ARG_STRING, &protocol, "online or paper (default: online)",
       "NAME"},
      {"miss", 0, 0, G_OPTION_ARG_DOUBLE, &online.miss,
       "online: share of boxes that are not detected (default: 0.1)", "SHARE"},
      {"jitter", 0, 0, G_OPTION_ARG_DOUBLE, &online.jitter,
       "online: standard deviation of each side of a detected box (default: 2)", "PIXELS"},
      {"seed", 0, 0, G_OPTION_ARG_INT64, &seed, "online: of the random numbers (default: 1)", "N"},
      {"horizons", 0, 0, G_OPTION_ARG_INT, &online.horizons,
       "online: predict 1 to N frames ahead (default: 5)", "N"},
      {"pad", 0, 0, G_OPTION_ARG_STRING, &padKind,
       "online: how boxes are padded, calibrated or fixed (default: calibrated)", "NAME"},
      {"coverage", 0, 0, G_OPTION_ARG_DOUBLE, &pad.coverage,
       "calibrated: share of objects wanted whole in their padded box (default: 0.98)", "SHARE"},
      {"pad-ratio", 0, 0, G_OPTION_ARG_DOUBLE, &pad.ratio,
       "fixed: share of the box's size on each side (default: 0.1)", "SHARE"},
      {"pad-minimum", 0, 0, G_OPTION_ARG_DOUBLE, &pad.minimum, "fixed: least padding (default: 16)",
       "PIXELS"},
      {"pad-deviations", 0, 0, G_OPTION_ARG_DOUBLE, &pad.deviations,
       "fixed: of the predictor's uncertainty that are added (default: 1)", "N"},
      {"json", 0, 0, G_OPTION_ARG_FILENAME, &json,
       "Write the figures as JSON; - is standard output", "FILE"},
      {"render", 0, 0, G_OPTION_ARG_FILENAME, &render,
       "Write pictures of predictions against truth", "DIR"},
      {"render-count", 0, 0, G_OPTION_ARG_INT, &renderCount,
       "At most so many pictures, evenly spread (default: 20)", "N"},
      {"frames", 0, 0, G_OPTION_ARG_FILENAME, &frames,
       "Pictures of the videos to draw on (default: a blank canvas)", "DIR"},
      {"version", 0, 0, G_OPTION_ARG_NONE, &version, "Print the version, and end", nullptr},
      {nullptr, 0, 0, G_OPTION_ARG_NONE, nullptr, nullptr, nullptr}};
  GOptionContext* context = g_option_context_new("rp - say how good RP prediction is");
  g_option_context_add_main_entries(context, entries, nullptr);
  GError* error = nullptr;
  const bool parsed = g_option_context_parse(context, &argc, &argv, &error);
  g_option_context_free(context);
  const auto take = [](gchar* text, const char* otherwise = "") {
    const std::string taken = text ? text : otherwise;
    g_free(text);
    return taken;
  };
  options.data = take(data);
  options.traces.format = take(format);
  const std::string size = take(frameSize);
  options.predictor = take(predictor, elf::predictorChoices().front().name);
  options.checkpoint = take(checkpoint);
  options.protocol = take(protocol, kProtocols[0].name);
  pad.kind = take(padKind, kPaddings[0].name);
  options.jsonFile = take(json);
  options.render = take(render);
  options.frames = take(frames);
  if (!parsed) {
    const std::string why = error->message;
    g_error_free(error);
    return why;
  }
  options.version = version;
  if (version) return {};
  if (argc > 2) return std::string("unexpected argument '") + argv[2] + "'";
  if (argc > 1) options.task = argv[1];
  online.seed = static_cast<std::uint64_t>(seed);
  options.renderCount = renderCount;
  if (!size.empty()) {
    const auto parsedSize = parseSize(size);
    if (!parsedSize) return "--frame-size: '" + size + "' is no size such as 1242x375";
    options.traces.frameSize = *parsedSize;
  }
  if (const std::string why = apply(pad, online); !why.empty()) return why;
  return check(options);
}

Json orNull(const std::optional<double>& figure) {
  return figure ? Json(*figure) : Json();
}

Json toJson(const elf::eval::PaperFigures& figures) {
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

Json padOf(const elf::eval::OnlineOptions& options) {
  if (options.coverage) return {{"kind", "calibrated"}, {"coverage", *options.coverage}};
  return {{"kind", "fixed"},
          {"ratio", options.padding.ratio},
          {"minimum", options.padding.minimum},
          {"deviations", options.padding.deviations}};
}

Json toJson(const elf::eval::OnlineFigures& figures, const elf::eval::OnlineOptions& options) {
  Json horizons = Json::object();
  for (const elf::eval::HorizonFigures& horizon : figures.horizons)
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
    return elf::formatNumber(figure.get<double>(), decimals);
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

void report(const Options& options, const Json& result) {
  if (options.jsonFile == "-") {
    std::cout << result.dump(2) << '\n';
    return;
  }
  print(result);
  if (options.jsonFile.empty()) return;
  std::ofstream out(options.jsonFile);
  out << result.dump(2) << '\n';
  out.close();
  if (!out) throw elf::Error(options.jsonFile, "cannot be written");
}

void evaluate(const Options& options) {
  const std::unique_ptr<elf::RpPredictor> predictor =
      elf::RpPredictor::create(options.predictor, options.checkpoint);
  const std::vector<elf::Trace> traces = elf::readTraces(options.data, options.traces);
  std::size_t frames = 0;
  for (const elf::Trace& trace : traces) frames += trace.frames.size();

  std::optional<elf::eval::SceneWriter> writer;
  elf::eval::Watcher watch;
  if (!options.render.empty()) {
    const auto count = static_cast<std::size_t>(options.renderCount);
    writer.emplace(elf::eval::SceneWriterOptions{
        options.render, options.frames, std::max<std::size_t>(1, (frames + count - 1) / count)});
    watch = [&writer](const elf::eval::Scene& scene) { writer->write(scene); };
  }
  Json result = {{"protocol", options.protocol},
                 {"predictor", options.predictor},
                 {"data", options.data},
                 {"traces", traces.size()}};
  if (!options.checkpoint.empty()) result["checkpoint"] = options.checkpoint;
  if (options.protocol == "paper")
    result.update(toJson(elf::eval::evaluatePaper(traces, *predictor, watch)));
  else
    result.update(toJson(elf::eval::evaluateOnline(traces, *predictor, options.online, watch),
                         options.online));
  report(options, result);
}

}  // namespace

int main(int argc, char** argv) {
  cv::setNumThreads(1);
  Options options;
  if (const std::string why = parse(argc, argv, options); !why.empty()) return wrongUse(why);
  try {
    if (options.version)
      std::cout << "elf-eval " << ELF_VERSION << '\n';
    else
      evaluate(options);
  } catch (const std::exception& error) {
    std::cerr << "elf-eval: " << error.what() << '\n';
    return kFailed;
  }
  return 0;
}
