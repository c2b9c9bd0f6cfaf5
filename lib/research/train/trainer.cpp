// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/train/trainer.h"

#include <ATen/Parallel.h>
#include <torch/nn/module.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adam.h>
#include <torch/utils.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <random>
#include <sstream>
#include <type_traits>
#include <utility>

#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/predict/lstm_predictors.h"
#include "elf/predict/motion_network.h"
#include "research/train/box_nets.h"
#include "research/train/motion_net.h"
#include "research/train/trainable_net.h"

namespace elf::train {

namespace {

namespace fs = std::filesystem;

using torch::optim::Adam;
using torch::optim::AdamOptions;
using torch::optim::AdamParamState;

constexpr char kCheckpointFormat[] = "elf-train checkpoint 1";
constexpr double kWarmUp = 0.02;

using NamedTensors = std::map<std::string, torch::Tensor>;

Tensor toTensor(const torch::Tensor& tensor) {
  const torch::Tensor values = tensor.detach().contiguous();
  Tensor result{{}, {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()}};
  for (const std::int64_t extent : values.sizes()) result.shape.push_back(static_cast<int>(extent));
  return result;
}

/** Copies the tensor `key` into `to`. Throws elf::Error if it does not fit. */
void copyTensor(const Weights& from, const std::string& key, torch::Tensor to) {
  std::vector<int> shape;
  for (const std::int64_t extent : to.sizes()) shape.push_back(static_cast<int>(extent));
  const Tensor& tensor = from.tensor(key, shape);
  const torch::NoGradGuard guard;
  to.copy_(torch::from_blob(const_cast<float*>(tensor.values.data()), to.sizes()));
}

Sample concatenate(const std::vector<const Sample*>& samples) {
  std::vector<torch::Tensor> inputs, targets;
  for (const Sample* sample : samples) {
    inputs.push_back(sample->input);
    targets.push_back(sample->target);
  }
  return {torch::cat(inputs), torch::cat(targets)};
}

std::vector<const Sample*> pointers(const std::vector<Sample>& samples) {
  std::vector<const Sample*> result;
  for (const Sample& sample : samples) result.push_back(&sample);
  return result;
}

/** A checksum of the samples. */
std::string fingerprint(const std::vector<Sample>& training,
                        const std::vector<Sample>& validation) {
  const Ref<GChecksum> checksum(g_checksum_new(G_CHECKSUM_SHA256));
  for (const auto* samples : {&training, &validation})
    for (const Sample& sample : *samples)
      for (const torch::Tensor& tensor : {sample.input, sample.target}) {
        const std::int64_t objects = tensor.size(0);
        g_checksum_update(checksum.get(), reinterpret_cast<const guchar*>(&objects),
                          sizeof objects);
        g_checksum_update(checksum.get(), static_cast<const guchar*>(tensor.data_ptr()),
                          static_cast<gssize>(tensor.nbytes()));
      }
  return g_checksum_get_string(checksum.get());
}

/** Moves a share of the videos, selected by the seed, out of `traces`. A single one loses its
 * end. */
std::vector<Trace> holdBack(std::vector<Trace>& traces, double share, std::uint64_t seed) {
  std::vector<Trace> held;
  if (traces.size() == 1) {
    auto& frames = traces.front().frames;
    const auto cut = frames.end() -
                     static_cast<std::ptrdiff_t>(share * static_cast<double>(frames.size()) + 0.5);
    held.push_back({traces.front().name, {cut, frames.end()}});
    frames.erase(cut, frames.end());
    return held;
  }
  std::vector<std::size_t> order(traces.size());
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(seed);
  std::shuffle(order.begin(), order.end(), random);
  const auto wanted = static_cast<std::size_t>(share * static_cast<double>(traces.size()) + 0.5);
  order.resize(std::clamp<std::size_t>(wanted, 1, traces.size() - 1));
  std::sort(order.begin(), order.end());
  for (const std::size_t i : order) held.push_back(std::move(traces[i]));
  for (auto i = order.rbegin(); i != order.rend(); ++i)
    traces.erase(traces.begin() + static_cast<std::ptrdiff_t>(*i));
  return held;
}

std::vector<std::string> names(const std::vector<Trace>& traces) {
  std::vector<std::string> result;
  for (const Trace& trace : traces) result.push_back(trace.name);
  return result;
}

std::vector<Sample> samplesOf(const TrainableNet& net, const std::vector<Trace>& traces) {
  std::vector<Sample> samples;
  for (const Trace& trace : traces)
    for (Sample& sample : net.makeSamples(trace)) samples.push_back(std::move(sample));
  return samples;
}

nlohmann::json toJson(const std::vector<Epoch>& epochs) {
  nlohmann::json json = nlohmann::json::array();
  for (const Epoch& epoch : epochs)
    json.push_back({epoch.trainingLoss, epoch.validationLoss, epoch.learningRate});
  return json;
}

/** Throws elf::Error naming `file` if `text` was not made by toJson(). */
std::vector<Epoch> epochsOf(const std::string& text, const std::string& file) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  std::vector<Epoch> epochs;
  const Error broken(file, "not a checkpoint of elf-train: its history can't be read");
  if (!json.is_array()) throw broken;
  for (const auto& entry : json) {
    if (!entry.is_array() || entry.size() != 3) throw broken;
    for (const auto& value : entry)
      if (!value.is_number()) throw broken;
    epochs.push_back({static_cast<int>(epochs.size()) + 1, entry[0], entry[1], entry[2]});
  }
  return epochs;
}

using StateKey = std::remove_cvref_t<decltype(std::declval<Adam&>().state())>::key_type;

/** The optimizer's key for a parameter's state: its address, in LibTorch 1.13 as text. */
template <typename Key = StateKey>
Key stateKey(const torch::Tensor& parameter) {
  void* const address = parameter.unsafeGetTensorImpl();
  if constexpr (std::is_same_v<Key, std::string>) {
    std::ostringstream text;
    text << address;
    return text.str();
  } else {
    return address;
  }
}

/** One training run, and the state for its checkpoint. */
class Run {
 public:
  Run(std::vector<Trace> traces, const std::string& data, const Options& options)
      : options_(options), data_(data) {
    at::set_num_threads(1);
    torch::manual_seed(options.seed);
    net_ = createNet(options.predictor);
    recipe_ = net_->recipe();
    if (options.epochs > 0) recipe_.epochs = options.epochs;

    const std::string nothing =
        "holds nothing to learn from: no object in frames that follow each other";
    if (traces.empty()) throw Error(data, nothing);
    const std::vector<Trace> held = holdBack(traces, options.validation, options.seed);
    outcome_.trainingVideos = names(traces);
    outcome_.validationVideos = names(held);
    training_ = samplesOf(*net_, traces);
    validation_ = samplesOf(*net_, held);
    outcome_.trainingSamples = training_.size();
    outcome_.validationSamples = validation_.size();
    if (training_.empty()) throw Error(data, nothing);
    if (validation_.empty())
      throw Error(data, nothing + ", in what is held back for validation (" +
                            outcome_.validationVideos.front() + ", ...)");
    net_->prepare(concatenate(pointers(training_)));
    for (const auto& entry : net_->named_parameters()) parameters_[entry.key()] = entry.value();
    optimizer_ = std::make_unique<Adam>(net_->parameters(), AdamOptions(recipe_.learningRate));
    fingerprint_ = fingerprint(training_, validation_);
    best_ = toWeights(*net_);
  }

