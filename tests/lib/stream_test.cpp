// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/stream/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "elf/predict/indexing.h"
#include "tests/support/fake_end.h"

namespace elf {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::FakeEnd;
using testing::GreyPixels;

constexpr Size kFrame{400, 300};
constexpr Box kStill{100, 100, 150, 200};

Detection object(Box box, float score = 1) {
  return {.box = box, .score = score, .label = "person"};
}

/** At 100 in frame 0, and 10 pixels further to the right in each of the next. */
Detection mover(int frame) {
  return object(shift(kStill, 10.0F * static_cast<float>(frame), 0));
}

PlanSettings without(bool scan) {
  PlanSettings settings;
  settings.planner.discovery.scanInterval = scan ? 6 : 0;
  settings.planner.discovery.changeThreshold = 0;
  return settings;
}
const PlanSettings kScan = without(true), kNoDiscovery = without(false);

class StreamTest : public ::testing::Test {
 protected:
  StreamTest() {
    begin("velocity");
    end_.attach(stream_, {.bounded = true, .maxInFlight = 4});
  }

  void begin(const char* predictor, History::Limits limits = {}) {
    stream_->begin(RpPredictor::create(predictor), limits);
  }

  FrameRecord enter(Size size = kFrame) {
    FrameRecord record = stream_->enter(size, std::nullopt, stop_).value();
    stream_->predict(record);
    return record;
  }
  FrameRecord planned(const PlanSettings& settings, const void* owner = nullptr) {
    FrameRecord record = enter();
    stream_->plan(owner, record, settings, nullptr);
    return record;
  }
  void submit(FrameRecord record, std::optional<Transport::Clock::duration> limit = std::nullopt) {
    std::optional<Transport::Clock::time_point> due;
    if (limit) due = end_.transport.now() + *limit;
    GreyPixels pixels(record.size);
    stream_->submit(std::move(record), pixels, due, [this](FrameRecordPtr done) {
      order_.push_back(done->id);
      done_[done->id] = std::move(done);
    });
  }
  /** A frame's whole way. */
  FrameRecordPtr look(const std::vector<Detection>& found) { return end_.pass(enter(), found); }
  /** A frame that takes the only slot there is, so that the next ones pass unsent. */
  void occupyTheOnlySlot() {
    stream_->slots().setLimits({.bounded = true, .maxInFlight = 1, .leaky = true});
    occupant_ = enter();
  }
  FrameRecordPtr passUnsent() {
    FrameRecord record = enter();
    EXPECT_TRUE(record.skipped);
    const std::uint64_t id = record.id;
    submit(std::move(record));
    return done_.at(id);
  }

  const std::shared_ptr<Stream> stream_ = Stream::create();
  FakeEnd end_;
  const std::atomic<bool> stop_ = false;
  FrameRecord occupant_;
  std::map<std::uint64_t, FrameRecordPtr> done_;
  std::vector<std::uint64_t> order_;
};

// --- time

/** A stream of 25 frames a second, of which some are lost on their way. */
class StreamTime : public StreamTest {
 protected:
  FrameRecord enterAt(std::chrono::milliseconds time) {
    FrameRecord record = stream_->enter(kFrame, time, stop_).value();
    stream_->predict(record);
    return record;
  }
  /** Where the mover is then. */
  static Detection moverAt(std::chrono::milliseconds time) {
    return mover(static_cast<int>(time / 40ms));
  }
  FrameRecordPtr lookAt(std::chrono::milliseconds time) {
    return end_.pass(enterAt(time), {moverAt(time)});
  }
  /** Pixels that are sent of a frame that comes so long after the last of some. */
  double sentAfter(std::chrono::milliseconds gap, const PlanSettings& settings) {
    stream_->reset();
    const auto plan = [&](std::chrono::milliseconds time) {
      FrameRecord record = enterAt(time);
      stream_->plan(nullptr, record, settings, nullptr);
      const double sent = record.plan->sentPixels();
      end_.pass(std::move(record), {});
      return sent;
    };
    for (int i = 0; i < 3; ++i) plan(now_ += 40ms);
    return plan(now_ += gap);
  }

