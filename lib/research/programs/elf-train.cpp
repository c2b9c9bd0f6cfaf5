// SPDX-License-Identifier: LGPL-2.1-or-later
// elf-train: trains a predictor on traces (docs/elf-train.md).
#include <glib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "elf/base/choice.h"
#include "elf/base/data_files.h"
#include "elf/base/glib.h"
#include "elf/base/output_file.h"
#include "elf/base/printable.h"
#include "elf/render/svg.h"
#include "programs/options.h"
#include "research/data/synthetic_motion.h"
#include "research/data/traces.h"
#include "research/train/trainer.h"

namespace {

namespace fs = std::filesystem;

constexpr int kFailed = 1;
constexpr int kWrongUse = 2;

struct Options {
  std::string data;
  elf::TraceOptions traces;
  /** Number of additional videos of synthetic motion. */
  int synthetic = 0;
  std::string output;
  std::string jsonFile;
  bool version = false;
  elf::train::Options training;
};

int wrongUse(const std::string& why) {
  std::cerr << "elf-train: " << why << "; see elf-train --help\n";
  return kWrongUse;
}

/** Fills `options`. Returns the error, or an empty text. */
std::string parse(int argc, char** argv, Options& options) {
  const auto predictors = elf::train::trainableChoices();
  const std::string predictorHelp =
      "One of " + elf::namesOf(predictors) + " (default: " + predictors[0].name + ")";
  const std::string formatHelp =
      "One of " + elf::namesOf(elf::traceFormatChoices()) + " (default: recognised)";
  elf::train::Options& training = options.training;
  std::array<gchar*, 7> text{};
  auto& [predictor, data, format, frameSize, output, checkpoint, json] = text;
  gint synthetic = options.synthetic;
  gint epochs = training.epochs;
  gint patience = training.patience;
  gint64 seed = static_cast<gint64>(training.seed);
  gdouble validation = training.validation;
  gboolean resume = FALSE;
  gboolean version = FALSE;
  const GOptionEntry entries[] = {
      {"predictor", 'p', 0, G_OPTION_ARG_STRING, &predictor, predictorHelp.c_str(), "NAME"},
      {"data", 'd', 0, G_OPTION_ARG_FILENAME, &data, "Data set of box traces", "DIR"},
      {"format", 0, 0, G_OPTION_ARG_STRING, &format, formatHelp.c_str(), "NAME"},
      {"frame-size", 0, 0, G_OPTION_ARG_STRING, &frameSize,
       "Size of the frames, where the data do not tell", "WxH"},
      {"synthetic", 'm', 0, G_OPTION_ARG_INT, &synthetic,
       "Add N videos of synthetic motion, of 160 frames each (default: 0)", "N"},
      {"output", 'o', 0, G_OPTION_ARG_FILENAME, &output,
       "Weights to write; the loss curve goes beside them as .csv and .svg", "FILE.safetensors"},
      {"epochs", 'e', 0, G_OPTION_ARG_INT, &epochs,
       "Times that each sample is seen at most (default: the predictor's own)", "N"},
      {"patience", 0, 0, G_OPTION_ARG_INT, &patience,
       "Epochs without gain after which it ends; 0: never (default: 20)", "N"},
      {"validation", 0, 0, G_OPTION_ARG_DOUBLE, &validation,
       "Share of the videos that is held back for validation (default: 0.2)", "SHARE"},
      {"seed", 's', 0, G_OPTION_ARG_INT64, &seed, "Of all random numbers (default: 1)", "N"},
      {"checkpoint", 'c', 0, G_OPTION_ARG_FILENAME, &checkpoint,
       "Written after each epoch, removed at the end (default: OUTPUT.checkpoint)", "FILE"},
      {"resume", 'r', 0, G_OPTION_ARG_NONE, &resume, "Go on from the checkpoint, if there is one",
       nullptr},
      {"json", 0, 0, G_OPTION_ARG_FILENAME, &json,
       "Write the figures as JSON; - is standard output", "FILE"},
      {"version", 0, 0, G_OPTION_ARG_NONE, &version, "Print the version, and end", nullptr},
      {nullptr, 0, 0, G_OPTION_ARG_NONE, nullptr, nullptr, nullptr}};
  const elf::Ref<GOptionContext> context(g_option_context_new("- train a predictor on box traces"));
  g_option_context_add_main_entries(context.get(), entries, nullptr);
  GError* error = nullptr;
  const bool parsed = g_option_context_parse(context.get(), &argc, &argv, &error);
  const auto take = [](gchar* from, std::string& to) {
    if (from) to = elf::takeText(from);
  };
  training.predictor = predictors[0].name;
  std::string size;
  take(predictor, training.predictor);
  take(data, options.data);
  take(format, options.traces.format);
  take(frameSize, size);
  take(output, options.output);
  take(checkpoint, training.checkpoint);
  take(json, options.jsonFile);
  options.traces.warn = [](const std::string& what) {
    std::cerr << "elf-train: warning: " << what << '\n';
  };
  if (!parsed) return elf::takeReason(error);
  if (version) {
    options.version = true;
    return {};
  }
  if (argc > 1) return std::string("unexpected argument '") + argv[1] + "'";
  if (synthetic < 0 || synthetic > 10000) return "--synthetic: is not between 0 and 10000";
  options.synthetic = synthetic;
  if (options.data.empty() && synthetic == 0) return "--data: is missing, and --synthetic, too";
  if (options.output.empty()) return "--output: is missing";
  if (!options.output.ends_with(elf::kWeightFiles.suffix))
    return std::string("--output: does not end in ") + elf::kWeightFiles.suffix;
  if (!elf::isOneOf(training.predictor, predictors))
    return "--predictor: '" + training.predictor + "' cannot be trained";
  if (!options.traces.format.empty() &&
      !elf::isOneOf(options.traces.format, elf::traceFormatChoices()))
    return "--format: unknown name '" + options.traces.format + "'";
  if (!size.empty()) {
    const auto frameSizeGiven = elf::program::parseSize(size);
    if (!frameSizeGiven) return "--frame-size: is not WxH";
    options.traces.frameSize = *frameSizeGiven;
  }
  if (epochs < 0 || epochs > 100000) return "--epochs: is not between 1 and 100000";
  if (patience < 0) return "--patience: is below 0";
  if (!(validation > 0 && validation < 1)) return "--validation: is not between 0 and 1";
  if (seed < 0) return "--seed: is below 0";
  training.epochs = epochs;
  training.patience = patience;
  training.validation = validation;
  training.seed = static_cast<std::uint64_t>(seed);
  training.resume = resume;
  if (training.checkpoint.empty()) training.checkpoint = options.output + ".checkpoint";
  return {};
}

/** A bar on a terminal, a line for each epoch elsewhere. */
class ProgressReport {
 public:
  void operator()(const elf::train::Progress& progress) {
    using elf::formatNumber;
    if (progress.finished) {
      last_ = "loss " + formatNumber(progress.finished->trainingLoss, 4) + ", validation " +
              formatNumber(progress.finished->validationLoss, 4);
      if (!terminal_)
        std::cerr << "epoch " << progress.epoch << "/" << progress.epochs << ": " << last_ << '\n';
    }
    if (!terminal_) return;
    const auto now = std::chrono::steady_clock::now();
    if (!progress.finished && now - drawn_ < std::chrono::milliseconds(100)) return;
    drawn_ = now;
    const double inEpoch =
        static_cast<double>(progress.seen) / static_cast<double>(progress.samples);
    constexpr int kWidth = 30;
    const int full = static_cast<int>((progress.epoch - 1 + inEpoch) / progress.epochs * kWidth);
    std::cerr << "\r\033[K[" << std::string(static_cast<std::size_t>(full), '#')
              << std::string(static_cast<std::size_t>(kWidth - full), '.') << "] epoch "
              << progress.epoch << "/" << progress.epochs << " " << last_ << std::flush;
  }
  /** Ends the line of the bar. */
  void end() const {
    if (terminal_) std::cerr << '\n';
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) != 0;
  std::chrono::steady_clock::time_point drawn_;
  std::string last_;
};

/** The name of the weights with another ending. */
std::string beside(const std::string& output, const std::string& suffix) {
  return output.substr(0, output.size() - std::string_view(elf::kWeightFiles.suffix).size()) +
         suffix;
}

void writeCurve(const std::string& output, const std::vector<elf::train::Epoch>& epochs) {
  std::string csv = "epoch,training_loss,validation_loss,learning_rate\n";
  elf::svg::Line training{"training loss", "#0072b2", {}};
  elf::svg::Line validation{"validation loss", "#d55e00", {}};
  for (const elf::train::Epoch& epoch : epochs) {
    csv += std::to_string(epoch.number);
    for (const double value : {epoch.trainingLoss, epoch.validationLoss, epoch.learningRate})
      csv += "," + nlohmann::json(value).dump();
    csv += '\n';
    const auto x = static_cast<double>(epoch.number);
    training.points.push_back({x, epoch.trainingLoss});
    validation.points.push_back({x, epoch.validationLoss});
  }
  elf::writeFile(beside(output, ".csv"), csv);
  elf::writeFile(beside(output, ".svg"), elf::svg::document(elf::svg::linePlot(
                                             {training, validation}, "epoch",
                                             "loss (blue: training, orange: validation)")));
}

std::string summary(const Options& options, const elf::train::Outcome& outcome, double seconds) {
  const nlohmann::ordered_json json{{"predictor", options.training.predictor},
                                    {"data", options.data},
                                    {"synthetic", options.synthetic},
                                    {"output", options.output},
                                    {"seed", options.training.seed},
                                    {"epochs", outcome.epochs.size()},
                                    {"best_epoch", outcome.best.number},
                                    {"training_loss", outcome.best.trainingLoss},
                                    {"validation_loss", outcome.best.validationLoss},
                                    {"stopped_early", outcome.stoppedEarly},
                                    {"resumed_at", outcome.resumedAt},
                                    {"training_samples", outcome.trainingSamples},
                                    {"validation_samples", outcome.validationSamples},
                                    {"training_videos", outcome.trainingVideos},
                                    {"validation_videos", outcome.validationVideos},
                                    {"seconds", seconds}};
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void run(const Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  elf::requireWritable(options.output);
  elf::requireWritable(options.jsonFile);
  std::vector<elf::Trace> traces;
  std::string name;
  if (!options.data.empty()) {
    traces = elf::readTraces(options.data, options.traces);
    // The name of the data must not depend on their folder: it goes into the weights.
    const fs::path data = fs::path(options.data).lexically_normal();
    name = (data.has_filename() ? data : data.parent_path()).filename().string();
  }
  if (options.synthetic > 0) {
    for (elf::Trace& trace : elf::syntheticMotion(options.synthetic, options.training.seed))
      traces.push_back(std::move(trace));
    name += (name.empty() ? "synthetic-" : "+synthetic-") + std::to_string(options.synthetic);
  }
  ProgressReport report;
  const elf::train::Outcome outcome =
      elf::train::train(std::move(traces), name, options.training, std::ref(report));
  report.end();
  outcome.weights.write(options.output);
  writeCurve(options.output, outcome.epochs);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  if (!options.jsonFile.empty())
    elf::writeFile(options.jsonFile, summary(options, outcome, took.count()));
  // Last of all: as long as something is not written, the run can be repeated from it.
  fs::remove(options.training.checkpoint);
  if (options.jsonFile != "-")
    std::cout << options.output << ": " << options.training.predictor << " of epoch "
              << outcome.best.number << " of " << outcome.epochs.size() << ", validation loss "
              << elf::formatNumber(outcome.best.validationLoss, 4) << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (const std::string why = parse(argc, argv, options); !why.empty()) return wrongUse(why);
  try {
    if (options.version)
      std::cout << "elf-train " << ELF_VERSION << '\n';
    else
      run(options);
  } catch (const std::exception& error) {
    std::cerr << "elf-train: " << error.what() << '\n';
    return kFailed;
  }
  return 0;
}
