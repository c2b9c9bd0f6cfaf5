// SPDX-License-Identifier: LGPL-2.1-or-later
// Training of a predictor's network. Uses no type of LibTorch.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "elf/base/choice.h"
#include "elf/predict/weights.h"
#include "research/data/traces.h"

namespace elf::train {

/** The predictors that can be trained. The first is the default. */
std::span<const Choice> trainableChoices();

struct Options {
  /** One of trainableChoices(). */
  std::string predictor;
  /** Maximum number of times that each sample is seen, >= 1. 0: the network's own number. */
  int epochs = 0;
  /** Ends after this many epochs without a lower validation loss. 0: never. */
  int patience = 20;
  /** Share of the videos that are held back for validation, 0..1, at least one. */
  double validation = 0.2;
  /** The seed of all random numbers. */
  std::uint64_t seed = 1;
  /** File that holds, after each epoch, all that is needed to continue. */
  std::string checkpoint;
  /** Continues from the checkpoint, if it exists. */
  bool resume = false;
};

/** An epoch: one pass over all samples. */
struct Epoch {
  /** From 1. */
  int number = 0;
  /** Mean over the training samples, each before its step. */
  double trainingLoss = 0;
  /** Mean over the videos held back, after the epoch. */
  double validationLoss = 0;
  /** The optimiser's, at the end of the epoch. */
  double learningRate = 0;
};

/** The progress of training. */
struct Progress {
  int epoch = 0;
  int epochs = 0;
  /** Samples seen in this epoch, and all. */
  std::size_t seen = 0;
  std::size_t samples = 0;
  /** Set at the end of an epoch. */
  const Epoch* finished = nullptr;
};
using Watcher = std::function<void(const Progress&)>;

struct Outcome {
  /** Those of the epoch with the lowest validation loss. */
  Weights weights{""};
  Epoch best;
  /** All epochs, including those before a resumption. */
  std::vector<Epoch> epochs;
  /** Epochs from the checkpoint. */
  int resumedAt = 0;
  bool stoppedEarly = false;
  std::vector<std::string> trainingVideos;
  std::vector<std::string> validationVideos;
  std::size_t trainingSamples = 0;
  std::size_t validationSamples = 0;
};

/**
 * Trains on the traces, called `data` in errors and in the weights' metadata. The seed selects the
 * videos that are held back. A single video's end is held back.
 *
 * The same traces, options and seed give the same weights, bit by bit, on the same machine with the
 * same LibTorch. It computes in the calling thread alone, and sets LibTorch's number of threads for
 * the whole process. This also holds if training was killed and resumed.
 *
 * Throws elf::Error naming `predictor`, `data` if nothing can be learned from it, or the checkpoint
 * if it can't be written or resumed: one of another predictor, seed, data or number of epochs. An
 * infinite loss is an error, too.
 */
Outcome train(std::vector<Trace> traces, const std::string& data, const Options& options,
              const Watcher& watch = {});

}  // namespace elf::train