  std::chrono::milliseconds now_{0};
};

TEST_F(StreamTime, ObjectsMoveOnWhileFramesAreLost) {
  for (const auto time : {0ms, 40ms, 120ms}) lookAt(time);
  const FrameRecord record = enterAt(280ms);
  EXPECT_EQ(record.horizon, 1);
  EXPECT_EQ(record.horizonTime, 160ms);
  EXPECT_NEAR(record.rps->at(0).expected.x0, moverAt(280ms).box.x0, 0.5);
}

TEST_F(StreamTime, TheSecondFrameIsAsUnsureAsWithoutTimeStamps) {
  look({object(kStill)});
  const Rp counted = enter().rps->at(0);
  begin("velocity");
  lookAt(0ms);
  EXPECT_NEAR(enterAt(40ms).rps->at(0).box.width(), counted.box.width(), 0.5);
}

TEST_F(StreamTime, WithoutTimeStampsFramesAreCounted) {
  for (int i = 0; i < 3; ++i) look({mover(i)});
  const FrameRecord record = enter();
  EXPECT_EQ(record.horizon, 1);
  EXPECT_FALSE(record.horizonTime.has_value());
}

TEST_F(StreamTime, UnsentFramesTellHowOldTheirBoxesAre) {
  for (const auto time : {0ms, 40ms, 80ms}) lookAt(time);
  stream_->slots().setLimits({.bounded = true, .maxInFlight = 1, .leaky = true});
  occupant_ = enterAt(120ms);
  FrameRecord record = enterAt(200ms);
  const std::uint64_t id = record.id;
  submit(std::move(record));
  EXPECT_EQ(done_.at(id)->horizonTime, 120ms);
  EXPECT_NEAR(done_.at(id)->detections.at(0).box.x0, moverAt(200ms).box.x0, 0.5);
}

TEST_F(StreamTime, ObjectsKnowWhenTheyWereSeenFirstAndLast) {
  lookAt(0ms);
  EXPECT_EQ(lookAt(40ms)->detections.at(0).seen, (SeenTimes{0ms, 40ms}));
  FrameRecord missed = *end_.pass(enterAt(80ms), {});
  addMissed(missed);
  EXPECT_EQ(missed.detections.at(0).seen, (SeenTimes{0ms, 40ms}));
  stream_->slots().setLimits({.bounded = true, .maxInFlight = 1, .leaky = true});
  EXPECT_EQ(lookAt(120ms)->detections.at(0).seen, (SeenTimes{0ms, 120ms}));
  occupant_ = enterAt(160ms);
  FrameRecord unsent = enterAt(200ms);
  const std::uint64_t id = unsent.id;
  submit(std::move(unsent));
  EXPECT_EQ(done_.at(id)->detections.at(0).seen, (SeenTimes{0ms, 120ms}));
}

TEST_F(StreamTime, WithoutTimeStampsNobodyKnowsWhenAnObjectWasSeen) {
  EXPECT_EQ(look({mover(0)})->detections.at(0).seen, SeenTimes{});
}

TEST_F(StreamTime, WhatWasNotLookedAtForLongIsDueThoughFewFramesCame) {
  EXPECT_LE(sentAfter(40ms, kScan), kFrame.area() / 4);
  EXPECT_GE(sentAfter(240ms, kScan), kFrame.area()) << "a scan of all takes six frames";
  PlanSettings lowResolution = kNoDiscovery;
  lowResolution.planner.lrcInterval = 8;
  EXPECT_EQ(sentAfter(40ms, lowResolution), 0);
  EXPECT_GT(sentAfter(320ms, lowResolution), 0);
}

// --- what is predicted

TEST_F(StreamTest, RpsAreUnknownUntilAFrameIsAnswered) {
  FrameRecord first = enter();
  EXPECT_EQ(first.id, 0U);
  EXPECT_EQ(first.size, kFrame);
  EXPECT_FALSE(first.rps.has_value());
  EXPECT_EQ(first.horizon, 0);
  submit(std::move(first));
  EXPECT_FALSE(enter().rps.has_value());
}

TEST_F(StreamTest, AnObjectThatMovesIsExpectedWhereItMovesTo) {
  for (int i = 0; i < 3; ++i) look({mover(i)});
  const FrameRecord record = enter();
  EXPECT_EQ(record.horizon, 1);
  ASSERT_TRUE(record.rps.has_value());
  ASSERT_EQ(record.rps->size(), 1U);
  EXPECT_NEAR(record.rps->front().expected.x0, 130, 0.01);
  EXPECT_NE(record.rps->front().id, kNoIdentity);
  EXPECT_EQ(record.rps->front().label, "person");
}

TEST_F(StreamTest, TheHorizonIsTheNumberOfFramesSinceTheOneThatWasLookedAtLast) {
  for (int i = 0; i < 3; ++i) look({mover(i)});
  submit(enter());
  submit(enter());
  const FrameRecord third = enter();
  EXPECT_EQ(third.horizon, 3);
  EXPECT_NEAR(third.rps->at(0).expected.x0, 150, 0.01);
}

TEST_F(StreamTest, AnEmptyAnswerMakesRpsKnownAndNone) {
  look({});
  const FrameRecord record = enter();
  ASSERT_TRUE(record.rps.has_value());
  EXPECT_TRUE(record.rps->empty());
}

TEST_F(StreamTest, AnAnswerThatIsNoneMakesNothingKnown) {
  submit(enter());
  end_.fail(end_.open().at(0));
  EXPECT_FALSE(done_.at(0)->inferred);
  EXPECT_FALSE(enter().rps.has_value());
}

TEST_F(StreamTest, WithoutAPredictorRpsStayUnknown) {
  stream_->begin(nullptr, {});
  look({object(kStill)});
  EXPECT_FALSE(enter().rps.has_value());
}

TEST_F(StreamTest, AResetForgetsAndAnAnswerFromBeforeTeachesNothing) {
  look({object(kStill)});
  const FrameRecord before = enter();
  submit(before);
  stream_->reset();
  const FrameRecord after = enter();
  EXPECT_GT(after.generation, before.generation);
  EXPECT_FALSE(after.rps.has_value());
  end_.answerAll({object(kStill)});
  EXPECT_FALSE(enter().rps.has_value());
  submit(after);
  end_.answerAll({});
  const FrameRecord later = enter();
  ASSERT_TRUE(later.rps.has_value());
  EXPECT_TRUE(later.rps->empty());
}

TEST_F(StreamTest, AnotherSizeForgets) {
  look({object(kStill)});
  EXPECT_TRUE(enter().rps.has_value());
  const FrameRecord other = enter({200, 150});
  EXPECT_FALSE(other.rps.has_value());
  EXPECT_EQ(other.size, (Size{200, 150}));
  end_.pass(other, {});
  EXPECT_TRUE(enter({200, 150}).rps.has_value());
}

TEST_F(StreamTest, IdsAndIdentitiesAreNotGivenTwiceWhenItBeginsAnew) {
  const FrameRecordPtr first = look({object(kStill)});
  begin("velocity");
  const FrameRecordPtr second = look({object(kStill)});
  EXPECT_GT(second->id, first->id);
  EXPECT_GT(second->generation, first->generation);
  EXPECT_NE(second->detections.at(0).id, first->detections.at(0).id);
}

TEST_F(StreamTest, AnObjectKeepsItsIdentityUntilAReset) {
  const Identity first = look({object(kStill)})->detections.at(0).id;
  EXPECT_NE(first, kNoIdentity);
  EXPECT_EQ(look({object(kStill)})->detections.at(0).id, first);
  stream_->reset();
  EXPECT_NE(look({object(kStill)})->detections.at(0).id, first);
}

// --- who is told what, and when

TEST_F(StreamTest, AFrameWithoutAPlanGoesOutWhole) {
  const FrameRecordPtr record = look({object(kStill)});
  ASSERT_EQ(record->plan->parts.size(), 1U);
  EXPECT_EQ(record->plan->parts[0].rect, wholeFrame(kFrame));
  EXPECT_TRUE(record->answered);
  EXPECT_TRUE(record->inferred);
  EXPECT_EQ(record->detections.at(0).box, kStill);
}

TEST_F(StreamTest, AnEmptyPlanIsAnsweredAtOnceAndIsALookThatSawNothing) {
  begin("velocity", {.length = 4, .coastFrames = 1});
  look({object(kStill)});
  for (int i = 0; i < 2; ++i) {
    FrameRecord record = enter();
    record.plan.emplace();
    submit(std::move(record));
  }
  EXPECT_THAT(order_, ElementsAre(1, 2));
  EXPECT_TRUE(done_.at(1)->inferred);
  EXPECT_FALSE(done_.at(1)->skipped);
  EXPECT_TRUE(end_.open().empty());
  EXPECT_TRUE(enter().rps->empty());
}

TEST_F(StreamTest, FramesThatAreAnsweredOutOfOrderCloseInOrder) {
  for (int i = 0; i < 3; ++i) submit(enter());
  const auto requests = end_.open();
  end_.answer(requests.at(2), {object(kStill)});
  end_.answer(requests.at(1), {});
  EXPECT_TRUE(order_.empty());
  EXPECT_EQ(stream_->stats().answers, 0U);
  end_.answer(requests.at(0), {});
  EXPECT_THAT(order_, ElementsAre(0, 1, 2));
  EXPECT_EQ(stream_->stats().answers, 3U);
  EXPECT_EQ(done_.at(2)->detections.size(), 1U);
  EXPECT_EQ(enter().horizon, 1);
}

TEST_F(StreamTest, TheLoopIsClosedBeforeAnybodyHasTheAnsweredFrame) {
  stream_->slots().setLimits({.bounded = true, .maxInFlight = 1, .leaky = true});
  FrameRecord next;
  GreyPixels pixels(kFrame);
  stream_->submit(enter(), pixels, std::nullopt, [&](const FrameRecordPtr&) { next = enter(); });
  end_.answerAll({object(kStill)});
  EXPECT_FALSE(next.skipped) << "there is room for it";
  EXPECT_EQ(next.horizon, 1);
  EXPECT_EQ(next.rps->size(), 1U);
}

TEST_F(StreamTest, ADuplicateIsNotSentAgainAndGetsWhatTheFirstOneGot) {
  const FrameRecord record = enter();
  submit(record);
  submit(record);
  EXPECT_EQ(end_.open().size(), 1U);
  end_.answerAll({object(kStill)});
  EXPECT_THAT(order_, ElementsAre(0, 0));
  const FrameRecordPtr first = done_.at(0);
  submit(record);
  EXPECT_THAT(order_, ElementsAre(0, 0, 0));
  EXPECT_EQ(done_.at(0), first) << "also when it comes later";
  EXPECT_TRUE(end_.open().empty());
  EXPECT_EQ(stream_->stats().answers, 1U);
}

TEST_F(StreamTest, ADuplicateOfAFrameThatPassedUnsentPassesToo) {
  occupyTheOnlySlot();
  const FrameRecord record = enter();
  submit(record);
  submit(record);
  EXPECT_THAT(order_, ElementsAre(1, 1));
  EXPECT_TRUE(end_.open().empty());
  EXPECT_TRUE(done_.at(1)->skipped);
}

TEST_F(StreamTest, ADuplicateOfAFrameThatWentOnLateGetsWhatThatOneGot) {
  const FrameRecord record = enter();
  submit(record, 100ms);
  end_.transport.advance(100ms);
  ASSERT_THAT(order_, ElementsAre(0));
  const FrameRecordPtr first = done_.at(0);
  submit(record, 100ms);
  EXPECT_THAT(order_, ElementsAre(0, 0));
  EXPECT_EQ(done_.at(0), first);
}

TEST_F(StreamTest, FramesThatAreAbandonedAreNotHeardOfAndLeaveTheirSlots) {
  stream_->slots().setLimits({.bounded = true, .maxInFlight = 2, .leaky = true});
  submit(enter());
  submit(enter());
  EXPECT_TRUE(enter().skipped);
  stream_->abandon();
  EXPECT_TRUE(end_.open().empty()) << "their requests are cancelled";
  EXPECT_TRUE(order_.empty());
  EXPECT_FALSE(enter().skipped);
  look({object(kStill)});
  EXPECT_TRUE(enter().rps.has_value());
}

TEST_F(StreamTest, WhoAbandonsItsFramesLeavesThoseOfOtherStreamsAlone) {
  auto other = Stream::create();
  other->begin(nullptr, {});
  end_.attach(other);
  GreyPixels pixels(kFrame);
  other->submit(other->enter(kFrame, std::nullopt, stop_).value(), pixels, std::nullopt,
                [](const FrameRecordPtr&) {});
  submit(enter());
  other->abandon();
  EXPECT_EQ(end_.open().size(), 1U);
  other.reset();
  end_.answerAll({object(kStill)});
  EXPECT_THAT(order_, ElementsAre(0));
}

TEST_F(StreamTest, AStreamHasOneSender) {
  FakeEnd other;
  EXPECT_FALSE(other.attach(stream_));
  submit(enter());
  EXPECT_TRUE(other.open().empty());
  EXPECT_EQ(end_.open().size(), 1U);
  stream_->detach();
  EXPECT_TRUE(other.attach(stream_));
  submit(enter());
  EXPECT_EQ(other.open().size(), 1U);
}

// --- when whoever sends frames takes the next one

class StreamRoom : public StreamTest {
 protected:
  StreamRoom() { setLimits({.bounded = true}); }
  ~StreamRoom() override {
    stopped_ = true;
    stream_->slots().wake();
  }

