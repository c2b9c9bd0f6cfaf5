// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfdetection.h"

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "elf/record/frame_fields.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfref.h"
#include "gst/elfvision/gstelfresult.h"

namespace elf::gst {
namespace {

using Shared = std::shared_ptr<GstElfDetection>;

std::vector<Shared> taken(GList* list) {
  std::vector<Shared> detections;
  for (GList* each = list; each; each = each->next)
    detections.emplace_back(static_cast<GstElfDetection*>(each->data), gst_elf_detection_unref);
  g_list_free(list);
  return detections;
}

std::vector<Shared> foundIn(GstMessage* message, gint stage = GST_ELF_ALL_STAGES) {
  std::vector<Shared> detections = taken(gst_elf_message_get_detections(message, stage));
  gst_message_unref(message);
  return detections;
}

/** A first stage that found a person with all that a detection may have. */
FrameRecord firstStage() {
  FrameRecord record;
  record.size = {640, 480};
  record.answered = true;
  auto capacity = std::make_shared<Capacity>();
  capacity->servers = {{.url = "http://10.0.0.1:1"}, {.url = "http://10.0.0.2:1"}};
  record.capacity = capacity;
  Detection person{.box = {10.5F, 20.25F, 13.6F, 22.1F},
                   .score = 0.87F,
                   .labelId = 3,
                   .label = "person",
                   .keypoints = {{11.1F, 21.2F, 0.9F}, {12, 22, 0}},
                   .rotated = RotatedBox{12, 21, 3, 1.5F, 0.25F},
                   .id = 7,
                   .server = 1};
  person.mask = Mask({10, 20, 4, 3}, {0, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0, 1});
  record.detections = {person, {.box = {1, 2, 3, 4}, .score = -1.5F, .coasted = true}};
  return record;
}

/** A second stage that found a face. */
FrameRecord secondStage() {
  FrameRecord record = firstStage();
  record.before = std::make_shared<const FrameRecord>(firstStage());
  record.stage = 1;
  record.detections = {{.box = {5, 6, 7, 8}, .score = 0.5F, .label = "face", .id = 7, .server = 0}};
  return record;
}

/** The detections of a frame in both places where an app finds them. */
class Detections : public ::testing::TestWithParam<bool> {
 protected:
  static std::vector<Shared> of(const FrameRecord& record, int stage = GST_ELF_ALL_STAGES) {
    if (GetParam())
      return foundIn(gst_message_new_element(nullptr, newResultStructure(record, 40)), stage);
    GstBuffer* buffer = gst_buffer_new();
    setRecord(buffer, std::make_shared<const FrameRecord>(record));
    std::vector<Shared> detections = taken(gst_elf_buffer_get_detections(buffer, stage));
    gst_buffer_unref(buffer);
    return detections;
  }
};

INSTANTIATE_TEST_SUITE_P(Of, Detections, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "AMessage" : "ABuffer"; });

TEST_P(Detections, TellWhatWasFound) {
  const auto detections = of(firstStage());
  ASSERT_EQ(detections.size(), 2U);
  const GstElfDetection* person = detections[0].get();
  EXPECT_STREQ(gst_elf_detection_get_label(person), "person");
  EXPECT_EQ(gst_elf_detection_get_label_id(person), 3);
  EXPECT_EQ(gst_elf_detection_get_score(person), 0.87) << "as JSON lines have it";
  EXPECT_EQ(gst_elf_detection_get_identity(person), 7);
  EXPECT_EQ(gst_elf_detection_get_stage(person), 0);
  EXPECT_FALSE(gst_elf_detection_is_coasted(person));
  EXPECT_STREQ(gst_elf_detection_get_server(person), "http://10.0.0.2:1");
  gdouble x = 0, y = 0, width = 0, height = 0;
  gst_elf_detection_get_box(person, &x, &y, &width, &height);
  EXPECT_EQ(x, 10.5);
  EXPECT_EQ(y, 20.25);
  EXPECT_EQ(width, 13.6 - 10.5);
  EXPECT_EQ(height, 22.1 - 20.25);
}

TEST_P(Detections, HaveMasks) {
  auto detections = of(firstStage());
  ASSERT_EQ(detections.size(), 2U);
  gint x = 0, y = 0, width = 0, height = 0;
  const Ref<GBytes> mask(gst_elf_detection_get_mask(detections[0].get(), &x, &y, &width, &height));
  EXPECT_FALSE(gst_elf_detection_get_mask(detections[1].get(), nullptr, nullptr, nullptr, nullptr));
  detections.clear();
  ASSERT_TRUE(mask);
  EXPECT_EQ((Rect{x, y, width, height}), (Rect{10, 20, 4, 3}));
  const std::vector<std::uint8_t> pixels{0, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0, 1};
  gsize size = 0;
  const void* data = g_bytes_get_data(mask.get(), &size);
  ASSERT_EQ(size, pixels.size());
  EXPECT_EQ(std::memcmp(data, pixels.data(), size), 0) << "they outlive the detection";
}

TEST_P(Detections, MayHaveMasksWithoutPixels) {
  FrameRecord record = firstStage();
  record.detections[0].mask = Mask();
  const auto detections = of(record);
  const Ref<GBytes> mask(
      gst_elf_detection_get_mask(detections[0].get(), nullptr, nullptr, nullptr, nullptr));
  ASSERT_TRUE(mask);
  EXPECT_EQ(g_bytes_get_size(mask.get()), 0U);
}

TEST_P(Detections, HaveKeypoints) {
  const auto detections = of(firstStage());
  ASSERT_EQ(detections.size(), 2U);
  EXPECT_EQ(gst_elf_detection_get_n_keypoints(detections[1].get()), 0U);
  ASSERT_EQ(gst_elf_detection_get_n_keypoints(detections[0].get()), 2U);
  gdouble x = 0, y = 0, visibility = 0;
  gst_elf_detection_get_keypoint(detections[0].get(), 0, &x, &y, &visibility);
  EXPECT_EQ(x, 11.1);
  EXPECT_EQ(y, 21.2);
  EXPECT_EQ(visibility, 0.9);
  gst_elf_detection_get_keypoint(detections[0].get(), 1, nullptr, nullptr, &visibility);
  EXPECT_EQ(visibility, 0);
}

TEST_P(Detections, HaveRotatedBoxes) {
  const auto detections = of(firstStage());
  ASSERT_EQ(detections.size(), 2U);
  gdouble x = 0, y = 0, width = 0, height = 0, angle = 0;
  EXPECT_TRUE(
      gst_elf_detection_get_rotated_box(detections[0].get(), &x, &y, &width, &height, &angle));
  EXPECT_EQ(x, 12);
  EXPECT_EQ(y, 21);
  EXPECT_EQ(width, 3);
  EXPECT_EQ(height, 1.5);
  EXPECT_EQ(angle, 0.25);
  EXPECT_FALSE(gst_elf_detection_get_rotated_box(detections[1].get(), &x, nullptr, nullptr, nullptr,
                                                 &angle));
  EXPECT_EQ(x, 0);
  EXPECT_EQ(angle, 0);
}

TEST_P(Detections, OfNoServerAreCoasted) {
  const auto detections = of(firstStage());
  ASSERT_EQ(detections.size(), 2U);
  const GstElfDetection* coasted = detections[1].get();
  EXPECT_TRUE(gst_elf_detection_is_coasted(coasted));
  EXPECT_EQ(gst_elf_detection_get_server(coasted), nullptr);
  EXPECT_EQ(gst_elf_detection_get_identity(coasted), 0);
  EXPECT_STREQ(gst_elf_detection_get_label(coasted), "");
  EXPECT_EQ(gst_elf_detection_get_score(coasted), -1.5);
}

TEST_P(Detections, AreThoseOfAllStagesOrOfOne) {
  const auto stages = [](const std::vector<Shared>& detections) {
    std::vector<gint> all;
    for (const Shared& each : detections) all.push_back(gst_elf_detection_get_stage(each.get()));
    return all;
  };
  EXPECT_EQ(stages(of(secondStage())), (std::vector<gint>{0, 0, 1}));
  EXPECT_EQ(stages(of(secondStage(), 0)), (std::vector<gint>{0, 0}));
  EXPECT_EQ(stages(of(secondStage(), 1)), (std::vector<gint>{1}));
  EXPECT_EQ(stages(of(secondStage(), 2)), (std::vector<gint>{}));
}

TEST_P(Detections, AreNoneInAFrameWithoutAny) {
  EXPECT_TRUE(of(FrameRecord()).empty());
}

TEST_P(Detections, HaveValidTextsWhateverServersSend) {
  FrameRecord record = firstStage();
  record.detections[0].label = "a\xFF";
  const auto detections = of(record);
  EXPECT_STREQ(gst_elf_detection_get_label(detections[0].get()), "a\uFFFD");
}

TEST(DetectionsOf, ABufferThatWasNotThroughElfAreNone) {
  GstBuffer* buffer = gst_buffer_new();
  EXPECT_EQ(gst_elf_buffer_get_detections(buffer, GST_ELF_ALL_STAGES), nullptr);
  gst_buffer_unref(buffer);
}

/** What is found in a message of that name with that one detection. */
std::vector<Shared> foundIn(const char* name, GstStructure* detection) {
  GValue item = G_VALUE_INIT, list = G_VALUE_INIT;
  g_value_init(&item, GST_TYPE_STRUCTURE);
  g_value_take_boxed(&item, detection);
  g_value_init(&list, GST_TYPE_ARRAY);
  gst_value_array_append_and_take_value(&list, &item);
  GstStructure* result = gst_structure_new_empty(name);
  gst_structure_take_value(result, "detections", &list);
  return foundIn(gst_message_new_element(nullptr, result));
}

TEST(DetectionsOf, AnotherMessageAreNone) {
  EXPECT_TRUE(foundIn(gst_message_new_eos(nullptr)).empty());
  EXPECT_TRUE(foundIn("other-result", gst_structure_new_empty("detections")).empty());
  EXPECT_EQ(foundIn("elf-result", gst_structure_new_empty("detections")).size(), 1U);
  EXPECT_TRUE(
      foundIn(gst_message_new_element(nullptr, gst_structure_new_empty("elf-result"))).empty());
}

TEST(DetectionsOf, AMessageWithWrongFieldsLackThem) {
  for (const char* mask : {"x=1", "rect=(gint64)< 1, 2, 3 >, runs=(gint64)< 6 >",
                           "rect=(gint64)< 1, 2, 3, -2 >, runs=(gint64)< 0 >",
                           "rect=(gint64)< 1, 2, 3, 2 >, runs=(gint64)< 1, -1, 6 >",
                           "rect=(gint64)< 1, 2, 3, 2 >, runs=(gint64)< 7 >",
                           "rect=(gint64)< 1, 2, 3, 2 >, runs=(string)< six >",
                           "rect=(gint64)< 1, 2, 200000, 200000 >, runs=(gint64)< 1 >",
                           "rect=(gint64)< 9999999999999, 2, 3, 2 >, runs=(gint64)< 6 >"}) {
    const Ref<GstStructure> fields(
        gst_structure_from_string((std::string("mask, ") + mask).c_str(), nullptr));
    ASSERT_TRUE(fields) << mask;
    const auto found = foundIn(
        "elf-result", gst_structure_new("detections", "mask", GST_TYPE_STRUCTURE, fields.get(),
                                        "box", G_TYPE_INT, 3, "label", G_TYPE_INT, 3, nullptr));
    ASSERT_EQ(found.size(), 1U);
    const GstElfDetection* detection = found[0].get();
    EXPECT_FALSE(gst_elf_detection_get_mask(found[0].get(), nullptr, nullptr, nullptr, nullptr))
        << mask;
    EXPECT_STREQ(gst_elf_detection_get_label(detection), "");
    gdouble width = 1;
    gst_elf_detection_get_box(detection, nullptr, nullptr, &width, nullptr);
    EXPECT_EQ(width, 0);
  }
}

TEST(DetectionsOf, NothingAreAMisuse) {
  g_test_expect_message(nullptr, G_LOG_LEVEL_CRITICAL, "*GST_IS_BUFFER*");
  EXPECT_EQ(gst_elf_buffer_get_detections(nullptr, 0), nullptr);
  g_test_assert_expected_messages();
  g_test_expect_message(nullptr, G_LOG_LEVEL_CRITICAL, "*GST_IS_MESSAGE*");
  EXPECT_EQ(gst_elf_message_get_detections(nullptr, 0), nullptr);
  g_test_assert_expected_messages();
  g_test_expect_message(nullptr, G_LOG_LEVEL_CRITICAL, "*detection*");
  EXPECT_EQ(gst_elf_detection_get_label(nullptr), nullptr);
  g_test_assert_expected_messages();
}

}  // namespace
}  // namespace elf::gst
