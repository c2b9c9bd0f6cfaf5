// SPDX-License-Identifier: LGPL-2.1-or-later
// The trainer's interface to a network. Not installed. Includes LibTorch, which is slow to compile:
// few files should include this one.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <memory>
#include <string_view>
#include <vector>

#include "elf/predict/weights.h"
#include "research/data/traces.h"

namespace elf::train {

/** Data that belong together, such as all objects of a window of frames. Never split over
 * batches. */
struct Sample {
  /** [objects, ...] each. The network defines the rest. */
  torch::Tensor input;
  torch::Tensor target;
};

/** The best training settings of a network. */
struct Recipe {
  int epochs = 0;
  /** Samples per step of the optimiser, Adam. */
  std::size_t batch = 0;
  /**
   * Largest rate: it rises from 0 over the first 2 % of the steps, and falls back along half a
   * cosine.
   */
  double learningRate = 0;
  /** Gradients are scaled down to this norm. */
  double gradientNorm = 1;
};

/**
 * A network in training. Its parameters are floats with the names of the predictor's weights. It
 * begins with random parameters from torch's default generator.
 */
class TrainableNet : public torch::nn::Module {
 public:
  virtual Recipe recipe() const = 0;
  /** The samples of a trace. May be empty. */
  virtual std::vector<Sample> makeSamples(const Trace& trace) const = 0;
  /** Called once, before training, with all training samples. */
  virtual void prepare(const Sample& all) = 0;
  /** The prediction for each object of `input`, [objects, ...]. */
  virtual torch::Tensor forward(torch::Tensor input) = 0;
  /** A scalar: mean over the objects. */
  virtual torch::Tensor loss(const torch::Tensor& output, const torch::Tensor& target) const = 0;
};

/** Throws elf::Error naming `predictor` for a name not in trainableChoices(). */
std::shared_ptr<TrainableNet> createNet(std::string_view predictor);

/** The current parameters, without metadata. */
Weights toWeights(const TrainableNet& net);

}  // namespace elf::train
