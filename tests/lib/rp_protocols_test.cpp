// SPDX-License-Identifier: LGPL-2.1-or-later
// The two protocols that evaluate RP prediction.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "elf/base/error.h"
#include "research/eval/online_protocol.h"
#include "research/eval/paper_protocol.h"
#include "tests/support/folder.h"
#include "tests/support/trace_object.h"
#include "tests/support/traces.h"

namespace elf::eval {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::traceObject;

constexpr Size kFrame{640, 480};

/** A trace with the objects that `at` gives for each of `count` frames. */
template <typename At>
Trace makeTrace(const std::string& name, int count, At at) {
  Trace trace{name, {}};
  for (int number = 0; number < count; ++number)
    trace.frames.push_back({number, kFrame, at(number)});
  return trace;
}

/** One box of 100x50 that moves to the right by `step` pixels with each frame. */
Trace movingBox(int count, float step) {
  return makeTrace("moving", count, [=](int number) {
    const float x = 20 + step * static_cast<float>(number);
    return std::vector{traceObject(1, {x, 100, x + 100, 150})};
  });
}

const RpPredictor& lastPredictor() {
  static const auto* const kPredictor = RpPredictor::create("last").release();
  return *kPredictor;
}

// --- paper ---

TEST(PaperProtocol, CopyingAStillBoxIsPerfect) {
  const std::vector traces{movingBox(6, 0)};
  const PaperFigures figures = evaluatePaper(traces, lastPredictor());
  EXPECT_EQ(figures.windows, 6U);
  EXPECT_EQ(figures.targets, 6U);
  EXPECT_EQ(figures.leaking, 0U);
  EXPECT_EQ(figures.cleanWindows, 6U);
  EXPECT_DOUBLE_EQ(figures.loss, 0);
  EXPECT_DOUBLE_EQ(figures.iou, 1);
  EXPECT_DOUBLE_EQ(figures.lossClean, 0);
}

TEST(PaperProtocol, LossIsTheSquaredErrorOfFourSidesAndWhatIouLacks) {
  const std::vector traces{movingBox(6, 3.2F)};  // 0.5 % of the width
  const PaperFigures figures = evaluatePaper(traces, lastPredictor());
  const double iou = 96.8 / 103.2;
  EXPECT_NEAR(figures.iou, iou, 1e-6);
  EXPECT_NEAR(figures.loss, 2 * 0.005 * 0.005 + 1 - iou, 1e-6);
  EXPECT_EQ(figures.leaking, 0U);
  EXPECT_NEAR(figures.lossClean, figures.loss, 1e-12);
}

TEST(PaperProtocol, ATargetWithoutPartnerLeaksAndIsNotClean) {
  // The second object is somewhere else in each frame, and so is found nowhere.
  const std::vector traces{makeTrace("jumping", 6, [](int number) {
    const float x = 100.0F * static_cast<float>(number);
    return std::vector{traceObject(1, {20, 300, 120, 350}), traceObject(2, {x, 50, x + 60, 90})};
  })};
  const PaperFigures figures = evaluatePaper(traces, lastPredictor());
  EXPECT_EQ(figures.targets, 12U);
  EXPECT_EQ(figures.leaking, 6U);
  EXPECT_DOUBLE_EQ(figures.loss, 0) << "the target itself is what is copied";
  EXPECT_EQ(figures.cleanWindows, 6U);
  const std::vector onlyLeaks{makeTrace("jumping", 6, [](int number) {
    const float x = 100.0F * static_cast<float>(number);
    return std::vector{traceObject(2, {x, 50, x + 60, 90})};
  })};
  EXPECT_EQ(evaluatePaper(onlyLeaks, lastPredictor()).cleanWindows, 0U);
}

TEST(PaperProtocol, WindowsEndWhereThoseOfTheReleasedCodeDo) {
  std::vector traces{movingBox(6, 1), movingBox(7, 1)};
  std::vector<std::int64_t> ends;
  evaluatePaper(traces, lastPredictor(), [&](const Scene& scene) { ends.push_back(scene.frame); });
  EXPECT_THAT(ends, ElementsAre(3, 3, 3, 3, 4, 4, 3, 3, 3, 3, 3, 4, 5));
}

TEST(PaperProtocol, NamesATraceThatIsTooShort) {
  const std::vector traces{movingBox(4, 1)};
  try {
    evaluatePaper(traces, lastPredictor());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.subject(), "moving");
    EXPECT_THAT(error.what(), HasSubstr("has 4 frames"));
  }
}

