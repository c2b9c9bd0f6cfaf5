// SPDX-License-Identifier: LGPL-2.1-or-later
// The messages of one element, as an application would read them.
#pragma once

#include <gst/gst.h>

#include <string>

namespace elf::testing {

/** The text of an error, warning or info message. */
inline std::string textOf(GstMessage* message) {
  GError* error = nullptr;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
    gst_message_parse_error(message, &error, nullptr);
  else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_INFO)
    gst_message_parse_info(message, &error, nullptr);
  else
    gst_message_parse_warning(message, &error, nullptr);
  const std::string text = error->message;
  g_error_free(error);
  return text;
}

/** A bus for an element that has none; it goes on living in the element. */
class BusOf {
 public:
  explicit BusOf(GstElement* element) : bus_(gst_bus_new()) { gst_element_set_bus(element, bus_); }
  BusOf(const BusOf&) = delete;
  BusOf& operator=(const BusOf&) = delete;
  ~BusOf() { gst_object_unref(bus_); }

  /** Text of the next error or warning, for which it waits; "" without one. */
  std::string text(GstMessageType type) {
    GstMessage* message = gst_bus_timed_pop_filtered(bus_, 5 * GST_SECOND, type);
    if (!message) return {};
    std::string result = textOf(message);
    gst_message_unref(message);
    return result;
  }

  void forget() {
    gst_bus_set_flushing(bus_, TRUE);
    gst_bus_set_flushing(bus_, FALSE);
  }

  /** The next message of that type, the caller's; null where there is none yet. */
  GstMessage* pop(GstMessageType type) { return gst_bus_pop_filtered(bus_, type); }

  /** How many messages of that type are there; takes them out. */
  int count(GstMessageType type) {
    int count = 0;
    while (GstMessage* message = gst_bus_pop_filtered(bus_, type)) {
      ++count;
      gst_message_unref(message);
    }
    return count;
  }
  bool has(GstMessageType type) { return count(type) > 0; }

 private:
  GstBus* bus_;
};

}  // namespace elf::testing
