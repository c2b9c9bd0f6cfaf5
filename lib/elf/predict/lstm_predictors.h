// SPDX-License-Identifier: LGPL-2.1-or-later
// The paper's two networks, layer by layer as its authors released them.
//
// Both map an object's box in two frames, one right after the other, to its box in the next frame.
// The four coordinates x0, y0, x1, y1 are shares of the frame's width and height. Weights carry the
// names that the released PyTorch modules give them.
#pragma once

#include <array>
#include <memory>

#include "elf/predict/layers.h"
#include "elf/predict/predictor.h"
#include "elf/predict/weights.h"

namespace elf {

/** Names of the predictors, also in their weights. */
inline constexpr char kLstm[] = "lstm";
inline constexpr char kAttnLstm[] = "attn-lstm";

/** x0, y0, x1, y1 as shares of the frame's width and height. */
using BoxShares = std::array<float, 4>;

/** An LSTM of two layers, ReLU, a linear layer, the logistic function. */
class LstmNetwork {
 public:
  static constexpr int kHidden = 16;

  /** Throws elf::Error as Weights::tensor. */
  explicit LstmNetwork(const Weights& weights);
  /** The box after `before` and `last`. Allocates nothing; may be used from several threads. */
  BoxShares next(const BoxShares& before, const BoxShares& last) const;

 private:
  LstmCell first_;
  LstmCell second_;
  Linear output_;
};

/**
 * An LSTM encodes both boxes, and a second one decodes. Each of its two steps has attention over
 * both codes, and a linear mix of the attended code and that step's box.
 */
class AttnLstmNetwork {
 public:
  static constexpr int kHidden = 8;

  /** Throws elf::Error as Weights::tensor. */
  explicit AttnLstmNetwork(const Weights& weights);
  /** The box after `before` and `last`. Allocates nothing; may be used from several threads. */
  BoxShares next(const BoxShares& before, const BoxShares& last) const;

 private:
  LstmCell encoder_;
  Linear attention_;
  Linear score_;
  Linear mix_;
  LstmCell decoder_;
  Linear output_;
};

/**
 * Predictors of those networks. An object that was seen once is taken to stand still. If frames are
 * missing between the last two observations, the box of the frame before the last is interpolated.
 * A horizon above 1 runs the network on its own output, for at most 32 frames. After those the box
 * is taken to stand still. If the output has sides that cross, so has the prediction: the released
 * evaluation counts them. The uncertainty is the network's error at the last observation, times the
 * horizon; that of an object seen once or twice is a share of its size.
 */
std::unique_ptr<RpPredictor> createLstmPredictor(const Weights& weights);
std::unique_ptr<RpPredictor> createAttnLstmPredictor(const Weights& weights);

}  // namespace elf
