// SPDX-License-Identifier: LGPL-2.1-or-later
// Owning pointers for GStreamer's types, on top of those for GLib's. Not installed.
#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include "elf/base/glib.h"

namespace elf::gst {

/** Releases an object of GLib or GStreamer. A type that is not listed here is a GObject. */
struct Unref : elf::Unref {
  using elf::Unref::operator();
  void operator()(GstBuffer* buffer) const { gst_buffer_unref(buffer); }
  void operator()(GstCaps* caps) const { gst_caps_unref(caps); }
  void operator()(GstContext* context) const { gst_context_unref(context); }
  void operator()(GstEvent* event) const { gst_event_unref(event); }
  void operator()(GstMessage* message) const { gst_message_unref(message); }
  void operator()(GstQuery* query) const { gst_query_unref(query); }
  void operator()(GstSample* sample) const { gst_sample_unref(sample); }
  void operator()(GstStructure* structure) const { gst_structure_free(structure); }
  void operator()(GstVideoConverter* converter) const { gst_video_converter_free(converter); }
};
template <typename T>
using Ref = std::unique_ptr<T, Unref>;

/** Owns an object whose reference may be floating, such as a new element. */
template <typename T>
Ref<T> sunk(T* object) {
  if (object) g_object_ref_sink(object);
  return Ref<T>(object);
}

}  // namespace elf::gst
