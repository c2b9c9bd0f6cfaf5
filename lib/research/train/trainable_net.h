// SPDX-License-Identifier: LGPL-2.1-or-later
// What the trainer asks of a network. Not installed; includes LibTorch, which takes its time: few
// files should include this one.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <memory>
#include <string_view>
#include <vector>

#include "elf/predict/weights.h"
#include "research/data/traces.h"

namespace elf::train {

/** What belongs together, such as all objects of a window of frames: never split over batches. */
struct Sample {
  /** [objects, ...] each; the rest is the network's business. */
  torch::Tensor input;
  torch::Tensor target;
};

/** How a network is best trained. */
struct Recipe {
  int epochs = 0;
  /** Samples in a step of the optimiser, Adam. */
  std::size_t batch = 0;
  /**
   * Largest rate: it rises to it from 0 over the first 2 % of the steps, and falls back along half
   * a cosine.
   */
  double learningRate = 0;
  /** Gradients are scaled down to this norm. */
  double gradientNorm = 1;
};

/**
 * A network in training. Its parameters are floats, and go by the names that the predictor's
 * weights have. Made with random parameters from torch's default generator.
 */
class TrainableNet : public torch::nn::Module {
 public:
  virtual Recipe recipe() const = 0;
  /** What a trace has to learn from; may be nothing. */
  virtual std::vector<Sample> makeSamples(const Trace& trace) const = 0;
  /** Called once, before training, with all samples to train on. */
  virtual void prepare(const Sample& all) = 0;
  /** What is predicted for each object of `input`, [objects, ...]. */
  virtual torch::Tensor forward(torch::Tensor input) = 0;
  /** A scalar: mean over the objects. */
  virtual torch::Tensor loss(const torch::Tensor& output, const torch::Tensor& target) const = 0;
};

/** Throws elf::Error naming `predictor` for a name not in trainableChoices(). */
std::shared_ptr<TrainableNet> createNet(std::string_view predictor);

/** The parameters as they are, without metadata. */
Weights toWeights(const TrainableNet& net);

}  // namespace elf::train
