// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/predictor.h"

#include <gtest/gtest.h>

#include "elf/base/error.h"
#include "tests/support/near.h"

namespace elf {
namespace {

using testing::expectNear;

constexpr Size kFrame{640, 480};

// An object that moves by `dx`, `dy` a frame, seen in the frames named.
History moving(float dx, float dy, std::initializer_list<std::uint64_t> frames) {
  History history;
  for (const std::uint64_t frame : frames) {
    const auto t = static_cast<float>(frame);
    const Box box = shift({100, 100, 140, 180}, dx * t, dy * t);
    history.add({.id = frame,
                 .when = {.at = static_cast<double>(frame)},
                 .size = kFrame,
                 .looked = true,
                 .detections = {{.box = box, .score = 0.7F, .label = "person", .id = 1}}});
  }
  return history;
}

TEST(Predictor, AnUnknownNameIsAnErrorThatNamesIt) {
  try {
    RpPredictor::create("crystal-ball");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.subject(), "predictor");
    EXPECT_NE(std::string(error.what()).find("crystal-ball"), std::string::npos);
  }
}

TEST(Predictor, EveryUntrainedChoiceCanBeMadeAndPredictsEveryTrack) {
  for (const Choice& choice : predictorChoices()) {
    if (std::string_view(choice.description).ends_with("needs trained weights")) continue;
    const History history = moving(3, 1, {0, 1, 2});
    EXPECT_EQ(RpPredictor::create(choice.name)->predict(history, {3}).size(), 1U) << choice.name;
  }
}

/** An object that moves steadily, seen at those moments, of a camera with 25 frames a second. */
History movingAt(std::initializer_list<double> seconds) {
  History history;
  std::uint64_t id = 0;
  for (const double at : seconds)
    history.add(
        {.id = id++,
         .when = {.at = at, .interval = 0.04},
         .size = kFrame,
         .looked = true,
         .detections = {{.box = shift({100, 100, 140, 180}, static_cast<float>(100 * at), 0),
                         .score = 1,
                         .label = "person",
                         .id = 1}}});
  return history;
}

TEST(Predictor, TimeCountsAndNotFrames) {
  for (const char* name : {"velocity", "kalman", "default"}) {
    const auto predictor = RpPredictor::create(name);
    const auto whereAfter = [&](std::initializer_list<double> seen, double at) {
      return predictor->predict(movingAt(seen), {at, 0.04}).at(0).box.x0;
    };
    const float steady = whereAfter({0.40, 0.44, 0.48, 0.52, 0.56, 0.60}, 0.72);
    EXPECT_NEAR(steady, 172, 3) << name;
    EXPECT_NEAR(whereAfter({0.40, 0.44, 0.52, 0.60}, 0.72), steady, 2) << name << ", frames lost";
    EXPECT_NEAR(whereAfter({0.41, 0.43, 0.485, 0.52, 0.55, 0.60}, 0.72), steady, 2)
        << name << ", a camera that is not steady";
  }
}

TEST(LastPredictor, TheBoxStays) {
  const auto predictions = RpPredictor::create("last")->predict(moving(5, 0, {0, 1, 2}), {4});
  expectNear(predictions.at(0).box, {110, 100, 150, 180}, 1e-4F);
}

TEST(LastPredictor, IsAsUnsureAsTheObjectMovedTimesTheHorizon) {
  const auto predictions = RpPredictor::create("last")->predict(moving(5, 0, {0, 1, 2}), {4});
  EXPECT_NEAR(predictions.at(0).uncertainty.left, 10, 1e-3);
  EXPECT_NEAR(predictions.at(0).uncertainty.top, 0, 1e-3);
}

TEST(VelocityPredictor, IsExactForConstantMotionAtEveryHorizon) {
  const auto predictor = RpPredictor::create("velocity");
  for (std::uint64_t frame = 3; frame < 9; ++frame) {
    const auto t = static_cast<float>(frame);
    expectNear(predictor->predict(moving(5, -2, {0, 1, 2}), {t}).at(0).box,
               shift({100, 100, 140, 180}, 5 * t, -2 * t), 1e-2F);
  }
}

TEST(VelocityPredictor, TimeBetweenObservationsCounts) {
  const auto predictions =
      RpPredictor::create("velocity")->predict(moving(5, 0, {0, 1, 4, 5}), {7});
  expectNear(predictions.at(0).box, {135, 100, 175, 180}, 1e-2F);
}

TEST(VelocityPredictor, AnObjectSeenOnceStaysAndIsUnsure) {
  const auto predictions = RpPredictor::create("velocity")->predict(moving(5, 0, {0}), {1});
  expectNear(predictions.at(0).box, {100, 100, 140, 180}, 1e-4F);
  EXPECT_GT(predictions.at(0).uncertainty.left, 0);
}

TEST(VelocityPredictor, ABoxNeverTurnsInsideOut) {
  History history;
  history.add({.id = 0, .looked = true, .detections = {{.box = {0, 0, 100, 100}, .id = 1}}});
  history.add({.id = 1,
               .when = {.at = 1},
               .looked = true,
               .detections = {{.box = {40, 40, 60, 60}, .id = 1}}});
  EXPECT_FALSE(RpPredictor::create("velocity")->predict(history, {5}).at(0).box.empty());
}

TEST(MakeRps, PadsClipsAndLabels) {
  const History history = moving(0, 0, {0, 1});
  const std::vector<Prediction> predictions{{.id = 1, .box = {10, 100, 50, 400}}};
  const auto rps = makeRps(predictions, history, kFrame, {.ratio = 0.1, .minimum = 16});
  ASSERT_EQ(rps.size(), 1U);
  expectNear(rps[0].box, {0, 70, 66, 430}, 1e-3F);
  expectNear(rps[0].expected, {10, 100, 50, 400}, 1e-3F);
  EXPECT_EQ(rps[0].label, "person");
  EXPECT_FLOAT_EQ(rps[0].score, 0.7F);
}

TEST(MakeRps, LeavesOutWhatLeftTheFrame) {
  const std::vector<Prediction> predictions{{.id = 1, .box = {-90, 100, -5, 400}}};
  EXPECT_TRUE(makeRps(predictions, History(), kFrame, {}).empty());
}

}  // namespace
}  // namespace elf
