// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/lstm_predictors.h"

#include <glib.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <random>

#include "elf/base/error.h"
#include "tests/support/folder.h"

namespace elf {
namespace {

using testing::Folder;

constexpr Size kFrame{800, 400};

struct Shape {
  const char* key;
  std::vector<int> shape;
};

std::vector<Shape> shapesOf(const std::string& predictor) {
  if (predictor == kLstm)
    return {{"rnn.weight_ih_l0", {64, 4}},  {"rnn.weight_hh_l0", {64, 16}},
            {"rnn.bias_ih_l0", {64}},       {"rnn.bias_hh_l0", {64}},
            {"rnn.weight_ih_l1", {64, 16}}, {"rnn.weight_hh_l1", {64, 16}},
            {"rnn.bias_ih_l1", {64}},       {"rnn.bias_hh_l1", {64}},
            {"fc.weight", {4, 16}},         {"fc.bias", {4}}};
  return {{"encoder.rnn.weight_ih_l0", {32, 4}},
          {"encoder.rnn.weight_hh_l0", {32, 8}},
          {"encoder.rnn.bias_ih_l0", {32}},
          {"encoder.rnn.bias_hh_l0", {32}},
          {"decoder.attn_layer.0.weight", {8, 24}},
          {"decoder.attn_layer.0.bias", {8}},
          {"decoder.attn_layer.2.weight", {1, 8}},
          {"decoder.attn_layer.2.bias", {1}},
          {"decoder.lstm_layer.weight_ih_l0", {32, 4}},
          {"decoder.lstm_layer.weight_hh_l0", {32, 8}},
          {"decoder.lstm_layer.bias_ih_l0", {32}},
          {"decoder.lstm_layer.bias_hh_l0", {32}},
          {"decoder.fc.weight", {4, 12}},
          {"decoder.fc.bias", {4}},
          {"decoder.fc_final.weight", {4, 16}},
          {"decoder.fc_final.bias", {4}}};
}

// Weights drawn at random, which make the network answer about the box `bias`.
Weights randomWeights(const std::string& predictor, const std::vector<float>& bias) {
  Weights weights("random");
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(-0.3F, 0.3F);
  for (const Shape& shape : shapesOf(predictor)) {
    std::size_t count = 1;
    for (const int extent : shape.shape) count *= static_cast<std::size_t>(extent);
    Tensor tensor{shape.shape, std::vector<float>(count)};
    for (float& value : tensor.values) value = uniform(random);
    weights.setTensor(shape.key, tensor);
  }
  weights.setMetadata("predictor", predictor);
  const std::string last = predictor == kLstm ? "fc" : "decoder.fc_final";
  weights.setTensor(last + ".bias", {{4}, bias});
  return weights;
}

Weights boxWeights(const std::string& predictor) {
  return randomWeights(predictor, predictor == kLstm ? std::vector<float>{-2, -2, 2, 2}
                                                     : std::vector<float>{-1, -1, 2, 2});
}

std::unique_ptr<RpPredictor> create(const Weights& weights) {
  return weights.metadata("predictor") == kLstm ? createLstmPredictor(weights)
                                                : createAttnLstmPredictor(weights);
}

BoxShares next(const Weights& weights, const BoxShares& before, const BoxShares& last) {
  return weights.metadata("predictor") == kLstm ? LstmNetwork(weights).next(before, last)
                                                : AttnLstmNetwork(weights).next(before, last);
}

History seen(std::initializer_list<std::pair<std::uint64_t, Box>> observations) {
  History history;
  for (const auto& [frame, box] : observations)
    history.add({.id = frame,
                 .when = {.at = static_cast<double>(frame)},
                 .size = kFrame,
                 .looked = true,
                 .detections = {{.box = box, .id = 1}}});
  return history;
}

void expectNear(const Box& box, const BoxShares& shares) {
  EXPECT_NEAR(box.x0, shares[0] * 800, 1e-2);
  EXPECT_NEAR(box.y0, shares[1] * 400, 1e-2);
  EXPECT_NEAR(box.x1, shares[2] * 800, 1e-2);
  EXPECT_NEAR(box.y1, shares[3] * 400, 1e-2);
}

class LstmPredictors : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Both, LstmPredictors, ::testing::Values(kLstm, kAttnLstm),
                         [](const auto& value) {
                           return std::string(value.param == kLstm ? "Lstm" : "AttnLstm");
                         });

TEST_P(LstmPredictors, GiveTheNetworkTheLastTwoBoxesInSharesOfTheFrame) {
  const Weights weights = boxWeights(GetParam());
  const History history =
      seen({{3, {0, 0, 9, 9}}, {4, {80, 40, 160, 120}}, {5, {88, 44, 168, 124}}});
  const Prediction prediction = create(weights)->predict(history, {6}).at(0);
  const BoxShares expected = next(weights, {0.1F, 0.1F, 0.2F, 0.3F}, {0.11F, 0.11F, 0.21F, 0.31F});
  expectNear(prediction.box, expected);
}

TEST_P(LstmPredictors, TakeWhatWasSeenOnceForStandingStill) {
  const Weights weights = boxWeights(GetParam());
  const BoxShares box{0.1F, 0.1F, 0.2F, 0.3F};
  const Prediction prediction =
      create(weights)->predict(seen({{4, {80, 40, 160, 120}}}), {5}).at(0);
  expectNear(prediction.box, next(weights, box, box));
  EXPECT_GT(prediction.uncertainty.left, 0);
}

TEST_P(LstmPredictors, RunOnTheirOwnAnswersForALongerHorizon) {
  const Weights weights = boxWeights(GetParam());
  const BoxShares a{0.1F, 0.1F, 0.2F, 0.3F}, b{0.11F, 0.11F, 0.21F, 0.31F};
  const BoxShares c = next(weights, a, b);
  const BoxShares d = next(weights, b, c);
  const History history = seen({{4, {80, 40, 160, 120}}, {5, {88, 44, 168, 124}}});
  expectNear(create(weights)->predict(history, {8}).at(0).box, next(weights, c, d));
}

TEST_P(LstmPredictors, InterpolateMissingFrames) {
  const Weights weights = boxWeights(GetParam());
  const History history = seen({{1, {72, 36, 152, 116}}, {5, {88, 44, 168, 124}}});
  const BoxShares before{0.105F, 0.105F, 0.205F, 0.305F};
  expectNear(create(weights)->predict(history, {6}).at(0).box,
             next(weights, before, {0.11F, 0.11F, 0.21F, 0.31F}));
}

TEST_P(LstmPredictors, AreAsUnsureAsTheyErred) {
  const Weights weights = boxWeights(GetParam());
  // Where the network is always right: an object that moves as it says.
  BoxShares a{0.1F, 0.1F, 0.2F, 0.3F}, b = a;
  History history;
  for (std::uint64_t frame = 0; frame < 8; ++frame) {
    const Box box{b[0] * 800, b[1] * 400, b[2] * 800, b[3] * 400};
    history.add({.id = frame,
                 .when = {.at = static_cast<double>(frame)},
                 .size = kFrame,
                 .looked = true,
                 .detections = {{.box = box, .id = 1}}});
    a = std::exchange(b, next(weights, a, b));
  }
  EXPECT_NEAR(create(weights)->predict(history, {8}).at(0).uncertainty.right, 0, 1e-2);
  const History still = seen({{0, {80, 40, 160, 120}},
                              {1, {80, 40, 160, 120}},
                              {2, {80, 40, 160, 120}},
                              {3, {80, 40, 160, 120}}});
  const BoxShares box{0.1F, 0.1F, 0.2F, 0.3F};
  const float error = std::abs(next(weights, box, box)[2] - box[2]) * 800;
  EXPECT_NEAR(create(weights)->predict(still, {4}).at(0).uncertainty.right, error, 1e-2);
  EXPECT_NEAR(create(weights)->predict(still, {6}).at(0).uncertainty.right, 3 * error, 1e-1);
}

TEST_P(LstmPredictors, SayWhatTheNetworkSaysEvenIfItIsNoBox) {
  const Box box{80, 40, 160, 120};
  const History history = seen({{4, box}});
  const auto predictions = create(randomWeights(GetParam(), {5, 5, -5, -5}))->predict(history, {5});
  EXPECT_TRUE(predictions.at(0).box.empty());
  EXPECT_EQ(makeRps(predictions, history, kFrame, {}).at(0).expected, box);
}

TEST_P(LstmPredictors, LeaveTheBoxWhereTheFrameHasNoSize) {
  const Box box{80, 40, 160, 120};
  History history;
  history.add({.id = 0, .looked = true, .detections = {{.box = box, .id = 1}}});
  EXPECT_EQ(create(boxWeights(GetParam()))->predict(history, {1}).at(0).box, box);
}

TEST_P(LstmPredictors, NameTheTensorThatIsMissingOrWrong) {
  for (const Shape& shape : shapesOf(GetParam())) {
    Weights weights = boxWeights(GetParam());
    weights.setTensor(shape.key, {{1, 1}, {0}});
    try {
      create(weights);
      FAIL() << shape.key;
    } catch (const Error& error) {
      EXPECT_EQ(error.subject(), "random");
      EXPECT_THAT(error.what(), ::testing::HasSubstr(shape.key));
    }
  }
}

TEST_P(LstmPredictors, AreMadeByNameFromAFile) {
  const Folder folder;
  const std::string path = folder.file("own.safetensors");
  boxWeights(GetParam()).write(path);
  EXPECT_EQ(RpPredictor::create(GetParam(), path)->predict(seen({{4, {0, 0, 9, 9}}}), {5}).size(),
            1U);
  EXPECT_THROW(RpPredictor::create(GetParam() == kLstm ? kAttnLstm : kLstm, path), Error);
}

TEST(ReleasedNetworks, ConvertedAnswerAsTheReleasedCodeDoes) {
  const std::filesystem::path released =
      std::filesystem::path(std::getenv("ELF_TEST_SHARED")) / "data" / "elf-release";
  if (!std::filesystem::exists(released)) GTEST_SKIP() << "the released checkpoints are not here";
  const Folder folder;
  const auto convert = [&](const std::string& checkpoint, const std::string& name) {
    const std::string command = std::string(std::getenv("ELF_TEST_BUILD_ROOT")) +
                                "/lib/research/programs/elf-convert-checkpoint '" +
                                (released / checkpoint).string() + "' '" + folder.file(name) + "'";
    EXPECT_EQ(std::system(command.c_str()), 0);
    return folder.file(name);
  };
  // What the released code answers under PyTorch 1.13.
  const BoxShares a{0.25F, 0.5F, 0.375F, 0.75F}, b{0.2625F, 0.5F, 0.3875F, 0.76F};
  const BoxShares c{0.8F, 0.4F, 0.9F, 0.5F}, d{0.78F, 0.41F, 0.88F, 0.52F};
  const auto expect = [](const BoxShares& is, const BoxShares& expected) {
    for (std::size_t i = 0; i < is.size(); ++i) EXPECT_NEAR(is[i], expected[i], 1e-5);
  };
  const LstmNetwork lstm(
      loadWeights(kLstm, convert("lstm_single_checkpoint25.pth", "lstm.safetensors")));
  expect(lstm.next(a, b), {0.26141086F, 0.50370264F, 0.36461988F, 0.74622554F});
  expect(lstm.next(c, d), {0.81765729F, 0.41565713F, 0.88520265F, 0.51723862F});
  const AttnLstmNetwork attention(
      loadWeights(kAttnLstm, convert("attn_lstm_checkpoint25.pth", "attn-lstm.safetensors")));
  expect(attention.next(a, b), {0.25380325F, 0.49959293F, 0.38104451F, 0.75765324F});
  expect(attention.next(c, d), {0.79670465F, 0.40450650F, 0.89237404F, 0.50968909F});
}

}  // namespace
}  // namespace elf