  Outcome run(const Watcher& watch) {
    if (options_.resume && fs::exists(options_.checkpoint)) {
      load();
      outcome_.resumedAt = static_cast<int>(outcome_.epochs.size());
    } else {
      save();  // fails now if the folder can't be written to
    }
    while (static_cast<int>(outcome_.epochs.size()) < recipe_.epochs) {
      if (isLate()) {
        outcome_.stoppedEarly = true;
        break;
      }
      const Epoch epoch = runEpoch(watch);
      if (outcome_.epochs.empty() || epoch.validationLoss < outcome_.best.validationLoss) {
        outcome_.best = epoch;
        best_ = toWeights(*net_);
      }
      outcome_.epochs.push_back(epoch);
      save();
      if (watch) watch({epoch.number, recipe_.epochs, training_.size(), training_.size(), &epoch});
    }
    outcome_.weights = best_;
    outcome_.weights.setMetadata("predictor", options_.predictor);
    outcome_.weights.setMetadata("seed", std::to_string(options_.seed));
    outcome_.weights.setMetadata("data", data_);
    outcome_.weights.setMetadata("epochs", std::to_string(outcome_.epochs.size()));
    outcome_.weights.setMetadata("best-epoch", std::to_string(outcome_.best.number));
    outcome_.weights.setMetadata("training-loss",
                                 nlohmann::json(outcome_.best.trainingLoss).dump());
    outcome_.weights.setMetadata("validation-loss",
                                 nlohmann::json(outcome_.best.validationLoss).dump());
    return std::move(outcome_);
  }