/** Constant velocity as it was measured with the released code: boxes may turn inside out. */
class PlainVelocity final : public RpPredictor {
 public:
  std::vector<Prediction> predict(const History& history, const FrameTime&) const override {
    std::vector<Prediction> predictions;
    for (const auto& [id, track] : history.tracks()) {
      const Box& a = track.observations.front().box;
      const Box& b = track.observations.back().box;
      predictions.push_back(
          {id, {2 * b.x0 - a.x0, 2 * b.y0 - a.y0, 2 * b.x1 - a.x1, 2 * b.y1 - a.y1}, {}});
    }
    return predictions;
  }
};

TEST(PaperProtocol, RepeatsWhatTheReleasedCodeMeasures) {
  const elf::testing::Folder folder;
  const std::string data = elf::testing::releasedTraces(folder);
  if (data.empty()) GTEST_SKIP() << "the released traces are not on this machine";
  const std::vector<Trace> traces = readTraces(data + "/eval");
  const PaperFigures last = evaluatePaper(traces, lastPredictor());
  EXPECT_EQ(last.windows, 2589U);
  EXPECT_EQ(last.targets, 17387U);
  EXPECT_NEAR(last.loss, 0.1320, 5e-5);
  EXPECT_NEAR(last.iou, 0.868, 5e-4);
  const PaperFigures velocity = evaluatePaper(traces, PlainVelocity());
  EXPECT_NEAR(velocity.loss, 0.1543, 5e-5);
  EXPECT_NEAR(velocity.iou, 0.846, 5e-4);
}

// --- online ---

OnlineOptions clean(int horizons, Padding padding = {0, 0, 0}) {
  OnlineOptions options;
  options.miss = 0;
  options.jitter = 0;
  options.horizons = horizons;
  options.coverage.reset();
  options.padding = padding;
  return options;
}

TEST(OnlineProtocol, EachHorizonIsPredictedFromTheHistorySoManyFramesBefore) {
  const std::vector traces{movingBox(10, 4)};
  const OnlineFigures figures = evaluateOnline(traces, lastPredictor(), clean(5));
  EXPECT_EQ(figures.frames, 10U);
  EXPECT_EQ(figures.objects, 10U);
  ASSERT_EQ(figures.horizons.size(), 5U);
  for (int h = 1; h <= 5; ++h) {
    const HorizonFigures& horizon = figures.horizons[static_cast<std::size_t>(h) - 1];
    EXPECT_EQ(horizon.horizon, h);
    EXPECT_EQ(horizon.frames, 10U - static_cast<unsigned>(h));
    EXPECT_EQ(horizon.objects, horizon.frames);
    EXPECT_EQ(horizon.objectsNew, 0U);
    EXPECT_NEAR(*horizon.iou, (100.0 - 4 * h) / (100 + 4 * h), 1e-6);
    EXPECT_NEAR(*horizon.area, 5000.0 / (640 * 480), 1e-9);
    EXPECT_EQ(*horizon.coverage, h == 1 ? 1 : 0) << "96 % are inside, then 92 %";
    EXPECT_FALSE(horizon.coverageNew.has_value());
  }
}

