// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "elf/base/error.h"
#include "elf/predict/lstm_predictors.h"
#include "tests/support/folder.h"
#include "tests/train/made_traces.h"

namespace elf::train {
namespace {

using elf::testing::Folder;
using elf::testing::madeTraces;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/** Ends a training run, as a kill would. */
struct Killed {};

class Trainer : public ::testing::TestWithParam<const char*> {
 protected:
  Options options() const {
    Options options;
    options.predictor = GetParam();
    options.epochs = 5;
    options.checkpoint = folder_.file("checkpoint");
    return options;
  }
  Outcome run(const Options& options, const Watcher& watch = {}) const {
    return train(madeTraces(5, 12), "synthetic", options, watch);
  }
  std::string why(const Options& options, std::vector<Trace> traces) const {
    try {
      train(std::move(traces), "synthetic", options);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  Folder folder_;
};
INSTANTIATE_TEST_SUITE_P(Both, Trainer, ::testing::Values(kLstm, kAttnLstm), [](const auto& value) {
  return std::string(value.param == kLstm ? "Lstm" : "AttnLstm");
});

TEST_P(Trainer, LearnsAndSaysWhatItDid) {
  Options longer = options();
  longer.epochs = 60;
  longer.patience = 0;
  const Outcome outcome = run(longer);
  ASSERT_THAT(outcome.epochs, SizeIs(60));
  EXPECT_LT(outcome.epochs.back().trainingLoss, 0.8 * outcome.epochs.front().trainingLoss);
  for (const Epoch& epoch : outcome.epochs)
    EXPECT_GE(epoch.validationLoss, outcome.best.validationLoss);
  EXPECT_EQ(outcome.trainingSamples, 40U);
  EXPECT_EQ(outcome.validationSamples, 10U);
  EXPECT_THAT(outcome.trainingVideos, SizeIs(4));
  EXPECT_THAT(outcome.validationVideos, SizeIs(1));
  EXPECT_EQ(outcome.weights.metadata("predictor"), GetParam());
  EXPECT_EQ(outcome.weights.metadata("seed"), "1");
  EXPECT_EQ(outcome.weights.metadata("data"), "synthetic");
  EXPECT_EQ(outcome.weights.metadata("best-epoch"), std::to_string(outcome.best.number));
  outcome.weights.write(folder_.file("own.safetensors"));
  EXPECT_NE(RpPredictor::create(GetParam(), folder_.file("own.safetensors")), nullptr);
}

TEST_P(Trainer, TheSeedDecidesEveryBit) {
  const auto first = run(options()).weights.bytes();
  EXPECT_EQ(run(options()).weights.bytes(), first);
  Options other = options();
  other.seed = 2;
  EXPECT_NE(run(other).weights.tensors(), run(options()).weights.tensors());
}

TEST_P(Trainer, TheSeedDecidesWhatIsHeldBack) {
  std::set<std::vector<std::string>> held;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    Options other = options();
    other.seed = seed;
    other.epochs = 1;
    held.insert(run(other).validationVideos);
  }
  EXPECT_GT(held.size(), 1U);
}

TEST_P(Trainer, KilledAnywhereAndResumedEndsWithTheSameWeights) {
  const auto whole = run(options());
  for (int kill = 1; kill < 15; kill += 2) {
    std::filesystem::remove(options().checkpoint);
    int steps = 0;
    EXPECT_THROW(run(options(),
                     [&](const Progress&) {
                       if (++steps == kill) throw Killed();
                     }),
                 Killed);
    Options resuming = options();
    resuming.resume = true;
    const auto resumed = run(resuming);
    EXPECT_EQ(resumed.weights.bytes(), whole.weights.bytes()) << kill;
    EXPECT_THAT(resumed.epochs, SizeIs(5));
    EXPECT_EQ(resumed.epochs[0].trainingLoss, whole.epochs[0].trainingLoss);
    EXPECT_EQ(resumed.resumedAt, (kill - 1) / 4);
  }
}

TEST_P(Trainer, ResumingAfterTheEndGivesTheSameAgain) {
  const auto whole = run(options());
  Options resuming = options();
  resuming.resume = true;
  EXPECT_EQ(run(resuming).weights.bytes(), whole.weights.bytes());
}

TEST_P(Trainer, RefusesACheckpointOfSomethingElse) {
  run(options());
  Options resuming = options();
  resuming.resume = true;
  Options other = resuming;
  other.seed = 2;
  // Another seed holds back other videos, too: what is named is the first that differs.
  EXPECT_THAT(why(other, madeTraces(5, 12)), HasSubstr("checkpoint: "));
  other = resuming;
  other.epochs = 6;
  EXPECT_THAT(why(other, madeTraces(5, 12)), HasSubstr("is of epochs 5, not 6"));
  other = resuming;
  other.predictor = GetParam() == kLstm ? kAttnLstm : kLstm;
  EXPECT_THAT(why(other, madeTraces(5, 12)),
              HasSubstr("is of predictor " + resuming.predictor + ", not " + other.predictor));
  EXPECT_THAT(why(resuming, madeTraces(5, 13)), HasSubstr("was made from other data"));
  std::ofstream(resuming.checkpoint) << "nonsense";
  EXPECT_THAT(why(resuming, madeTraces(5, 12)), HasSubstr("checkpoint: "));
  Weights("").write(resuming.checkpoint);
  EXPECT_THAT(why(resuming, madeTraces(5, 12)), HasSubstr("not a checkpoint of elf-train"));
}

TEST_P(Trainer, EndsWhenNothingIsGained) {
  Options impatient = options();
  impatient.epochs = 200;
  impatient.patience = 1;
  const Outcome outcome = run(impatient);
  EXPECT_TRUE(outcome.stoppedEarly);
  EXPECT_EQ(static_cast<int>(outcome.epochs.size()), outcome.best.number + 1);
}

TEST_P(Trainer, OfASingleVideoHoldsBackTheEnd) {
  const Outcome outcome = train(madeTraces(1, 20), "synthetic", options());
  EXPECT_THAT(outcome.validationVideos, ElementsAre("video0"));
  EXPECT_EQ(outcome.trainingSamples, 14U);
  EXPECT_EQ(outcome.validationSamples, 2U);
}

TEST_P(Trainer, SaysWhereThereIsNothingToLearn) {
  EXPECT_THAT(why(options(), madeTraces(5, 2)),
              HasSubstr("synthetic: holds nothing to learn from"));
  EXPECT_THAT(why(options(), {{"empty", {}}}), HasSubstr("synthetic: holds nothing to learn from"));
  EXPECT_THAT(why(options(), {}), HasSubstr("synthetic: holds nothing to learn from"));
}

TEST_P(Trainer, FindsOutAtOnceThatItCannotWrite) {
  Options nowhere = options();
  nowhere.checkpoint = folder_.file("nowhere/checkpoint");
  int steps = 0;
  EXPECT_THROW(run(nowhere, [&](const Progress&) { ++steps; }), Error);
  EXPECT_EQ(steps, 0);
}

TEST(TrainerOptions, AnUnknownPredictorIsNamed) {
  EXPECT_THROW(train(madeTraces(5, 12), "synthetic", {.predictor = "velocity"}), Error);
}

}  // namespace
}  // namespace elf::train