 private:
  bool isLate() const {
    return options_.patience > 0 &&
           static_cast<int>(outcome_.epochs.size()) - outcome_.best.number >= options_.patience;
  }

  std::size_t stepsInEpoch() const {
    return (training_.size() + recipe_.batch - 1) / recipe_.batch;
  }

  double learningRate(std::size_t step) const {
    const auto all = static_cast<double>(stepsInEpoch()) * recipe_.epochs;
    const double done = static_cast<double>(step) / all;
    const double rise = std::min(1.0, static_cast<double>(step + 1) / (kWarmUp * all + 1));
    return recipe_.learningRate * rise * (1 + std::cos(std::acos(-1.0) * done)) / 2;
  }

  Epoch runEpoch(const Watcher& watch) {
    Epoch epoch{.number = static_cast<int>(outcome_.epochs.size()) + 1};
    // All random numbers follow from seed and epoch, so that a checkpoint needs no generators.
    const std::uint64_t seed = options_.seed * 1000003 + static_cast<std::uint64_t>(epoch.number);
    torch::manual_seed(seed);
    std::mt19937_64 random(seed);
    std::vector<const Sample*> order = pointers(training_);
    std::shuffle(order.begin(), order.end(), random);

    net_->train();
    std::size_t step = stepsInEpoch() * outcome_.epochs.size();
    for (std::size_t begin = 0; begin < order.size(); begin += recipe_.batch, ++step) {
      const std::size_t end = std::min(begin + recipe_.batch, order.size());
      const Sample batch = concatenate({order.begin() + static_cast<std::ptrdiff_t>(begin),
                                        order.begin() + static_cast<std::ptrdiff_t>(end)});
      epoch.learningRate = learningRate(step);
      static_cast<AdamOptions&>(optimizer_->param_groups()[0].options()).lr(epoch.learningRate);
      optimizer_->zero_grad();
      const torch::Tensor loss = net_->loss(net_->forward(batch.input), batch.target);
      loss.backward();
      torch::nn::utils::clip_grad_norm_(net_->parameters(), recipe_.gradientNorm);
      optimizer_->step();
      epoch.trainingLoss += loss.item<double>() * static_cast<double>(end - begin);
      if (watch) watch({epoch.number, recipe_.epochs, end, training_.size(), nullptr});
    }
    epoch.trainingLoss /= static_cast<double>(order.size());
    epoch.validationLoss = validate();
    if (!std::isfinite(epoch.trainingLoss) || !std::isfinite(epoch.validationLoss))
      throw Error(data_, "the loss became infinite in epoch " + std::to_string(epoch.number));
    return epoch;
  }

  double validate() {
    const torch::NoGradGuard guard;
    net_->eval();
    const torch::Tensor output = net_->forward(concatenate(pointers(validation_)).input);
    double sum = 0;
    std::int64_t at = 0;
    for (const Sample& sample : validation_) {
      const std::int64_t count = sample.target.size(0);
      sum += net_->loss(output.narrow(0, at, count), sample.target).item<double>();
      at += count;
    }
    return sum / static_cast<double>(validation_.size());
  }

  /** The metadata that a checkpoint must match, as key and value. */
  std::map<std::string, std::string> identity() const {
    return {{"predictor", options_.predictor},
            {"seed", std::to_string(options_.seed)},
            {"epochs", std::to_string(recipe_.epochs)},
            {"samples", fingerprint_}};
  }

