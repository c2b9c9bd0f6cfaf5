// SPDX-License-Identifier: LGPL-2.1-or-later
// Training of a predictor's network. No type of LibTorch is in here.
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

/** The predictors that can be trained; the first is the default. */
std::span<const Choice> trainableChoices();

struct Options {
  /** One of trainableChoices(). */
  std::string predictor;
  /** Times that each sample is seen at most, >= 1; 0 takes the network's own number. */
  int epochs = 0;
  /** Ends after so many epochs in which the validation loss did not fall; 0 never does. */
  int patience = 20;
  /** Share of the videos that are held back for validation, 0..1; at least one is. */
  double validation = 0.2;
  /** Everything that is drawn at random follows from it. */
  std::uint64_t seed = 1;
  /** File that holds, after each epoch, all that is needed to go on from there. */
  std::string checkpoint;
  /** Goes on from the checkpoint, if it is there. */
  bool resume = false;
};

/** An epoch: once through all samples. */
struct Epoch {
  /** From 1. */
  int number = 0;
  /** Mean over the samples as they were trained on, each before its step. */
  double trainingLoss = 0;
  /** Mean over the videos held back, after the epoch. */
  double validationLoss = 0;
  /** Of the optimiser, at the end of the epoch. */
  double learningRate = 0;
};

/** Where training is. */
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
  /** Those of the epoch with the least validation loss. */
  Weights weights{""};
  Epoch best;
  /** All epochs, those before a resumption too. */
  std::vector<Epoch> epochs;
  /** Epochs that a checkpoint brought. */
  int resumedAt = 0;
  bool stoppedEarly = false;
  std::vector<std::string> trainingVideos;
  std::vector<std::string> validationVideos;
  std::size_t trainingSamples = 0;
  std::size_t validationSamples = 0;
};

/**
 * Trains on the traces, called `data` in errors and in the weights' metadata. Which videos are held
 * back is drawn by the seed; of a single video it is the end.
 *
 * The same traces, options and seed give the same weights, bit by bit, on the same machine with the
 * same LibTorch: it computes in the calling thread alone, for which it sets LibTorch's number of
 * threads for the whole process. So they do where training was killed and resumed.
 *
 * Throws elf::Error naming `predictor`, `data` where nothing can be learned from it, or the
 * checkpoint that can't be written, or resumed from: one of another predictor, seed, data or number
 * of epochs. The loss becoming infinite is an error, too.
 */
Outcome train(std::vector<Trace> traces, const std::string& data, const Options& options,
              const Watcher& watch = {});

}  // namespace elf::train
