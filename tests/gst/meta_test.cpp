// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfmeta.h"

#include <gst/video/video.h>
#include <gtest/gtest.h>

namespace elf::gst {
namespace {

FrameRecordPtr recordWithId(std::uint64_t id) {
  FrameRecord record;
  record.id = id;
  return std::make_shared<const FrameRecord>(record);
}

class Meta : public testing::Test {
 protected:
  Meta() : buffer_(gst_buffer_new_allocate(nullptr, 16, nullptr)) {}
  ~Meta() override { gst_buffer_unref(buffer_); }
  GstBuffer* buffer_;
};

TEST_F(Meta, IsAbsentUntilARecordIsSet) {
  EXPECT_EQ(getRecord(buffer_), nullptr);
}

TEST_F(Meta, SettingAgainReplacesTheRecord) {
  setRecord(buffer_, recordWithId(1));
  setRecord(buffer_, recordWithId(2));
  EXPECT_EQ(getRecord(buffer_)->id, 2U);
  EXPECT_EQ(gst_buffer_get_n_meta(buffer_, GST_ELF_META_API_TYPE), 1U);
}

TEST_F(Meta, ACopyOfTheBufferSharesTheRecord) {
  setRecord(buffer_, recordWithId(7));
  GstBuffer* copy = gst_buffer_copy(buffer_);
  EXPECT_EQ(getRecord(copy), getRecord(buffer_));
  gst_buffer_unref(copy);
}

TEST_F(Meta, WritingTheCopyLeavesTheOriginalAsItWas) {
  setRecord(buffer_, recordWithId(7));
  GstBuffer* copy = gst_buffer_copy(buffer_);
  setRecord(copy, recordWithId(8));
  EXPECT_EQ(getRecord(buffer_)->id, 7U);
  gst_buffer_unref(copy);
}

TEST_F(Meta, ACopyOfARegionHasNoRecord) {
  setRecord(buffer_, recordWithId(7));
  GstBuffer* region = gst_buffer_copy_region(buffer_, GST_BUFFER_COPY_ALL, 0, 8);
  EXPECT_EQ(getRecord(region), nullptr);
  gst_buffer_unref(region);
}

GstVideoInfo video(Size size, int parN = 1, int parD = 1) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_GRAY8, static_cast<guint>(size.width),
                            static_cast<guint>(size.height));
  info.par_n = parN;
  info.par_d = parD;
  return info;
}

/** What becomes of a record for frames of `from` where they are scaled to `to`. */
FrameRecordPtr scaled(const FrameRecord& record, GstVideoInfo from, GstVideoInfo to) {
  GstBuffer* in = gst_buffer_new();
  GstBuffer* out = gst_buffer_new();
  setRecord(in, std::make_shared<const FrameRecord>(record));
  GstVideoMetaTransform transform{&from, &to};
  gst_elf_meta_get_info()->transform_func(out, gst_buffer_get_meta(in, GST_ELF_META_API_TYPE), in,
                                          gst_video_meta_transform_scale_get_quark(), &transform);
  const FrameRecordPtr result = getRecord(out);
  gst_buffer_unref(in);
  gst_buffer_unref(out);
  return result;
}

/** Of 400x300 pixels, with one object and one joint. */
FrameRecord answered() {
  FrameRecord record;
  record.size = {400, 300};
  record.answered = true;
  record.detections = {{.box = {100, 60, 200, 120}, .keypoints = {{100, 60, 1}}}};
  return record;
}

TEST(ScaledMeta, BoxesGoWithThePixels) {
  const auto boxIn = [](GstVideoInfo to) {
    return scaled(answered(), video({400, 300}), to)->detections[0].box;
  };
  EXPECT_EQ(boxIn(video({200, 150})), (Box{50, 30, 100, 60}));
  EXPECT_EQ(boxIn(video({400, 600}, 2, 1)), (Box{100, 120, 200, 240})) << "the pixels are wide";
  EXPECT_EQ(boxIn(video({400, 600})), (Box{100, 210, 200, 270})) << "borders above and below";
  EXPECT_EQ(boxIn(video({500, 300})), (Box{150, 60, 250, 120})) << "borders beside";
  EXPECT_EQ(boxIn(video({400, 300}, 2, 1)), (Box{150, 60, 200, 120})) << "of 200 pixels' width";
  EXPECT_EQ(boxIn(video({400, 301})), (Box{100, 60, 200, 120})) << "a border of one row, below";
}

TEST(ScaledMeta, JointsAndEarlierStagesGoWithThePixelsToo) {
  FrameRecord second = answered();
  second.before = std::make_shared<const FrameRecord>(answered());
  const FrameRecordPtr record = scaled(second, video({400, 300}), video({800, 800}));
  EXPECT_EQ(record->size, (Size{800, 800}));
  EXPECT_EQ(record->detections[0].keypoints[0], (Keypoint{200, 220, 1}));
  EXPECT_EQ(record->before->size, (Size{800, 800}));
  EXPECT_EQ(record->before->detections[0].box, record->detections[0].box);
}

TEST(ScaledMeta, OneThatIsOnItsWayGoesOnlyWhereNothingMoves) {
  FrameRecord record = answered();
  record.answered = false;
  const GstVideoInfo from = video({400, 300});
  EXPECT_TRUE(scaled(record, from, from)) << "as videoconvert asks";
  EXPECT_FALSE(scaled(record, from, video({200, 150})));
  EXPECT_FALSE(scaled(record, from, video({400, 300}, 2, 1)));
}

}  // namespace
}  // namespace elf::gst
