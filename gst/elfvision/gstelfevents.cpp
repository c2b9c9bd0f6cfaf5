// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfevents.h"

#include "gst/elfvision/gstelfboxed.h"

namespace elf::gst {

namespace {

constexpr const char* kDetections = "elf-detections";
constexpr const char* kCapacity = "elf-capacity";
constexpr const char* kPayload = "payload";

GType feedbackType() {
  return boxedType<FeedbackPtr>("GstElfFeedback");
}
GType capacityType() {
  return boxedType<CapacityPtr>("GstElfCapacity");
}

}  // namespace

GstEvent* newDetectionsEvent(FeedbackPtr feedback) {
  GstStructure* structure = gst_structure_new_empty(kDetections);
  setBoxed(structure, kPayload, feedbackType(), feedback);
  return gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM, structure);
}

FeedbackPtr parseDetectionsEvent(GstEvent* event) {
  if (GST_EVENT_TYPE(event) != GST_EVENT_CUSTOM_UPSTREAM || !gst_event_has_name(event, kDetections))
    return nullptr;
  return getBoxed<FeedbackPtr>(gst_event_get_structure(event), kPayload, feedbackType());
}

CapacityPtr queryCapacity(GstPad* srcpad) {
  GstQuery* query = gst_query_new_custom(GST_QUERY_CUSTOM, gst_structure_new_empty(kCapacity));
  CapacityPtr capacity;
  if (gst_pad_peer_query(srcpad, query))
    capacity = getBoxed<CapacityPtr>(gst_query_get_structure(query), kPayload, capacityType());
  gst_query_unref(query);
  return capacity;
}

bool isCapacityQuery(GstQuery* query) {
  return GST_QUERY_TYPE(query) == GST_QUERY_CUSTOM &&
         gst_structure_has_name(gst_query_get_structure(query), kCapacity);
}

void answerCapacityQuery(GstQuery* query, CapacityPtr capacity) {
  setBoxed(gst_query_writable_structure(query), kPayload, capacityType(), capacity);
}

}  // namespace elf::gst