TEST(OnlineProtocol, FramesThatAreLostAreTimeThatPassed) {
  Trace whole = movingBox(200, 3);
  std::minstd_rand random(7);
  std::erase_if(whole.frames, [&](const TraceFrame&) { return random() % 2 == 0; });
  Trace anew = whole;
  for (std::size_t i = 0; i < anew.frames.size(); ++i) {
    anew.frames[i].stamp = std::chrono::milliseconds(40) * anew.frames[i].number;
    anew.frames[i].number = static_cast<std::int64_t>(i);
  }
  const auto predictor = RpPredictor::create("velocity");
  OnlineOptions options = clean(1);
  options.coverage = 0.97;
  const auto known = evaluateOnline(std::vector{whole}, *predictor, options).horizons[0];
  const auto told = evaluateOnline(std::vector{anew}, *predictor, options).horizons[0];
  EXPECT_NEAR(*told.iou, *known.iou, 1e-3);
  EXPECT_NEAR(*told.area, *known.area, 1e-3);
  for (TraceFrame& frame : anew.frames) frame.stamp.reset();
  EXPECT_LT(*evaluateOnline(std::vector{anew}, *predictor, options).horizons[0].iou,
            *known.iou - 0.02);
}

TEST(OnlineProtocol, PaddingCoversAndCostsArea) {
  const std::vector traces{movingBox(10, 10)};
  const auto figures = evaluateOnline(traces, lastPredictor(), clean(2, {0, 15, 0}));
  EXPECT_EQ(*figures.horizons[0].coverage, 1);
  EXPECT_EQ(*figures.horizons[1].coverage, 1) << "5 % may be outside";
  EXPECT_NEAR(*figures.horizons[0].area, 130.0 * 80 / (640 * 480), 1e-9);
  EXPECT_NEAR(*figures.horizons[0].iou, 90.0 / 110, 1e-6) << "of unpadded boxes";
}

TEST(OnlineProtocol, BoxesAndTruthAreClippedForCoverageAndArea) {
  const std::vector traces{makeTrace("edge", 4, [](int) {
    return std::vector{traceObject(1, {-50, 100, 50, 200}), traceObject(2, {700, 100, 800, 200})};
  })};
  const auto figures = evaluateOnline(traces, lastPredictor(), clean(1));
  EXPECT_EQ(figures.objects, 4U) << "what is wholly outside does not count";
  EXPECT_EQ(*figures.horizons[0].coverage, 1);
  EXPECT_NEAR(*figures.horizons[0].area, 50.0 * 100 / (640 * 480), 1e-9);
  EXPECT_NEAR(*figures.horizons[0].iou, 0.5, 1e-6) << "only half of it was ever seen";
}

TEST(OnlineProtocol, NewObjectsAndOnesThatLeaveAreCountedApart) {
  // One object comes in frame 3 into the place of another, which then leaves.
  const Box place{100, 100, 200, 200};
  const std::vector traces{makeTrace("change", 6, [&](int number) {
    std::vector<TraceObject> objects{traceObject(9, {0, 0, 640, 480}, true)};
    if (number < 3) objects.push_back(traceObject(1, place));
    if (number == 3) objects.push_back(traceObject(2, place));
    return objects;
  })};
  const auto figures = evaluateOnline(traces, lastPredictor(), clean(1));
  const HorizonFigures& horizon = figures.horizons[0];
  EXPECT_EQ(figures.objects, 4U) << "regions to be ignored are no objects";
  EXPECT_EQ(horizon.frames, 5U) << "empty frames count";
  EXPECT_EQ(horizon.objects, 2U);
  EXPECT_EQ(horizon.objectsNew, 1U);
  EXPECT_EQ(*horizon.coverageNew, 1);
  EXPECT_NEAR(*horizon.area, 10000.0 / (640 * 480), 1e-9) << "coasted boxes count, too";
}

/** Predicts as `last` does, and remembers what it was asked. */
class Spy final : public RpPredictor {
 public:
  std::vector<Prediction> predict(const History& history, const FrameTime& when) const override {
    asked.emplace_back(history.framesUntil(when), when.at);
    for (const auto& [id, track] : history.tracks()) {
      ids.insert(id);
      for (const Observation& observation : track.observations)
        boxes[{id, observation.at}] = observation.box;
    }
    return lastPredictor().predict(history, when);
  }

  /** How far ahead, and for when. */
  mutable std::vector<std::pair<double, double>> asked;
  mutable std::set<Identity> ids;
  mutable std::map<std::pair<Identity, double>, Box> boxes;
};

