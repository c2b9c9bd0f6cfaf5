// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/layers.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "elf/base/error.h"

namespace elf {

namespace {

// GCC's and Clang's vectors, which become SIMD in any build; loops alone do not at -O2.
using Vector = float __attribute__((vector_size(16)));
using Integers = std::int32_t __attribute__((vector_size(16)));
constexpr std::size_t kLanes = 4;
// Rows of a matrix done at once: fewer would wait for each other's sums.
constexpr std::size_t kRows = 4 * kLanes;

/**
 * e to the power of each value. Not std::exp, which takes them one by one and most of the time that
 * a network needs. e^x = 2^k e^r with |r| <= ln(2)/2, e^r by its Taylor polynomial of degree 6;
 * relative error below 1e-6.
 */
inline Vector exponential(Vector x) {
  constexpr float kLog2E = 1.44269504F;
  constexpr float kLn2High = 0.693359375F;  // exact in few bits, so that k times it is exact too
  constexpr float kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves no fraction
  const Vector low = Vector{} - 87.0F;
  const Vector high = Vector{} + 88.0F;
  x = x > low ? x : low;  // in this order a NaN becomes a number too
  x = x < high ? x : high;
  const Vector k = (x * kLog2E + kRound) - kRound;
  const Vector r = (x - k * kLn2High) - k * kLn2Low;
  const Vector polynomial =
      1 + r * (1 + r * (1.0F / 2 +
                        r * (1.0F / 6 + r * (1.0F / 24 + r * (1.0F / 120 + r * (1.0F / 720))))));
  const Integers exponent = (__builtin_convertvector(k, Integers) + 127) << 23;
  return polynomial * std::bit_cast<Vector>(exponent);
}

inline Vector load(const float* from) {
  Vector vector;
  std::memcpy(&vector, from, sizeof vector);
  return vector;
}

/** Replaces all values by a function of them, vector by vector, the last one filled with zeros. */
template <typename Function>
void replace(std::span<float> values, Function function) {
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    const Vector result = function(load(&values[i]));
    std::memcpy(&values[i], &result, sizeof result);
  }
  if (i == values.size()) return;
  Vector rest{};
  std::memcpy(&rest, &values[i], (values.size() - i) * sizeof(float));
  rest = function(rest);
  std::memcpy(&values[i], &rest, (values.size() - i) * sizeof(float));
}

/** The part of a recurrent cell that sees the input ("_ih") or its own state ("_hh"). */
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
  replace(values, [](Vector x) { return 1 / (1 + exponential(-x)); });
}

void hyperbolicTangent(std::span<float> values) {
  replace(values, [](Vector x) { return 1 - 2 / (1 + exponential(2 * x)); });
}

Linear::Linear(const Weights& weights, const std::string& prefix, int in, int out)
    : Linear(weights.tensor(prefix + ".weight", {out, in}).values,
             weights.tensor(prefix + ".bias", {out}).values, in, out) {}

Linear::Linear(std::span<const float> weight, std::span<const float> bias, int in, int out)
    : in_(in), out_(out) {
  const auto inputs = static_cast<std::size_t>(in);
  const auto outputs = static_cast<std::size_t>(out);
  for (std::size_t row = 0; row < outputs; row += kRows) {
    const auto append = [&](auto value) {
      for (std::size_t i = row; i < row + kRows; ++i)
        blocks_.push_back(i < outputs ? value(i) : 0.0F);
    };
    append([&](std::size_t i) { return bias[i]; });
    for (std::size_t j = 0; j < inputs; ++j)
      append([&](std::size_t i) { return weight[i * inputs + j]; });
  }
}

void Linear::run(std::span<const float> x, std::span<float> y) const {
  const float* weight = blocks_.data();
  for (std::size_t row = 0; row < y.size(); row += kRows) {
    // One by one: an array of them would not stay in registers.
    Vector a = load(weight), b = load(weight + 4), c = load(weight + 8), d = load(weight + 12);
    weight += kRows;
    for (const float value : x) {
      a += load(weight) * value;
      b += load(weight + 4) * value;
      c += load(weight + 8) * value;
      d += load(weight + 12) * value;
      weight += kRows;
    }
    const Vector sums[] = {a, b, c, d};
    std::memcpy(&y[row], sums, std::min(kRows, y.size() - row) * sizeof(float));
  }
}

LstmCell::LstmCell(const Weights& weights, const std::string& prefix, const std::string& suffix,
                   int in, int hidden)
    : hidden_(checkedHidden(weights, hidden)),
      input_(gates(weights, prefix, "_ih", suffix, in, 4 * hidden)),
      recurrent_(gates(weights, prefix, "_hh", suffix, hidden, 4 * hidden)) {}

void LstmCell::run(std::span<const float> x, LstmState state) const {
  const auto n = static_cast<std::size_t>(hidden_);
  std::array<float, 4 * kMaxHidden> fromInput;
  std::array<float, 4 * kMaxHidden> fromState;
  const std::span<float> gate(fromInput.data(), 4 * n);
  const std::span<float> recurrent(fromState.data(), 4 * n);
  input_.run(x, gate);
  recurrent_.run(state.h, recurrent);
  for (std::size_t i = 0; i < 4 * n; ++i) gate[i] += recurrent[i];
  sigmoid(gate.first(2 * n));
  hyperbolicTangent(gate.subspan(2 * n, n));
  sigmoid(gate.last(n));
  for (std::size_t i = 0; i < n; ++i)
    state.h[i] = state.c[i] = gate[n + i] * state.c[i] + gate[i] * gate[2 * n + i];
  hyperbolicTangent(state.h);
  for (std::size_t i = 0; i < n; ++i) state.h[i] *= gate[3 * n + i];
}

GruCell::GruCell(const Weights& weights, const std::string& prefix, const std::string& suffix,
                 int in, int hidden)
    : hidden_(checkedHidden(weights, hidden)),
      input_(gates(weights, prefix, "_ih", suffix, in, 3 * hidden)),
      recurrent_(gates(weights, prefix, "_hh", suffix, hidden, 3 * hidden)) {}

void GruCell::run(std::span<const float> x, std::span<float> h) const {
  const auto n = static_cast<std::size_t>(hidden_);
  std::array<float, 3 * kMaxHidden> fromInput;
  std::array<float, 3 * kMaxHidden> fromState;
  const std::span<float> gate(fromInput.data(), 3 * n);
  const std::span<float> recurrent(fromState.data(), 3 * n);
  input_.run(x, gate);
  recurrent_.run(h, recurrent);
  for (std::size_t i = 0; i < 2 * n; ++i) gate[i] += recurrent[i];
  sigmoid(gate.first(2 * n));
  for (std::size_t i = 0; i < n; ++i) gate[2 * n + i] += gate[i] * recurrent[2 * n + i];
  hyperbolicTangent(gate.last(n));
  for (std::size_t i = 0; i < n; ++i)
    h[i] = gate[2 * n + i] + gate[n + i] * (h[i] - gate[2 * n + i]);
}

}  // namespace elf
