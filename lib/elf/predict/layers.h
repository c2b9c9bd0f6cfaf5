// SPDX-License-Identifier: LGPL-2.1-or-later
// Layers of small neural networks, run by Eigen without a framework: PyTorch's, with PyTorch's
// names.
//
// One sample at a time; no run function allocates. Objects are immutable: any thread may use them.
// may be used from several threads.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "elf/predict/weights.h"

namespace elf {

/** The logistic function, in place; within 1e-6 of the true value. */
void sigmoid(std::span<float> values);
/** The hyperbolic tangent, in place; within 1e-6 of the true value. */
void hyperbolicTangent(std::span<float> values);

/** y = W x + b. */
class Linear {
 public:
  /** From PREFIX.weight [out, in] and PREFIX.bias [out]; throws elf::Error as Weights::tensor. */
  Linear(const Weights& weights, const std::string& prefix, int in, int out);
  /** From values: `weight` row-major [out, in], `bias` [out]. */
  Linear(std::span<const float> weight, std::span<const float> bias, int in, int out);

  int in() const { return in_; }
  int out() const { return out_; }
  /** `x` holds in() values, `y` out(); they do not overlap. */
  void run(std::span<const float> x, std::span<float> y) const;

 private:
  int in_;
  int out_;
  /** The weights, column by column. */
  std::vector<float> columns_;
  std::vector<float> bias_;
};

/** Most hidden units of a cell, as the values of a step are kept on the stack. */
inline constexpr int kMaxHidden = 256;

/** The state that an LSTM cell passes to its next step, in the caller's memory; initially zero. */
struct LstmState {
  std::span<float> h;
  std::span<float> c;
};

/** One layer of nn.LSTM, or nn.LSTMCell: gates in the order input, forget, cell, output. */
class LstmCell {
 public:
  /**
   * From PREFIX + "weight_ih" + SUFFIX [4 hidden, in], "weight_hh" [4 hidden, hidden], "bias_ih"
   * and "bias_hh" [4 hidden]. The suffix of an nn.LSTM's layer n is "_ln". Throws elf::Error as
   * Weights::tensor, and if `hidden` is above kMaxHidden.
   */
  LstmCell(const Weights& weights, const std::string& prefix, const std::string& suffix, int in,
           int hidden);

  int hidden() const { return hidden_; }
  /** One step: `x` holds the cell's input. */
  void run(std::span<const float> x, LstmState state) const;

 private:
  int hidden_;
  Linear input_;
  Linear recurrent_;
};

/** One layer of nn.GRU, or nn.GRUCell: gates in the order reset, update, new. */
class GruCell {
 public:
  /** As LstmCell, with 3 hidden for 4 hidden. */
  GruCell(const Weights& weights, const std::string& prefix, const std::string& suffix, int in,
          int hidden);

  int hidden() const { return hidden_; }
  /** One step; `h` holds hidden() values, initially zero. */
  void run(std::span<const float> x, std::span<float> h) const;

 private:
  int hidden_;
  Linear input_;
  Linear recurrent_;
};

}  // namespace elf
