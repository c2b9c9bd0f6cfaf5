// SPDX-License-Identifier: LGPL-2.1-or-later
// A stream does not ask again for what has not changed.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "elf/stream/stream.h"
#include "tests/support/fake_end.h"

namespace elf {
namespace {

using namespace std::chrono_literals;
using testing::FakeEnd;

constexpr Size kFrame{640, 480};
constexpr Box kLeft{100, 100, 150, 200}, kRight{400, 200, 460, 320};

/** Grey pixels with edges. */
class Scene {
 public:
  Scene() : bytes_(static_cast<std::size_t>(kFrame.area())) {
    for (int y = 0; y < kFrame.height; ++y)
      for (int x = 0; x < kFrame.width; ++x) at(x, y) = ((x + 2 * y) / 20) % 2 == 0 ? 90 : 150;
  }
  std::uint8_t& at(int x, int y) { return bytes_[static_cast<std::size_t>(y) * kFrame.width + x]; }
  /** Inverts a few pixels in the middle of a box. */
  void touch(const Box& box) {
    const int cx = static_cast<int>(box.centreX()), cy = static_cast<int>(box.centreY());
    for (int y = cy; y < cy + 8; ++y)
      for (int x = cx; x < cx + 8; ++x) at(x, y) = static_cast<std::uint8_t>(255 - at(x, y));
  }
  ImageView view() const {
    return {.format = PixelFormat::GRAY8,
            .size = kFrame,
            .planes = {bytes_.data()},
            .strides = {kFrame.width}};
  }

 private:
  std::vector<std::uint8_t> bytes_;
};

class StreamKeeps : public ::testing::Test {
 protected:
  StreamKeeps() {
    stream_->begin(RpPredictor::create("velocity"), {});
    end_.attach(stream_, {.bounded = true, .maxInFlight = 1});
    settings_.planner.discovery.scanInterval = 0;
    settings_.planner.discovery.changeThreshold = 0;
  }

  /** Enters and plans the next frame, 40 ms after the last one. */
  FrameRecord planned() {
    FrameRecord record = stream_->enter(kFrame, now_ += 40ms, stop_).value();
    stream_->predict(record);
    const ImageView view = scene_.view();
    stream_->plan(nullptr, record, settings_, &view);
    return record;
  }
  /** Answers each part with the objects that lie in it. */
  FrameRecordPtr answered(FrameRecord record, const std::vector<Box>& objects) {
    const Plan plan = *record.plan;
    testing::GreyPixels pixels(kFrame);
    FrameRecordPtr done;
    stream_->submit(std::move(record), pixels, std::nullopt,
                    [&](FrameRecordPtr result) { done = std::move(result); });
    const auto open = end_.open();
    for (std::size_t i = 0; i < open.size(); ++i) {
      std::vector<Detection> found;
      for (const Box& box : objects) {
        const Box inside = shift(box, static_cast<float>(-plan.parts[i].rect.x),
                                 static_cast<float>(-plan.parts[i].rect.y));
        if (contains(plan.parts[i].rect, roundOutwards(box)))
          found.push_back({.box = inside, .score = 0.75F, .label = "person"});
      }
      end_.answer(open[i], found);
    }
    return done;
  }
  FrameRecordPtr look() { return answered(planned(), {kLeft, kRight}); }

  const std::shared_ptr<Stream> stream_ = Stream::create();
  FakeEnd end_;
  const std::atomic<bool> stop_ = false;
  PlanSettings settings_;
  Scene scene_;
  std::chrono::milliseconds now_{0};
};

TEST_F(StreamKeeps, AStillSceneIsNotAskedAgain) {
  const FrameRecordPtr first = look();
  ASSERT_EQ(first->detections.size(), 2U);
  const FrameRecord record = planned();
  EXPECT_TRUE(record.plan->parts.empty());
  const FrameRecordPtr second = answered(record, {});
  ASSERT_EQ(second->detections.size(), 2U);
  EXPECT_TRUE(second->inferred);
  for (std::size_t i = 0; i < 2; ++i) {
    Detection copy = first->detections[i];
    EXPECT_FALSE(copy.kept);
    copy.kept = true;
    EXPECT_EQ(second->detections[i], copy);
    EXPECT_FALSE(second->detections[i].coasted);
  }
}

TEST_F(StreamKeeps, AnObjectThatStartsToMoveIsAskedForInThatFrame) {
  look();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(planned().plan->parts.empty());
  scene_.touch(kLeft);
  const FrameRecord record = planned();
  ASSERT_EQ(record.plan->parts.size(), 1U);
  EXPECT_TRUE(contains(record.plan->parts[0].rect, roundOutwards(kLeft)));
  EXPECT_EQ(record.plan->kept.size(), 1U);
  // Where nothing is found any more, nothing is kept.
  const FrameRecordPtr gone = answered(record, {});
  ASSERT_EQ(gone->detections.size(), 1U);
  EXPECT_EQ(gone->detections[0].box, kRight);
}

TEST_F(StreamKeeps, NoLongerThanTheSettingSays) {
  look();
  std::chrono::milliseconds asked{0};
  const auto begun = now_;
  std::size_t parts = 0;
  while (now_ - begun < 1100ms && parts < 2) {
    FrameRecord record = planned();
    for (const Part& part : record.plan->parts) {
      parts += part.rps.size();
      asked = now_ - begun;
      EXPECT_GE(asked, 500ms);
    }
    answered(std::move(record), {kLeft, kRight});
  }
  EXPECT_EQ(parts, 2U);
  EXPECT_LE(asked, 1040ms);
}

TEST_F(StreamKeeps, NothingIsKeptIfThatIsOff) {
  settings_.keepUnchanged = 0;
  look();
  const FrameRecord record = planned();
  EXPECT_FALSE(record.plan->parts.empty());
  EXPECT_TRUE(record.plan->kept.empty());
}

TEST_F(StreamKeeps, AnObjectThatAPartShowsAnywayIsAskedFor) {
  constexpr Box kNeighbour{170, 110, 210, 200};
  answered(planned(), {kLeft, kNeighbour});
  for (int y = 150; y < 158; ++y)
    for (int x = 200; x < 208; ++x) scene_.at(x, y) = 255;
  settings_.planner.scale = false;
  FrameRecord record = planned();
  ASSERT_EQ(record.plan->parts.size(), 1U);
  const bool whole =
      contains(record.plan->parts[0].rect, roundOutwards((*record.rps)[0].box, kFrame));
  EXPECT_EQ(record.plan->kept.size(), whole ? 0U : 1U);
  const FrameRecordPtr done = answered(std::move(record), {kLeft, kNeighbour});
  EXPECT_EQ(done->detections.size(), 2U) << "each object once";
}

TEST_F(StreamKeeps, WithoutTimeStampsTheUsualRateCounts) {
  const auto plan = [&] {
    FrameRecord record = stream_->enter(kFrame, std::nullopt, stop_).value();
    stream_->predict(record);
    const ImageView view = scene_.view();
    stream_->plan(nullptr, record, settings_, &view);
    return record;
  };
  answered(plan(), {kLeft});
  int kept = 0;
  while (kept < 40 && plan().plan->parts.empty()) ++kept;
  EXPECT_GE(kept, 12);
  EXPECT_LE(kept, 25);
}

TEST_F(StreamKeeps, AFlushForgetsThePixels) {
  look();
  stream_->reset();
  const FrameRecord record = planned();
  EXPECT_FALSE(record.plan->parts.empty());
  EXPECT_TRUE(record.plan->kept.empty());
}

}  // namespace
}  // namespace elf