  void setLimits(const Slots::Limits& limits) { stream_->slots().setLimits(limits); }
  std::future<bool> room() {
    return std::async(std::launch::async, [this] { return stream_->slots().awaitRoom(stopped_); });
  }
  static bool waits(std::future<bool>& room) {
    return room.wait_for(30ms) == std::future_status::timeout;
  }

  std::atomic<bool> stopped_ = false;
};

TEST_F(StreamRoom, IsThereUntilSoManyFramesWaitForAnswers) {
  setLimits({.bounded = true, .maxInFlight = 2});
  EXPECT_TRUE(room().get());
  submit(enter());
  EXPECT_TRUE(room().get());
  submit(enter());
  auto third = room();
  EXPECT_TRUE(waits(third));
  end_.answer(end_.open().at(0), {});
  EXPECT_TRUE(third.get());
}

TEST_F(StreamRoom, IsNotTakenByAFrameThatIsOnItsWayToWhoeverWaits) {
  look({});
  const FrameRecord behind = enter();
  auto next = room();
  EXPECT_FALSE(waits(next)) << "the frame waits for whoever waits for it";
  stopped_ = true;
  stream_->slots().wake();
}

TEST_F(StreamRoom, IsThereWhereNobodyWaitsForAFrame) {
  submit(enter());
  setLimits({.bounded = true, .leaky = true});
  EXPECT_TRUE(room().get());
  setLimits({.bounded = true, .maxInFlight = 2});
  EXPECT_TRUE(room().get());
  setLimits({});
  EXPECT_TRUE(room().get());
}

TEST_F(StreamRoom, IsThereWhereAllFramesAreLate) {
  submit(enter(), 100ms);
  auto next = room();
  EXPECT_TRUE(waits(next));
  end_.transport.advance(100ms);
  EXPECT_TRUE(next.get());
}

TEST_F(StreamRoom, IsNotWaitedForOnceStopped) {
  submit(enter());
  auto next = room();
  EXPECT_TRUE(waits(next));
  stopped_ = true;
  stream_->slots().wake();
  EXPECT_FALSE(next.get());
}

// --- frames that are late

TEST_F(StreamTest, ALateFrameGoesOnWithBoxesPredictedToItsOwnTimeAndItsAnswerFollows) {
  for (int i = 0; i < 3; ++i) look({mover(i)});
  const Identity identity = enter().rps->at(0).id;
  submit(enter(), 100ms);  // frame 4
  end_.transport.advance(99ms);
  EXPECT_TRUE(order_.empty());
  end_.transport.advance(1ms);
  ASSERT_THAT(order_, ElementsAre(4));
  const FrameRecordPtr late = done_.at(4);
  EXPECT_TRUE(late->answered);
  EXPECT_FALSE(late->inferred);
  EXPECT_EQ(late->answers.at(0).state, AnswerState::Late);
  ASSERT_EQ(late->detections.size(), 1U);
  EXPECT_TRUE(late->detections[0].coasted);
  EXPECT_NEAR(late->detections[0].box.x0, 140, 0.01);
  EXPECT_EQ(late->detections[0].id, identity);

  ASSERT_EQ(end_.open().size(), 1U) << "it is not cancelled";
  end_.answerAll({mover(4)});
  EXPECT_THAT(order_, ElementsAre(4)) << "it has gone on already";
  EXPECT_EQ(stream_->stats().answers, 4U);
  EXPECT_EQ(stream_->stats().late, 1U);
  const FrameRecord next = enter();
  EXPECT_EQ(next.horizon, 1);
  EXPECT_NEAR(next.rps->at(0).expected.x0, 150, 0.5);
  EXPECT_EQ(next.rps->at(0).id, identity);
}

TEST_F(StreamTest, ALateFrameShowsWhatIsKnownWhenItGoesOn) {
  begin("last");
  look({object(kStill)});
  submit(enter(), 1s);
  submit(enter(), 100ms);
  end_.answer(end_.open().at(0), {object(shift(kStill, 20, 0))});
  end_.transport.advance(100ms);
  EXPECT_EQ(done_.at(2)->detections.at(0).box, shift(kStill, 20, 0));
}

TEST_F(StreamTest, AtAColdStartALateFrameIsBareAndItsAnswerTellsWhereObjectsAre) {
  submit(enter(), 50ms);
  end_.transport.advance(50ms);
  EXPECT_TRUE(done_.at(0)->detections.empty());
  submit(enter(), 50ms);
  end_.transport.advance(50ms);
  EXPECT_TRUE(done_.at(1)->detections.empty());
  end_.answer(end_.open().at(0), {object(kStill)});
  const FrameRecord record = enter();
  EXPECT_EQ(record.horizon, 2);
  ASSERT_TRUE(record.rps.has_value());
  EXPECT_EQ(record.rps->at(0).expected, kStill);
}

TEST_F(StreamTest, ALateFrameWaitsForTheOnesBeforeIt) {
  submit(enter(), 1s);
  submit(enter(), 100ms);
  end_.transport.advance(100ms);
  EXPECT_TRUE(order_.empty());
  end_.answer(end_.open().at(0), {});
  EXPECT_THAT(order_, ElementsAre(0, 1));
}

TEST_F(StreamTest, ALateFrameIsAbandonedOnceANewerOneIsAnswered) {
  stream_->slots().setLimits({.bounded = true, .maxInFlight = 2, .leaky = true});
  submit(enter(), 100ms);
  end_.transport.advance(100ms);
  submit(enter(), 100ms);
  ASSERT_EQ(end_.open().size(), 2U);
  end_.answer(end_.open().at(1), {object(kStill)});
  EXPECT_THAT(order_, ElementsAre(0, 1));
  EXPECT_TRUE(end_.open().empty()) << "its request is cancelled";
  EXPECT_EQ(stream_->stats().answers, 1U);
  EXPECT_EQ(stream_->stats().late, 0U);
  submit(enter());
  const FrameRecord next = enter();
  EXPECT_FALSE(next.skipped) << "both slots were free";
  EXPECT_EQ(next.horizon, 2);
}

TEST_F(StreamTest, AnAnswerThatIsNoneOvertakesNobody) {
  submit(enter(), 100ms);
  end_.transport.advance(100ms);
  submit(enter(), 100ms);
  end_.fail(end_.open().at(1));
  EXPECT_THAT(order_, ElementsAre(0, 1));
  ASSERT_EQ(end_.open().size(), 1U);
  end_.answerAll({object(kStill)});
  const FrameRecord next = enter();
  ASSERT_TRUE(next.rps.has_value());
  EXPECT_EQ(next.rps->at(0).expected, kStill);
}

TEST_F(StreamTest, ALateFrameHoldsItsSlotUntilItIsSettled) {
  stream_->slots().setLimits({.bounded = true, .maxInFlight = 1, .live = true, .deadline = 100ms});
  submit(enter(), 100ms);
  end_.transport.advance(100ms);
  EXPECT_TRUE(enter().skipped) << "live, it is not waited for";
  end_.answerAll({});
  EXPECT_FALSE(enter().skipped);
}

TEST_F(StreamTest, AnAnswerThatNeverComesIsForgottenAndItsSlotIsFree) {
  stream_->slots().setLimits({.bounded = true, .maxInFlight = 1, .live = true, .deadline = 100ms});
  look({object(kStill)});
  submit(enter(), 100ms);
  end_.transport.advance(100ms);
  EXPECT_TRUE(enter().skipped);
  end_.transport.advance(20s);
  EXPECT_TRUE(end_.open().empty());
  EXPECT_THAT(order_, ElementsAre(1));
  EXPECT_FALSE(enter().skipped);
}

TEST_F(StreamTest, OfALateFramePartsThatWereAnsweredCountAndOthersStandIn) {
  look({object({20, 100, 60, 200}), object({300, 100, 340, 200})});
  FrameRecord record = enter();
  ASSERT_EQ(record.rps->size(), 2U);
  const bool leftFirst = record.rps->at(0).expected.x0 < 100;
  Part left{.rect = {0, 0, 200, 300}, .kind = PartKind::Rp, .rps = {leftFirst ? 0 : 1}};
  Part right{.rect = {200, 0, 200, 300}, .kind = PartKind::Rp, .rps = {leftFirst ? 1 : 0}};
  record.plan.emplace().parts = {left, right};
  submit(std::move(record), 100ms);
  end_.answer(end_.open().at(0), {object({24, 100, 64, 200})});
  end_.transport.advance(100ms);
  const FrameRecordPtr shown = done_.at(1);
  EXPECT_FALSE(shown->inferred);
  ASSERT_EQ(shown->detections.size(), 2U);
  for (const Detection& detection : shown->detections) {
    EXPECT_EQ(detection.coasted, detection.box.x0 > 100);
    EXPECT_NE(detection.id, kNoIdentity);
    EXPECT_EQ(detection.box.x0, detection.coasted ? 300 : 24);
  }
}

// --- frames that nobody sends

TEST_F(StreamTest, AFrameThatDiesOnItsWayLeavesItsSlot) {
  stream_->slots().setLimits({.bounded = true, .maxInFlight = 1, .leaky = true});
  {
    const FrameRecord record = enter();
    EXPECT_TRUE(enter().skipped);
    const FrameRecord copy = record;  // NOLINT(performance-unnecessary-copy-initialization)
  }
  EXPECT_FALSE(enter().skipped);
}

TEST_F(StreamTest, UnsentFramesShowObjectsThatWereSeenWhenTheyWereLookedForLast) {
  const Box other{300, 100, 350, 200};
  look({object(kStill), object(other)});
  const FrameRecordPtr second = look({object(kStill)});
  occupyTheOnlySlot();
  const FrameRecordPtr unsent = passUnsent();
  EXPECT_TRUE(unsent->skipped);
  EXPECT_TRUE(unsent->answered);
  EXPECT_FALSE(unsent->inferred);
  EXPECT_FALSE(unsent->plan.has_value());
  ASSERT_EQ(unsent->detections.size(), 1U);
  EXPECT_TRUE(unsent->detections[0].coasted);
  EXPECT_EQ(unsent->detections[0].box, kStill);
  EXPECT_EQ(unsent->detections[0].id, second->detections.at(0).id);
}

TEST_F(StreamTest, UnsentFramesShowBoxesMovedToTheirOwnTime) {
  for (int i = 0; i < 3; ++i) look({mover(i)});
  occupyTheOnlySlot();
  for (int frame = 4; frame < 7; ++frame)
    EXPECT_NEAR(passUnsent()->detections.at(0).box.x0, 100 + 10 * frame, 0.01);
}

TEST_F(StreamTest, UnsentFramesAgeNobody) {
  begin("last", {.length = 4, .coastFrames = 0});
  look({object(kStill)});
  occupyTheOnlySlot();
  for (int i = 0; i < 30; ++i) EXPECT_EQ(passUnsent()->detections.size(), 1U);
  end_.pass(std::move(occupant_), {object(kStill)});
  EXPECT_EQ(enter().rps->size(), 1U);
}

TEST_F(StreamTest, UnsentFramesGoOnInTheirTurnWithWhatWasLearnedMeanwhile) {
  stream_->slots().setLimits({.bounded = true, .maxInFlight = 1, .leaky = true});
  submit(enter());
  const FrameRecord unsent = enter();
  submit(unsent);
  submit(unsent);  // as behind a tee
  EXPECT_TRUE(order_.empty());
  end_.answerAll({object(kStill)});
  EXPECT_THAT(order_, ElementsAre(0, 1, 1));
  ASSERT_EQ(done_.at(1)->detections.size(), 1U);
  EXPECT_EQ(done_.at(1)->detections[0].box, kStill);
  EXPECT_TRUE(done_.at(1)->detections[0].coasted);
  EXPECT_TRUE(done_.at(1)->skipped);
}

TEST_F(StreamTest, UnsentFramesGoOnBehindOneThatIsLate) {
  stream_->slots().setLimits({.bounded = true, .maxInFlight = 1, .leaky = true});
  submit(enter(), 100ms);
  submit(enter());
  end_.transport.advance(100ms);
  EXPECT_THAT(order_, ElementsAre(0, 1)) << "its answer may come yet";
}

TEST_F(StreamTest, ObserversHearOfEachFrameOnceAndInOrderBeforeAnybodyHasIt) {
  std::vector<std::uint64_t> heard;
  const int other = 0;
  int heardByOther = 0;
  stream_->observe(this, [&](const FrameRecordPtr& record) {
    EXPECT_TRUE(record->answered);
    EXPECT_EQ(done_.count(record->id), 0U);
    heard.push_back(record->id);
  });
  stream_->observe(&other, [&](const FrameRecordPtr&) { ++heardByOther; });
  for (int i = 0; i < 3; ++i) submit(enter(), 100ms);
  FrameRecord unsent = enter();
  unsent.skipped = true;
  submit(unsent);
  submit(unsent);
  const auto requests = end_.open();
  end_.answer(requests.at(1), {});
  EXPECT_TRUE(heard.empty());
  end_.answer(requests.at(0), {});
  EXPECT_THAT(heard, ElementsAre(0, 1));
  end_.transport.advance(100ms);
  EXPECT_THAT(heard, ElementsAre(0, 1, 2, 3));
  end_.answer(requests.at(2), {});
  EXPECT_EQ(stream_->stats().late, 1U);
  EXPECT_EQ(heard.size(), 4U) << "what comes late is no news of a frame";
  EXPECT_EQ(heardByOther, 4);

  stream_->release(this);
  look({});
  EXPECT_EQ(heard.size(), 4U);
  EXPECT_EQ(heardByOther, 5);
  stream_->abandon();
}

TEST_F(StreamTest, AnObserverThatThrowsHoldsUpNobody) {
  stream_->observe(this, [](const FrameRecordPtr&) { throw std::runtime_error("no"); });
  submit(enter());
  EXPECT_THROW(end_.answerAll(), std::runtime_error);
  stream_->abandon();  // would wait for ever for whoever closes frames
  stream_->release(this);
  look({});
}

TEST_F(StreamTest, NobodyHearsOfAFrameThatIsAbandoned) {
  int heard = 0;
  stream_->observe(this, [&](const FrameRecordPtr&) { ++heard; });
  submit(enter());
  submit(enter());
  stream_->abandon();
  EXPECT_EQ(heard, 0);
}

TEST_F(StreamTest, UnsentFramesTeachPaddingNothing) {
  const auto padding = [](const FrameRecord& record) {
    return record.rps->at(0).expected.x0 - record.rps->at(0).box.x0;
  };
  begin("last");
  for (int i = 0; i < 10; ++i) look({object(kStill)});
  const float before = padding(enter());
  stream_->slots().setLimits({.bounded = true, .maxInFlight = 1, .leaky = true});
  const FrameRecord occupied = enter();
  for (int i = 0; i < 300; ++i) passUnsent();
  EXPECT_GT(before, 1);
  EXPECT_GE(padding(enter()), before);
  end_.pass(occupied, {object(kStill)});
  EXPECT_NEAR(padding(enter()), before, 0.2 * before);
}

TEST_F(StreamTest, WithoutASenderFramesPassUnsent) {
  stream_->detach();
  submit(enter());
  EXPECT_TRUE(done_.at(0)->skipped);
  EXPECT_TRUE(done_.at(0)->detections.empty());
}

// --- what is planned

TEST_F(StreamTest, APlanIsForTheServersAsTheyAreThen) {
  stream_->detach();
  FakeEnd three({"http://10.0.0.1:1", "http://10.0.0.2:1", "http://10.0.0.3:1"});
  EXPECT_EQ(planned(kScan).plan->parts.size(), 1U) << "one of middling speed where nobody sends";
  three.attach(stream_, {.bounded = true, .maxInFlight = 4});
  const FrameRecord record = planned(kScan);
  EXPECT_EQ(record.plan->parts.size(), 3U);
  EXPECT_EQ(record.capacity->servers.size(), 3U);
  EXPECT_EQ(record.capacity->maxInFlight, 4);
}

TEST_F(StreamTest, AFrameThatPassesUnsentGetsNoPlan) {
  occupyTheOnlySlot();
  EXPECT_FALSE(planned(kScan).plan.has_value());
}

/** The frame after a cold start, of which a tile is looked at to discover objects. */
class LookedAtAgain : public StreamTest {
 protected:
  LookedAtAgain() {
    end_.pass(planned(kScan), {});
    record_ = planned(kScan);
    EXPECT_EQ(record_.plan->parts.size(), 1U);
    tile_ = record_.plan->parts.at(0).rect;
    EXPECT_LT(tile_.area(), kFrame.area() / 4) << "of more the rest would follow later";
  }
  /** Of a frame for which nothing is to be discovered. */
  void expectTileInNextPlan() {
    FrameRecord record = planned(kNoDiscovery);
    ASSERT_EQ(record.plan->parts.size(), 1U);
    const Rect part = record.plan->parts[0].rect;
    EXPECT_TRUE(contains(part, tile_));
    end_.pass(std::move(record), {});
    EXPECT_TRUE(planned(kNoDiscovery).plan->parts.empty()) << "once";
  }

