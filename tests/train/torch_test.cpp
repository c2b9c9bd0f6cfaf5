// SPDX-License-Identifier: LGPL-2.1-or-later
// What runs without LibTorch against LibTorch.
#include <gtest/gtest.h>
#include <torch/nn/modules/rnn.h>
#include <torch/utils.h>

#include <set>

#include "elf/predict/layers.h"
#include "elf/predict/lstm_predictors.h"
#include "elf/predict/motion_network.h"
#include "research/train/trainable_net.h"
#include "research/train/trainer.h"

namespace elf {
namespace {

constexpr double kTolerance = 1e-5;

/** Draws parameters of another size than the usual ones. */
void scramble(torch::nn::Module& module, double range) {
  const torch::NoGradGuard guard;
  for (torch::Tensor& parameter : module.parameters()) parameter.uniform_(-range, range);
}

Weights weightsOf(const torch::nn::Module& module) {
  Weights weights("random");
  for (const auto& entry : module.named_parameters()) {
    const torch::Tensor values = entry.value().detach().contiguous();
    Tensor tensor;
    for (const std::int64_t extent : values.sizes())
      tensor.shape.push_back(static_cast<int>(extent));
    tensor.values.assign(values.data_ptr<float>(), values.data_ptr<float>() + values.numel());
    weights.setTensor(entry.key(), tensor);
  }
  return weights;
}

std::span<const float> row(const torch::Tensor& tensor, std::int64_t i) {
  const std::int64_t width = tensor.size(1);
  return {tensor.data_ptr<float>() + i * width, static_cast<std::size_t>(width)};
}

void expectNear(std::span<const float> is, std::span<const float> expected) {
  ASSERT_EQ(is.size(), expected.size());
  for (std::size_t i = 0; i < is.size(); ++i) ASSERT_NEAR(is[i], expected[i], kTolerance) << i;
}

TEST(LstmCell, EqualsLibTorchs) {
  torch::manual_seed(1);
  const torch::NoGradGuard guard;
  for (const auto& [in, hidden] : {std::pair(4, 8), std::pair(16, 16), std::pair(7, 33)}) {
    torch::nn::LSTMCell expected(in, hidden);
    scramble(*expected, 0.5);
    const LstmCell cell(weightsOf(*expected), "", "", in, hidden);
    std::vector<float> h(static_cast<std::size_t>(hidden)), c(h);
    auto state = std::make_tuple(torch::zeros({1, hidden}), torch::zeros({1, hidden}));
    for (int step = 0; step < 20; ++step) {
      const torch::Tensor x = torch::randn({1, in});
      state = expected->forward(x, state);
      cell.run(row(x, 0), {h, c});
      expectNear(h, row(std::get<0>(state), 0));
      expectNear(c, row(std::get<1>(state), 0));
    }
  }
}

TEST(GruCell, EqualsLibTorchs) {
  torch::manual_seed(2);
  const torch::NoGradGuard guard;
  for (const auto& [in, hidden] : {std::pair(4, 8), std::pair(12, 64), std::pair(7, 33)}) {
    torch::nn::GRUCell expected(in, hidden);
    scramble(*expected, 0.5);
    const GruCell cell(weightsOf(*expected), "", "", in, hidden);
    std::vector<float> h(static_cast<std::size_t>(hidden));
    torch::Tensor state = torch::zeros({1, hidden});
    for (int step = 0; step < 20; ++step) {
      const torch::Tensor x = torch::randn({1, in});
      state = expected->forward(x, state);
      cell.run(row(x, 0), h);
      expectNear(h, row(state, 0));
    }
  }
}

template <typename Network>
void expectEqualToTheNetInTraining(const char* predictor) {
  torch::manual_seed(3);
  const torch::NoGradGuard guard;
  for (int round = 0; round < 5; ++round) {
    const auto net = train::createNet(predictor);
    if (round > 0) scramble(*net, 1.5);
    const Network network(train::toWeights(*net));
    const torch::Tensor input = torch::rand({100, 2, 4});
    const torch::Tensor expected = net->forward(input);
    for (std::int64_t i = 0; i < input.size(0); ++i) {
      BoxShares boxes[2];
      for (int step = 0; step < 2; ++step)
        std::copy_n(input.data_ptr<float>() + (i * 2 + step) * 4, 4, boxes[step].begin());
      expectNear(network.next(boxes[0], boxes[1]), row(expected, i));
    }
  }
}

TEST(LstmNetwork, EqualsTheNetInTraining) {
  expectEqualToTheNetInTraining<LstmNetwork>(kLstm);
}

TEST(AttnLstmNetwork, EqualsTheNetInTraining) {
  expectEqualToTheNetInTraining<AttnLstmNetwork>(kAttnLstm);
}

Trace moving(std::initializer_list<std::int64_t> numbers) {
  Trace trace{"moving", {}};
  for (const std::int64_t number : numbers) {
    const auto t = static_cast<float>(number);
    TraceFrame frame{number, {100, 50}, {}};
    frame.objects.push_back({.id = 1, .box = {10 + t, 10, 30 + t, 20}});
    if (number >= 2) frame.objects.push_back({.id = 2, .box = {60, 30, 90, 45}});
    trace.frames.push_back(frame);
  }
  return trace;
}

TEST(BoxNets, LearnFromWindowsMadeByTheReleasedRule) {
  for (const char* predictor : {kLstm, kAttnLstm}) {
    const auto samples = train::createNet(predictor)->makeSamples(moving({0, 1, 2, 3, 5, 6}));
    ASSERT_EQ(samples.size(), 2U) << "frames that do not follow each other are no window";
    const auto expected = torch::tensor({{{0.10F, 0.2F, 0.30F, 0.4F}, {0.11F, 0.2F, 0.31F, 0.4F}},
                                         {{0.6F, 0.6F, 0.9F, 0.9F}, {0.6F, 0.6F, 0.9F, 0.9F}}});
    EXPECT_TRUE(torch::allclose(samples[0].input, expected)) << samples[0].input;
    EXPECT_TRUE(torch::allclose(
        samples[0].target, torch::tensor({{0.12F, 0.2F, 0.32F, 0.4F}, {0.6F, 0.6F, 0.9F, 0.9F}})));
  }
}

TEST(BoxNets, HaveTheReleasedLoss) {
  for (const char* predictor : {kLstm, kAttnLstm}) {
    const auto net = train::createNet(predictor);
    const auto a = torch::tensor({{0.0F, 0.0F, 0.4F, 0.5F}, {0.1F, 0.1F, 0.2F, 0.2F}});
    const auto b = torch::tensor({{0.0F, 0.0F, 0.2F, 0.5F}, {0.5F, 0.5F, 0.6F, 0.6F}});
    EXPECT_NEAR(net->loss(a, a).item<double>(), 0, 1e-6);
    // Half of the union in common, and nothing; squares 0.04 and four times 0.16.
    EXPECT_NEAR(net->loss(a, b).item<double>(), 0.04 / 2 + 4 * 0.16 / 2 + (0.5 + 1) / 2, 1e-6);
  }
}

TEST(MotionNetwork, EqualsTheNetInTraining) {
  torch::manual_seed(3);
  const torch::NoGradGuard guard;
  // Three frames are too few for anything but the released window: its objects are known here.
  MotionWindow first, second;
  first.boxes[0] = {11, 10, 31, 20};
  first.boxes[1] = {10, 10, 30, 20};
  second.boxes[0] = second.boxes[1] = {60, 30, 90, 45};
  for (MotionWindow* window : {&first, &second}) window->seen[0] = window->seen[1] = true;
  for (int round = 0; round < 5; ++round) {
    const auto net = train::createNet(kDefaultPredictor);
    net->eval();
    if (round > 0) scramble(*net, 0.3);
    const auto samples = net->makeSamples(moving({0, 1, 2}));
    ASSERT_FALSE(samples.empty());
    const torch::Tensor expected = net->forward(samples[0].input);
    const MotionNetwork network(train::toWeights(*net));
    const auto forecasts = network.run(std::vector{first, second}, {100, 50});
    ASSERT_EQ(expected.size(0), 2);
    for (std::int64_t i = 0; i < 2; ++i) {
      const MotionForecast& forecast = forecasts[static_cast<std::size_t>(i)];
      const auto value = [&](std::int64_t column) { return expected[i][column].item<float>(); };
      // Pixels of a frame of 100: 1e-3 of them are 1e-5 of the frame.
      EXPECT_NEAR(forecast.box.x0, value(0), 1e-3);
      EXPECT_NEAR(forecast.box.y0, value(1), 1e-3);
      EXPECT_NEAR(forecast.box.x1, value(2), 1e-3);
      EXPECT_NEAR(forecast.box.y1, value(3), 1e-3);
      EXPECT_NEAR(forecast.reach.left, value(4), 1e-3);
      EXPECT_NEAR(forecast.reach.top, value(5), 1e-3);
      EXPECT_NEAR(forecast.reach.right, value(6), 1e-3);
      EXPECT_NEAR(forecast.reach.bottom, value(7), 1e-3);
      EXPECT_NEAR(forecast.presence, 1 / (1 + std::exp(-value(8))), 1e-5);
    }
  }
}

}  // namespace
}  // namespace elf
