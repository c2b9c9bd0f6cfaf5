// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/stream/second_looks.h"

#include <gtest/gtest.h>

#include <memory>

namespace elf {
namespace {

constexpr Size kFrame{1280, 720};
constexpr Box kObject{600, 300, 660, 380};
constexpr Rect kCrop{540, 240, 256, 256};
// With 6 times the context of 32 around the object.
constexpr Rect kWide{400, 100, 460, 480};

class SecondLook : public ::testing::Test {
 protected:
  SecondLook() {
    rules_.context = 32;
    rules_.sureScore = 0.5F;
  }

  /** A frame in which a part, `shown`, has the object with that score. Returns the one reported. */
  float look(const Rect& shown, float score) {
    FrameRecord record = frame();
    record.plan.emplace().parts.push_back({.rect = shown, .scale = scale_});
    record.answers.push_back({.state = AnswerState::Answered});
    record.detections.push_back({.box = kObject, .score = score, .id = 1});
    looks_.judge(record);
    return record.detections[0].score;
  }
  /** The RP of the next frame. */
  Box rp() {
    FrameRecord record = frame();
    Rp& rp = record.rps.emplace().emplace_back();
    rp.id = 1;
    rp.box = rp.expected = kObject;
    looks_.widen(record);
    asked_ = looks_.asks(1, record.id);
    return record.rps->at(0).box;
  }
  bool isWide(const Box& box) { return box.width() > kObject.width(); }

  SecondLooks looks_;
  ModelRules rules_;
  double scale_ = 1;
  bool asked_ = false;

 private:
  FrameRecord frame() {
    FrameRecord record;
    record.id = next_++;
    record.size = kFrame;
    Capacity capacity;
    capacity.servers.resize(1);
    capacity.rules = rules_;
    record.capacity = std::make_shared<const Capacity>(capacity);
    return record;
  }

  std::uint64_t next_ = 0;
};

TEST_F(SecondLook, ConfirmsWhatASmallCropShows) {
  EXPECT_LT(look(kCrop, 0.8F), 0.5F);
  EXPECT_GT(look(kCrop, 0.8F), 0.4999F) << "no lower than it has to be";
  const Box wide = rp();
  EXPECT_TRUE(asked_);
  EXPECT_EQ(wide, toBox({408, 108, 444, 464}));
  EXPECT_EQ(look(kWide, 0.6F), 0.6F);
  EXPECT_EQ(look(kCrop, 0.9F), 0.9F) << "it is confirmed";
  EXPECT_EQ(rp(), kObject);
  EXPECT_FALSE(asked_);
}

TEST_F(SecondLook, WhatIsNotConfirmedIsLookedAtAfterLongerAndLongerPauses) {
  look(kCrop, 0.7F);
  std::vector<int> wide;
  for (int frame = 0; frame < 80; ++frame) {
    const bool isDue = isWide(rp());
    if (isDue) wide.push_back(frame);
    // The surroundings make the model less sure.
    EXPECT_LT(isDue ? look(kWide, 0.3F) : look(kCrop, 0.7F), 0.5F);
  }
  ASSERT_GE(wide.size(), 5U);
  for (std::size_t i = 2; i < wide.size(); ++i)
    EXPECT_GE(wide[i] - wide[i - 1], wide[i - 1] - wide[i - 2]);
  EXPECT_LE(wide.size(), 8U);
}

TEST_F(SecondLook, AWholeFrameNeedsNone) {
  EXPECT_EQ(look(wholeFrame(kFrame), 0.55F), 0.55F);
  EXPECT_EQ(rp(), kObject);
}

TEST_F(SecondLook, AnUnsureDetectionNeedsNone) {
  EXPECT_EQ(look(kCrop, 0.4F), 0.4F);
  EXPECT_EQ(rp(), kObject);
}

TEST_F(SecondLook, ModelsThatSeeTheSameInACropNeedNone) {
  rules_.placed = true;
  EXPECT_EQ(look(kCrop, 0.8F), 0.8F);
  rules_.placed = false;
  rules_.fixedSize = {640, 640};
  EXPECT_EQ(look(kCrop, 0.8F), 0.8F);
  rules_.fixedSize = {};
  rules_.context = 0;
  EXPECT_EQ(look(kCrop, 0.8F), 0.8F);
}

TEST_F(SecondLook, SurroundingsCountInPixelsOfTheModel) {
  scale_ = 0.5;
  EXPECT_LT(look(kWide, 0.8F), 0.5F);
  EXPECT_EQ(look({200, 0, 860, 720}, 0.8F), 0.8F) << "384 pixels of the frame, or its rim";
}

TEST_F(SecondLook, AnObjectThatIsGoneIsForgotten) {
  look(kWide, 0.8F);
  looks_.eraseUnknown([](Identity) { return false; });
  EXPECT_LT(look(kCrop, 0.8F), 0.5F);
}

}  // namespace
}  // namespace elf