  FrameRecord record_;
  Rect tile_;
};

TEST_F(LookedAtAgain, NothingThatWasAnswered) {
  end_.pass(std::move(record_), {});
  EXPECT_TRUE(planned(kNoDiscovery).plan->parts.empty());
}

TEST_F(LookedAtAgain, APlanWhoseFrameWasDropped) {
  record_ = {};
  expectTileInNextPlan();
}

TEST_F(LookedAtAgain, APartThatFailed) {
  submit(std::move(record_));
  end_.fail(end_.open().at(0));
  EXPECT_EQ(done_.at(1)->answers.at(0).state, AnswerState::Failed);
  expectTileInNextPlan();
}

TEST_F(LookedAtAgain, APartThatNeverCame) {
  submit(std::move(record_), 100ms);
  end_.transport.advance(100ms);
  EXPECT_TRUE(planned(kNoDiscovery).plan->parts.empty()) << "its answer may come yet";
  end_.transport.advance(20s);
  expectTileInNextPlan();
}

TEST_F(LookedAtAgain, WhatALateFrameWasToSeeThatWasOvertaken) {
  submit(std::move(record_), 100ms);
  end_.transport.advance(100ms);
  FrameRecord next = planned(kNoDiscovery);
  next.plan.emplace().parts.push_back({.rect = {0, 0, 64, 64}});
  submit(std::move(next));
  end_.answer(end_.open().at(1), {});
  expectTileInNextPlan();
}

TEST_F(LookedAtAgain, APlanWhoseFramePassedUnsent) {
  record_.skipped = true;  // as elfoffload does with a frame that is late for the sink
  submit(std::move(record_));
  EXPECT_TRUE(done_.at(1)->skipped);
  EXPECT_FALSE(done_.at(1)->plan.has_value());
  expectTileInNextPlan();
}

TEST_F(LookedAtAgain, APlanOfSomebodyWhoHasTakenOver) {
  const int next = 1;
  end_.pass(planned(kScan, &next), {});
  stream_->release(nullptr);  // who planned so far
  record_ = {};
  FrameRecord record = planned(kNoDiscovery, &next);
  ASSERT_EQ(record.plan->parts.size(), 1U);
  EXPECT_TRUE(contains(record.plan->parts[0].rect, tile_));
}

TEST_F(LookedAtAgain, NothingOfBeforeAReset) {
  record_ = {};
  stream_->reset();
  end_.pass(planned(kNoDiscovery), {});
  EXPECT_TRUE(planned(kNoDiscovery).plan->parts.empty());
}

TEST_F(StreamTest, EachOwnerHasAPlannerOfItsOwn) {
  const int one = 1, other = 2;
  PlanSettings grid = kNoDiscovery;
  for (const Choice& choice : partitionerChoices()) {
    if (std::string(choice.name) == "grid") break;
    ++grid.partitioner;
  }
  end_.pass(planned(kNoDiscovery, &one), {});
  EXPECT_TRUE(planned(kNoDiscovery, &one).plan->parts.empty());
  EXPECT_EQ(planned(grid, &other).plan->parts.at(0).kind, PartKind::Grid);
  EXPECT_TRUE(planned(kNoDiscovery, &one).plan->parts.empty());
}

// --- how answers are merged

/** A frame of two parts that overlap, each of which sees the object a little differently. */
class StreamMerge : public StreamTest {
 protected:
  FrameRecordPtr seenTwice() {
    FrameRecord record = enter();
    record.plan.emplace().parts = {{.rect = {0, 0, 250, 300}}, {.rect = {100, 0, 300, 300}}};
    const std::uint64_t id = record.id;
    submit(std::move(record));
    const auto requests = end_.open();
    end_.answer(requests.at(0), {object(kOne, 1)});
    end_.answer(requests.at(1), {object(shift(kTwo, -100, 0), 0.5)});
    return done_.at(id);
  }
  static constexpr Box kOne{150, 100, 200, 200}, kTwo{154, 104, 204, 204};
};

TEST_F(StreamMerge, OfTwoBoxesForOneObjectTheBetterOneStays) {
  const FrameRecordPtr record = seenTwice();
  ASSERT_EQ(record->detections.size(), 1U);
  EXPECT_EQ(record->detections[0].box, kOne);
}

TEST_F(StreamMerge, OverlappingBoxesAreMergedWhereThatIsAskedFor) {
  EXPECT_TRUE(stream_->setMerging(this, {.mode = MergeMode::Nmm}));
  const FrameRecordPtr record = seenTwice();
  ASSERT_EQ(record->detections.size(), 1U);
  EXPECT_EQ(record->detections[0].box, (Box{150, 100, 204, 204}));
  EXPECT_EQ(enter().rps->at(0).expected, record->detections[0].box) << "so it is remembered";
}

TEST_F(StreamMerge, TheFirstWhoAsksDecidesUntilItGoes) {
  const int first = 1, second = 2;
  EXPECT_TRUE(stream_->setMerging(&first, {.mode = MergeMode::Nmm}));
  EXPECT_TRUE(stream_->setMerging(&second, {.mode = MergeMode::Nmm})) << "the same";
  EXPECT_FALSE(stream_->setMerging(&second, {}));
  EXPECT_EQ(seenTwice()->detections.at(0).box, (Box{150, 100, 204, 204}));
  stream_->release(&second);
  EXPECT_FALSE(stream_->setMerging(&second, {}));
  stream_->release(&first);
  EXPECT_TRUE(stream_->setMerging(&second, {}));
  EXPECT_EQ(seenTwice()->detections.at(0).box, kOne);
}

TEST_F(StreamTest, WhichObjectIsWhichIsDecidedByTheRuleOfIndexing) {
  // Half of its size to the right: as good as the same to the default rule, too far for the
  // paper's.
  const auto sameAfterAStep = [&](const char* name) {
    begin("last");
    int indexing = 0;
    for (const Choice& choice : indexerChoices()) {
      if (std::string(choice.name) == name) break;
      ++indexing;
    }
    EXPECT_TRUE(stream_->setMerging(this, {.indexing = indexing}));
    const Box box{100, 100, 160, 260};
    const Identity first = look({object(box)})->detections.at(0).id;
    return look({object(shift(box, 30, 0))})->detections.at(0).id == first;
  };
  EXPECT_TRUE(sameAfterAStep("assignment"));
  EXPECT_FALSE(sameAfterAStep("elf-release"));
  EXPECT_FALSE(sameAfterAStep("elf-paper"));
}

TEST_F(StreamTest, AnObserverThatThrowsInTheBackgroundHoldsUpNobody) {
  std::vector<Detection> many;
  for (int i = 0; i < 400; ++i) {
    const auto x = static_cast<float>(i % 20) * 20, y = static_cast<float>(i / 20) * 15;
    many.push_back(object({x, y, x + 10, y + 10}));
  }
  std::promise<void> heard;
  stream_->observe(this, [&](const FrameRecordPtr&) {
    heard.set_value();
    throw std::runtime_error("no");
  });
  submit(enter());
  end_.answerAll(many);
  heard.get_future().wait();
  stream_->abandon();
  stream_->release(this);
  look({});
}

TEST_F(StreamTest, AnswersThatTakeLongToMergeAreMergedInAnotherThread) {
  std::vector<Detection> many;
  for (int i = 0; i < 400; ++i) {
    const auto x = static_cast<float>(i % 20) * 20, y = static_cast<float>(i / 20) * 15;
    many.push_back(object({x, y, x + 10, y + 10}));
  }
  struct Done {
    std::promise<std::pair<std::thread::id, FrameRecordPtr>> promise;
    std::future<std::pair<std::thread::id, FrameRecordPtr>> future = promise.get_future();
  };
  std::array<Done, 2> done;
  GreyPixels pixels(kFrame);
  for (Done& each : done)
    stream_->submit(enter(), pixels, std::nullopt, [&each](FrameRecordPtr record) {
      each.promise.set_value({std::this_thread::get_id(), std::move(record)});
    });
  const auto requests = end_.open();
  end_.answer(requests.at(0), many);
  end_.answer(requests.at(1), {});
  const auto [thread, record] = done[0].future.get();
  EXPECT_NE(thread, std::this_thread::get_id());
  EXPECT_EQ(record->detections.size(), many.size());
  EXPECT_EQ(done[1].future.get().second->id, 1U);
  EXPECT_EQ(stream_->stats().answers, 2U);
}

TEST_F(StreamTest, FewAnswersAreMergedWhereTheyCome) {
  std::thread::id thread;
  GreyPixels pixels(kFrame);
  stream_->submit(enter(), pixels, std::nullopt,
                  [&](const FrameRecordPtr&) { thread = std::this_thread::get_id(); });
  end_.answerAll({object(kStill)});
  EXPECT_EQ(thread, std::this_thread::get_id());
}

}  // namespace
}  // namespace elf