TEST(OnlineProtocol, TrueIdentitiesNeverReachThePredictor) {
  const auto made = [](std::int64_t id) {
    return std::vector{makeTrace("ids", 8, [=](int number) {
      const float x = 20 + 5 * static_cast<float>(number);
      return std::vector{traceObject(id, {x, 100, x + 100, 150}),
                         traceObject(id + 1, {x, 300, x + 90, 380})};
    })};
  };
  const Spy spy;
  OnlineOptions options = clean(1);
  evaluateOnline(made(777000), spy, options);
  EXPECT_THAT(spy.ids, ElementsAre(1, 2));
}

TEST(OnlineProtocol, AFrameThatIsLeftOutIsOneThatNobodyLookedAt) {
  Trace trace = movingBox(12, 1);
  trace.frames.erase(trace.frames.begin() + 3, trace.frames.end() - 2);  // 0, 1, 2, 10, 11
  const Spy spy;
  const auto figures = evaluateOnline(std::vector{trace}, spy, clean(3));
  EXPECT_EQ(figures.frames, 5U);
  EXPECT_EQ(figures.horizons[0].frames, 4U);
  EXPECT_EQ(figures.horizons[1].frames, 3U);
  EXPECT_EQ(figures.horizons[2].frames, 2U);
  EXPECT_EQ(std::ranges::count(spy.asked, std::pair<double, double>(8, 10)), 3)
      << "frame 10 is predicted 1, 2 and 3 frames before, from the last frame looked at";
  EXPECT_NEAR(*figures.horizons[0].iou, (3 * 99.0 / 101 + 92.0 / 108) / 4, 1e-6)
      << "the box of frame 2 is all that is known when frame 10 comes";
}

TEST(OnlineProtocol, WhatIsNeverDetectedIsNeverPredicted) {
  OnlineOptions options = clean(2);
  options.miss = 1;
  const auto figures = evaluateOnline(std::vector{movingBox(5, 1)}, lastPredictor(), options);
  EXPECT_EQ(*figures.horizons[0].iou, 0);
  EXPECT_EQ(*figures.horizons[0].coverage, 0);
  EXPECT_EQ(*figures.horizons[0].area, 0);
}

TEST(OnlineProtocol, MissesAndErrorsAreAsLargeAsAskedAndRepeatWithTheSeed) {
  constexpr int kFrames = 4000;
  const std::vector traces{makeTrace("noise", kFrames, [](int) {
    return std::vector{traceObject(1, {100, 100, 300, 300})};
  })};
  OnlineOptions options;
  options.horizons = 1;
  const Spy spy;
  const auto figures = evaluateOnline(traces, spy, options);
  EXPECT_NEAR(static_cast<double>(spy.boxes.size()) / kFrames, 0.9, 0.02);
  double sum = 0;
  double squares = 0;
  for (const auto& [key, box] : spy.boxes)
    for (const float error : {box.x0 - 100, box.y0 - 100, box.x1 - 300, box.y1 - 300}) {
      sum += error;
      squares += error * error;
    }
  const double n = 4.0 * static_cast<double>(spy.boxes.size());
  EXPECT_NEAR(sum / n, 0, 0.1);
  EXPECT_NEAR(std::sqrt(squares / n), 2, 0.1);

  EXPECT_EQ(*evaluateOnline(traces, lastPredictor(), options).horizons[0].iou,
            *figures.horizons[0].iou);
  options.seed = 2;
  EXPECT_NE(*evaluateOnline(traces, lastPredictor(), options).horizons[0].iou,
            *figures.horizons[0].iou);
}

TEST(OnlineProtocol, NamesATraceWithoutIdentities) {
  const std::vector traces{makeTrace("det", 3, [](int) {
    return std::vector{traceObject(TraceObject::kUnknownId, {1, 1, 9, 9})};
  })};
  EXPECT_THROW(evaluateOnline(traces, lastPredictor(), clean(1)), Error);
}

}  // namespace
}  // namespace elf::eval
