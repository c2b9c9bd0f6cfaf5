// SPDX-License-Identifier: LGPL-2.1-or-later
// The layers against the formulas of PyTorch's manual in double precision; tests/train holds them
// against LibTorch itself.
#include "elf/predict/layers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "elf/base/error.h"

namespace elf {
namespace {

using Vector = std::vector<double>;

class RandomWeights {
 public:
  explicit RandomWeights(unsigned seed) : random_(seed) {}

  std::vector<float> values(std::size_t count, float range = 1) {
    std::uniform_real_distribution<float> uniform(-range, range);
    std::vector<float> values(count);
    for (float& value : values) value = uniform(random_);
    return values;
  }
  void add(Weights& weights, const std::string& key, std::vector<int> shape) {
    std::size_t count = 1;
    for (const int extent : shape) count *= static_cast<std::size_t>(extent);
    weights.setTensor(key, {std::move(shape), values(count)});
  }
  Weights cell(int gates, int in, int hidden) {
    Weights weights("random");
    add(weights, "weight_ih", {gates * hidden, in});
    add(weights, "weight_hh", {gates * hidden, hidden});
    add(weights, "bias_ih", {gates * hidden});
    add(weights, "bias_hh", {gates * hidden});
    return weights;
  }

 private:
  std::mt19937 random_;
};

Vector affine(const Weights& weights, const std::string& part, const Vector& x) {
  const std::vector<float>& weight = weights.tensors().at("weight" + part).values;
  const std::vector<float>& bias = weights.tensors().at("bias" + part).values;
  Vector y(bias.begin(), bias.end());
  for (std::size_t i = 0; i < y.size(); ++i)
    for (std::size_t j = 0; j < x.size(); ++j) y[i] += weight[i * x.size() + j] * x[j];
  return y;
}

double logistic(double x) {
  return 1 / (1 + std::exp(-x));
}

TEST(Activations, AreTheFunctionsEverywhere) {
  std::vector<float> values;
  for (float x = -100; x <= 100; x += 0.01F) values.push_back(x);
  std::vector<float> s = values, t = values;
  sigmoid(s);
  hyperbolicTangent(t);
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_NEAR(s[i], logistic(values[i]), 1e-6) << values[i];
    ASSERT_NEAR(t[i], std::tanh(static_cast<double>(values[i])), 1e-6) << values[i];
  }
}

TEST(Activations, AnswerANumberToWhatIsNone) {
  std::vector<float> values{std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()};
  sigmoid(values);
  EXPECT_TRUE(std::isfinite(values[0]));
  EXPECT_NEAR(values[1], 1, 1e-6);
  EXPECT_NEAR(values[2], 0, 1e-6);
}

TEST(Linear, EqualsItsFormulaForEverySize) {
  RandomWeights random(1);
  for (int in = 1; in <= 19; ++in)
    for (int out = 1; out <= 19; ++out) {
      Weights weights("random");
      random.add(weights, "fc.weight", {out, in});
      random.add(weights, "fc.bias", {out});
      weights.setTensor("weight", weights.tensor("fc.weight", {out, in}));
      weights.setTensor("bias", weights.tensor("fc.bias", {out}));
      const std::vector<float> x = random.values(static_cast<std::size_t>(in));
      std::vector<float> y(static_cast<std::size_t>(out));
      Linear(weights, "fc", in, out).run(x, y);
      const Vector expected = affine(weights, "", Vector(x.begin(), x.end()));
      for (std::size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], expected[i], 1e-5);
    }
}

TEST(LstmCell, EqualsItsFormulaOverManySteps) {
  RandomWeights random(2);
  for (const auto& [in, hidden] : {std::pair(4, 8), std::pair(16, 16), std::pair(3, 5)}) {
    const Weights weights = random.cell(4, in, hidden);
    const LstmCell cell(weights, "", "", in, hidden);
    const auto n = static_cast<std::size_t>(hidden);
    std::vector<float> h(n), c(n);
    Vector expectedH(n), expectedC(n);
    for (int step = 0; step < 20; ++step) {
      const std::vector<float> x = random.values(static_cast<std::size_t>(in), 3);
      cell.run(x, {h, c});
      const Vector a = affine(weights, "_ih", Vector(x.begin(), x.end()));
      const Vector b = affine(weights, "_hh", expectedH);
      for (std::size_t i = 0; i < n; ++i) {
        const auto gate = [&](std::size_t k) { return a[k * n + i] + b[k * n + i]; };
        expectedC[i] = logistic(gate(1)) * expectedC[i] + logistic(gate(0)) * std::tanh(gate(2));
        expectedH[i] = logistic(gate(3)) * std::tanh(expectedC[i]);
        ASSERT_NEAR(h[i], expectedH[i], 1e-5);
        ASSERT_NEAR(c[i], expectedC[i], 1e-5);
      }
    }
  }
}

TEST(GruCell, EqualsItsFormulaOverManySteps) {
  RandomWeights random(3);
  for (const auto& [in, hidden] : {std::pair(4, 8), std::pair(9, 32), std::pair(3, 5)}) {
    const Weights weights = random.cell(3, in, hidden);
    const GruCell cell(weights, "", "", in, hidden);
    const auto n = static_cast<std::size_t>(hidden);
    std::vector<float> h(n);
    Vector expected(n);
    for (int step = 0; step < 20; ++step) {
      const std::vector<float> x = random.values(static_cast<std::size_t>(in), 3);
      cell.run(x, h);
      const Vector a = affine(weights, "_ih", Vector(x.begin(), x.end()));
      const Vector b = affine(weights, "_hh", expected);
      for (std::size_t i = 0; i < n; ++i) {
        const double reset = logistic(a[i] + b[i]);
        const double update = logistic(a[n + i] + b[n + i]);
        const double fresh = std::tanh(a[2 * n + i] + reset * b[2 * n + i]);
        expected[i] = (1 - update) * fresh + update * expected[i];
        ASSERT_NEAR(h[i], expected[i], 1e-5);
      }
    }
  }
}

TEST(Cells, RefuseWeightsOfAnotherSize) {
  const Weights weights = RandomWeights(4).cell(4, 4, 8);
  EXPECT_THROW(LstmCell(weights, "", "", 4, 9), Error);
  EXPECT_THROW(LstmCell(weights, "", "", 5, 8), Error);
  EXPECT_THROW(LstmCell(weights, "", "_l0", 4, 8), Error);
  EXPECT_THROW(GruCell(weights, "", "", 4, 8), Error);
  EXPECT_THROW(LstmCell(RandomWeights(4).cell(4, 4, kMaxHidden + 1), "", "", 4, kMaxHidden + 1),
               Error);
}

}  // namespace
}  // namespace elf
