// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/record/scaled_record.h"

#include <gtest/gtest.h>

namespace elf {
namespace {

TEST(FrameRecord, OfAScaledFrameHasWhatWasFoundInItsPixels) {
  FrameRecord first;
  first.size = {640, 480};
  Detection found{.box = {10, 20, 50, 60}, .label = "ship"};
  found.mask = Mask({10, 20, 40, 40}, std::vector<std::uint8_t>(1600, 1));
  found.keypoints = {{20, 30, 0.5F}};
  found.rotated = {30, 40, 48, 8, 0.5F};
  first.detections = {found};
  FrameRecord record = first;
  record.stage = 1;
  record.before = std::make_shared<const FrameRecord>(first);

  // With borders above and below.
  const FrameRecord half = scaledTo({320, 260}, {0, 10, 320, 240}, record);
  for (const FrameRecord* each : {&half, half.before.get()}) {
    const Detection& scaled = each->detections.at(0);
    EXPECT_EQ(each->size, (Size{320, 260}));
    EXPECT_EQ(scaled.box, (Box{5, 20, 25, 40}));
    EXPECT_FALSE(scaled.mask);
    EXPECT_EQ(scaled.keypoints, (std::vector<Keypoint>{{10, 25, 0.5F}}));
    EXPECT_EQ(scaled.rotated, (RotatedBox{15, 30, 24, 4, 0.5F}));
  }
  // Each side by itself: what lay along the diagonal of a square lies flatter.
  record.detections[0].rotated = {30, 40, 48, 8, 0.785398F};
  const auto flat = scaledTo({640, 120}, {0, 0, 640, 120}, record).detections[0].rotated;
  ASSERT_TRUE(flat);
  EXPECT_NEAR(flat->angle, std::atan2(1, 4), 1e-5);
  EXPECT_FLOAT_EQ(flat->centreY, 10);
}

}  // namespace
}  // namespace elf
