// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfevents.h"

#include <memory>
#include <utility>

namespace elf::gst {

namespace {

constexpr const char* kDetections = "elf-detections";
constexpr const char* kCapacity = "elf-capacity";
constexpr const char* kPayload = "payload";

// A boxed GType that holds a std::shared_ptr<const T>: copying the box shares the snapshot.
template <typename T>
struct Snapshot {
  using Pointer = std::shared_ptr<const T>;

  static GType type(const char* name) {
    static GType registered = 0;
    if (g_once_init_enter(&registered)) {
      const GType made = g_boxed_type_register_static(
          name, [](gpointer box) -> gpointer { return new Pointer(*static_cast<Pointer*>(box)); },
          [](gpointer box) { delete static_cast<Pointer*>(box); });
      g_once_init_leave(&registered, made);
    }
    return registered;
  }
};

GType feedbackType() {
  return Snapshot<Feedback>::type("GstElfFeedback");
}
GType capacityType() {
  return Snapshot<Capacity>::type("GstElfCapacity");
}

template <typename T>
void store(GstStructure* structure, GType type, std::shared_ptr<const T> payload) {
  gst_structure_set(structure, kPayload, type, &payload, nullptr);
}

template <typename T>
std::shared_ptr<const T> load(const GstStructure* structure, const char* name, GType type) {
  if (!structure || !gst_structure_has_name(structure, name)) return nullptr;
  const GValue* value = gst_structure_get_value(structure, kPayload);
  if (!value || !G_VALUE_HOLDS(value, type)) return nullptr;
  return *static_cast<std::shared_ptr<const T>*>(g_value_get_boxed(value));
}

template <typename T>
GstEvent* newEvent(const char* name, GType type, std::shared_ptr<const T> payload) {
  GstStructure* structure = gst_structure_new_empty(name);
  store(structure, type, std::move(payload));
  return gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM, structure);
}

}  // namespace

GstEvent* newDetectionsEvent(FeedbackPtr feedback) {
  return newEvent(kDetections, feedbackType(), std::move(feedback));
}

FeedbackPtr parseDetectionsEvent(GstEvent* event) {
  if (GST_EVENT_TYPE(event) != GST_EVENT_CUSTOM_UPSTREAM) return nullptr;
  return load<Feedback>(gst_event_get_structure(event), kDetections, feedbackType());
}

GstEvent* newCapacityEvent(CapacityPtr capacity) {
  return newEvent(kCapacity, capacityType(), std::move(capacity));
}

CapacityPtr parseCapacityEvent(GstEvent* event) {
  if (GST_EVENT_TYPE(event) != GST_EVENT_CUSTOM_UPSTREAM) return nullptr;
  return load<Capacity>(gst_event_get_structure(event), kCapacity, capacityType());
}

CapacityPtr queryCapacity(GstPad* srcpad) {
  GstQuery* query = gst_query_new_custom(GST_QUERY_CUSTOM, gst_structure_new_empty(kCapacity));
  CapacityPtr capacity;
  if (gst_pad_peer_query(srcpad, query))
    capacity = load<Capacity>(gst_query_get_structure(query), kCapacity, capacityType());
  gst_query_unref(query);
  return capacity;
}

bool isCapacityQuery(GstQuery* query) {
  return GST_QUERY_TYPE(query) == GST_QUERY_CUSTOM &&
         gst_structure_has_name(gst_query_get_structure(query), kCapacity);
}

void answerCapacityQuery(GstQuery* query, CapacityPtr capacity) {
  store(gst_query_writable_structure(query), capacityType(), std::move(capacity));
}

}  // namespace elf::gst
