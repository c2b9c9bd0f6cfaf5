// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfmeta.h"

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

}  // namespace
}  // namespace elf::gst
