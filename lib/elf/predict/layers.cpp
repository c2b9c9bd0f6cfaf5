// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/layers.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "elf/base/error.h"

namespace elf {

namespace {

// Loops of this constant length become SIMD at -O2 too.
constexpr std::size_t kBlock = 8;
using Block = std::array<float, kBlock>;

/**
 * e to the power of each value. Not std::exp: the C library's is called value by value, and was
 * most of the time that a network took. e^x = 2^k e^r with |r| <= ln(2)/2, e^r by its Taylor
 * polynomial of degree 6; relative error below 1e-6.
 */
inline void exponential(Block& values) {
  constexpr float kLog2E = 1.44269504F;
  constexpr float kLn2High = 0.693359375F;  // exact in few bits, so that k times it is exact too
  constexpr float kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves no fraction
  for (std::size_t i = 0; i < kBlock; ++i) {
    float x = values[i];
    x = x > -87.0F ? x : -87.0F;  // in this order a NaN becomes a number too
    x = x < 88.0F ? x : 88.0F;
    const float k = (x * kLog2E + kRound) - kRound;
    const float r = (x - k * kLn2High) - k * kLn2Low;
    const float polynomial =
        1 + r * (1 + r * (1.0F / 2 +
                          r * (1.0F / 6 + r * (1.0F / 24 + r * (1.0F / 120 + r * (1.0F / 720))))));
    const std::int32_t exponent = (static_cast<std::int32_t>(k) + 127) << 23;
    values[i] = polynomial * std::bit_cast<float>(exponent);
  }
}

/** Applies a function of blocks to all values, the last block filled up with zeros. */
template <typename Function>
void forBlocks(std::span<float> values, Function function) {
  for (std::size_t i = 0; i < values.size(); i += kBlock) {
    const std::size_t count = std::min(kBlock, values.size() - i);
    Block block{};
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(i), count, block.begin());
    function(block);
    std::copy_n(block.begin(), count, values.begin() + static_cast<std::ptrdiff_t>(i));
  }
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
  forBlocks(values, [](Block& block) {
    for (float& value : block) value = -value;
    exponential(block);
    for (float& value : block) value = 1 / (1 + value);
  });
}

void hyperbolicTangent(std::span<float> values) {
  forBlocks(values, [](Block& block) {
    for (float& value : block) value *= 2;
    exponential(block);
    for (float& value : block) value = 1 - 2 / (1 + value);
  });
}

Linear::Linear(const Weights& weights, const std::string& prefix, int in, int out)
    : Linear(weights.tensor(prefix + ".weight", {out, in}).values,
             weights.tensor(prefix + ".bias", {out}).values, in, out) {}

Linear::Linear(std::span<const float> weight, std::span<const float> bias, int in, int out)
    : in_(in), out_(out) {
  const auto inputs = static_cast<std::size_t>(in);
  const auto outputs = static_cast<std::size_t>(out);
  for (std::size_t row = 0; row < outputs; row += kBlock) {
    const auto append = [&](auto value) {
      for (std::size_t i = row; i < row + kBlock; ++i)
        blocks_.push_back(i < outputs ? value(i) : 0.0F);
    };
    append([&](std::size_t i) { return bias[i]; });
    for (std::size_t j = 0; j < inputs; ++j)
      append([&](std::size_t i) { return weight[i * inputs + j]; });
  }
}

void Linear::run(std::span<const float> x, std::span<float> y) const {
  const float* weight = blocks_.data();
  for (std::size_t row = 0; row < y.size(); row += kBlock) {
    Block sum;
    std::copy_n(weight, kBlock, sum.begin());
    weight += kBlock;
    for (const float value : x) {
      for (std::size_t i = 0; i < kBlock; ++i) sum[i] += weight[i] * value;
      weight += kBlock;
    }
    std::copy_n(sum.begin(), std::min(kBlock, y.size() - row),
                y.begin() + static_cast<std::ptrdiff_t>(row));
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