  void save() const {
    Weights state(options_.checkpoint);
    state.setMetadata("format", kCheckpointFormat);
    for (const auto& [key, text] : identity()) state.setMetadata(key, text);
    state.setMetadata("history", toJson(outcome_.epochs).dump());
    state.setMetadata("best-epoch", std::to_string(outcome_.best.number));
    for (const auto& [key, tensor] : best_.tensors()) state.setTensor("best." + key, tensor);
    for (const auto& [key, parameter] : parameters_) {
      state.setTensor("model." + key, toTensor(parameter));
      if (const AdamParamState* adam = adamState(parameter)) {
        state.setTensor("adam-mean." + key, toTensor(adam->exp_avg()));
        state.setTensor("adam-square." + key, toTensor(adam->exp_avg_sq()));
      }
    }
    state.write(options_.checkpoint);
  }

  void load() {
    const Weights state = Weights::read(options_.checkpoint);
    if (!state.metadata().contains("format") || state.metadata("format") != kCheckpointFormat)
      throw Error(options_.checkpoint, "not a checkpoint of elf-train");
    for (const auto& [key, text] : identity()) {
      const std::string& is = state.metadata(key);
      if (is == text) continue;
      if (key == "samples")
        throw Error(options_.checkpoint, "was made from other data, or another share of it");
      throw Error(options_.checkpoint, "is of " + key + " " + is + ", not " + text);
    }
    outcome_.epochs = epochsOf(state.metadata("history"), options_.checkpoint);
    const std::string& best = state.metadata("best-epoch");
    int number = -1;
    std::from_chars(best.data(), best.data() + best.size(), number);
    if (outcome_.epochs.size() > static_cast<std::size_t>(recipe_.epochs) || number < 0 ||
        number > static_cast<int>(outcome_.epochs.size()) ||
        (number == 0 && !outcome_.epochs.empty()))
      throw Error(options_.checkpoint, "not a checkpoint of elf-train: its epochs can't be");
    if (number > 0) outcome_.best = outcome_.epochs[static_cast<std::size_t>(number) - 1];
    for (const auto& [key, parameter] : parameters_) {
      copyTensor(state, "model." + key, parameter);
      const torch::Tensor copy = torch::empty_like(parameter);
      copyTensor(state, "best." + key, copy);
      best_.setTensor(key, toTensor(copy));
      if (outcome_.epochs.empty() || !parameter.requires_grad()) continue;
      auto adam = std::make_unique<AdamParamState>();
      adam->step(static_cast<std::int64_t>(stepsInEpoch() * outcome_.epochs.size()));
      adam->exp_avg(torch::zeros_like(parameter));
      adam->exp_avg_sq(torch::zeros_like(parameter));
      copyTensor(state, "adam-mean." + key, adam->exp_avg());
      copyTensor(state, "adam-square." + key, adam->exp_avg_sq());
      optimizer_->state()[stateKey(parameter)] = std::move(adam);
    }
  }

  const AdamParamState* adamState(const torch::Tensor& parameter) const {
    const auto found = optimizer_->state().find(stateKey(parameter));
    return found == optimizer_->state().end()
               ? nullptr
               : static_cast<const AdamParamState*>(found->second.get());
  }

  Options options_;
  std::string data_;
  std::shared_ptr<TrainableNet> net_;
  Recipe recipe_;
  std::vector<Sample> training_;
  std::vector<Sample> validation_;
  std::string fingerprint_;
  NamedTensors parameters_;
  std::unique_ptr<Adam> optimizer_;
  Weights best_{""};
  Outcome outcome_;
};

}  // namespace

std::span<const Choice> trainableChoices() {
  static constexpr Choice kChoices[] = {
      {kDefaultPredictor, "The network of the default predictor"},
      {kLstm, "The paper's LSTM"},
      {kAttnLstm, "The paper's LSTM with attention"},
  };
  return kChoices;
}

std::shared_ptr<TrainableNet> createNet(std::string_view predictor) {
  if (predictor == kDefaultPredictor) return createMotionNet();
  if (predictor == kLstm) return createLstmNet();
  if (predictor == kAttnLstm) return createAttnLstmNet();
  throw Error("predictor", "\"" + std::string(predictor) + "\" cannot be trained");
}

Weights toWeights(const TrainableNet& net) {
  Weights weights("trained");
  for (const auto& entry : net.named_parameters())
    weights.setTensor(entry.key(), toTensor(entry.value()));
  return weights;
}

Outcome train(std::vector<Trace> traces, const std::string& data, const Options& options,
              const Watcher& watch) {
  return Run(std::move(traces), data, options).run(watch);
}

}  // namespace elf::train
