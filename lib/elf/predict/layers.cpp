// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/layers.h"

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>

#include "elf/base/error.h"

namespace elf {

namespace {

using Values = Eigen::Map<Eigen::ArrayXf>;
using ConstValues = Eigen::Map<const Eigen::ArrayXf>;

Values valuesOf(std::span<float> values) {
  return {values.data(), static_cast<Eigen::Index>(values.size())};
}

ConstValues valuesOf(std::span<const float> values) {
  return {values.data(), static_cast<Eigen::Index>(values.size())};
}

/** Replaces NaN by 0. */
Values numbersOf(std::span<float> values) {
  std::ranges::replace_if(
      values, [](float value) { return std::isnan(value); }, 0.0F);
  return valuesOf(values);
}

/** The part of a recurrent cell for its input ("_ih") or its own state ("_hh"). */
Linear gates(const Weights& weights, const std::string& prefix, const std::string& part,
             const std::string& suffix, int in, int out) {
  return {weights.tensor(prefix + "weight" + part + suffix, {out, in}).values,
          weights.tensor(prefix + "bias" + part + suffix, {out}).values, in, out};
}

int checkedHidden(const Weights& weights, int hidden) {
  if (hidden < 1 || hidden > kMaxHidden)
    throw Error(weights.name(), "has a recurrent layer of " + std::to_string(hidden) +
                                    " units, not 1 to " + std::to_string(kMaxHidden));
  return hidden;
}

}  // namespace

void sigmoid(std::span<float> values) {
  valuesOf(values) = numbersOf(values).logistic();
}

void hyperbolicTangent(std::span<float> values) {
  valuesOf(values) = numbersOf(values).tanh();
}

Linear::Linear(const Weights& weights, const std::string& prefix, int in, int out)
    : Linear(weights.tensor(prefix + ".weight", {out, in}).values,
             weights.tensor(prefix + ".bias", {out}).values, in, out) {}

Linear::Linear(std::span<const float> weight, std::span<const float> bias, int in, int out)
    : in_(in), out_(out), columns_(weight.size()), bias_(bias.begin(), bias.end()) {
  // A row-major `out` by `in` matrix, read column by column, is `in` by `out`: its transpose.
  Eigen::Map<Eigen::MatrixXf>(columns_.data(), out, in) =
      Eigen::Map<const Eigen::MatrixXf>(weight.data(), in, out).transpose();
}

void Linear::run(std::span<const float> x, std::span<float> y) const {
  const Eigen::Map<const Eigen::MatrixXf> weight(columns_.data(), out_, in_);
  valuesOf(y) = valuesOf(bias_);
  valuesOf(y).matrix().noalias() += weight * valuesOf(x).matrix();
}

LstmCell::LstmCell(const Weights& weights, const std::string& prefix, const std::string& suffix,
                   int in, int hidden)
    : hidden_(checkedHidden(weights, hidden)),
      input_(gates(weights, prefix, "_ih", suffix, in, 4 * hidden)),
      recurrent_(gates(weights, prefix, "_hh", suffix, hidden, 4 * hidden)) {}

void LstmCell::run(std::span<const float> x, LstmState state) const {
  const auto n = static_cast<std::size_t>(hidden_);
  std::array<float, 4 * kMaxHidden> fromInput, fromState;
  const std::span gates(fromInput.data(), 4 * n), recurrent(fromState.data(), 4 * n);
  input_.run(x, gates);
  recurrent_.run(state.h, recurrent);
  valuesOf(gates) += valuesOf(recurrent);
  const std::span in = gates.first(n), forget = gates.subspan(n, n), cell = gates.subspan(2 * n, n);
  const std::span out = gates.last(n);
  sigmoid(gates.first(2 * n));
  hyperbolicTangent(cell);
  sigmoid(out);
  valuesOf(state.c) = valuesOf(forget) * valuesOf(state.c) + valuesOf(in) * valuesOf(cell);
  valuesOf(state.h) = valuesOf(out) * numbersOf(state.c).tanh();
}

GruCell::GruCell(const Weights& weights, const std::string& prefix, const std::string& suffix,
                 int in, int hidden)
    : hidden_(checkedHidden(weights, hidden)),
      input_(gates(weights, prefix, "_ih", suffix, in, 3 * hidden)),
      recurrent_(gates(weights, prefix, "_hh", suffix, hidden, 3 * hidden)) {}

void GruCell::run(std::span<const float> x, std::span<float> h) const {
  const auto n = static_cast<std::size_t>(hidden_);
  std::array<float, 3 * kMaxHidden> fromInput, fromState;
  const std::span gates(fromInput.data(), 3 * n), recurrent(fromState.data(), 3 * n);
  input_.run(x, gates);
  recurrent_.run(h, recurrent);
  const std::span first = gates.first(2 * n);  // reset and update
  valuesOf(first) += valuesOf(recurrent.first(2 * n));
  sigmoid(first);
  const std::span reset = gates.first(n), update = gates.subspan(n, n), fresh = gates.last(n);
  valuesOf(fresh) += valuesOf(reset) * valuesOf(recurrent.last(n));
  hyperbolicTangent(fresh);
  valuesOf(h) = valuesOf(fresh) + valuesOf(update) * (valuesOf(h) - valuesOf(fresh));
}

}  // namespace elf
