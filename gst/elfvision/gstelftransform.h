// SPDX-License-Identifier: LGPL-2.1-or-later
// What the elements that pass frames on have in common: GstBaseTransform outside, one C++ object
// inside. Not installed.
#pragma once

#include <gst/base/gstbasetransform.h>
#include <gst/video/video.h>

#include "gst/elfvision/gstelfallocation.h"
#include "gst/elfvision/gstelfboundary.h"
#include "gst/elfvision/gstelfsettings.h"
#include "gst/elfvision/gstelfvideo.h"

namespace elf::gst {

/**
 * The vfuncs of a GstBaseTransform in place, each behind the error boundary. `Impl`, which an
 * instance points to by `impl`, has
 *
 *     void start(), stop();               READY->PAUSED, throws elf::Error; PAUSED->READY
 *     void unblock();                     before the pads are deactivated: nobody waits any more
 *     void setInfo(const GstVideoInfo&);  of the frames to come
 *     void sinkEvent(GstEvent*);          sees it; it goes on by itself
 *     void srcEvent(GstEvent*);           the same
 *     bool sinkQuery(GstQuery*);          true where it is answered
 *     GstFlowReturn transform(GstBuffer*);
 *
 * and what installProperties() asks for. `parent` is the type's parent class.
 */
template <typename Instance, typename Impl, Impl* Instance::*impl, gpointer* parent>
class TransformGlue {
 public:
  /** For the type's init. */
  static void init(Instance* instance) {
    auto* transform = GST_BASE_TRANSFORM(instance);
    instance->*impl = new Impl(transform);
    gst_base_transform_set_in_place(transform, TRUE);
    gst_base_transform_set_qos_enabled(transform, FALSE);
  }

  /** For the type's class_init. */
  static void install(gpointer klass) {
    auto* object = G_OBJECT_CLASS(klass);
    object->finalize = [](GObject* dying) {
      delete &of(dying);
      G_OBJECT_CLASS(*parent)->finalize(dying);
    };
    installProperties<Instance, Impl, impl>(object);
    addVideoPads(GST_ELEMENT_CLASS(klass));
    GST_ELEMENT_CLASS(klass)->change_state = changeState;
    auto* transform = GST_BASE_TRANSFORM_CLASS(klass);
    transform->start = [](GstBaseTransform* self) {
      return guarded(GST_ELEMENT(self), FALSE, [&] { return of(self).start(), TRUE; });
    };
    transform->stop = [](GstBaseTransform* self) {
      return guarded(GST_ELEMENT(self), FALSE, [&] { return of(self).stop(), TRUE; });
    };
    transform->set_caps = [](GstBaseTransform* self, GstCaps* caps, GstCaps*) {
      return guarded(GST_ELEMENT(self), FALSE, [&]() -> gboolean {
        GstVideoInfo info;
        if (!gst_video_info_from_caps(&info, caps)) return FALSE;
        return of(self).setInfo(info), TRUE;
      });
    };
    transform->sink_event = [](GstBaseTransform* self, GstEvent* event) {
      guarded(GST_ELEMENT(self), [&] { of(self).sinkEvent(event); });
      return GST_BASE_TRANSFORM_CLASS(*parent)->sink_event(self, event);
    };
    transform->src_event = [](GstBaseTransform* self, GstEvent* event) {
      guarded(GST_ELEMENT(self), [&] { of(self).srcEvent(event); });
      return GST_BASE_TRANSFORM_CLASS(*parent)->src_event(self, event);
    };
    transform->query = [](GstBaseTransform* self, GstPadDirection direction,
                          GstQuery* query) -> gboolean {
      const auto answered = [&] { return of(self).sinkQuery(query); };
      if (direction == GST_PAD_SINK && guarded(GST_ELEMENT(self), false, answered)) return TRUE;
      return GST_BASE_TRANSFORM_CLASS(*parent)->query(self, direction, query);
    };
    transform->propose_allocation = [](GstBaseTransform* self, GstQuery*, GstQuery* query) {
      return forwardAllocation(GST_BASE_TRANSFORM_SRC_PAD(self), query);
    };
    transform->transform_ip = [](GstBaseTransform* self, GstBuffer* buffer) {
      return guarded(GST_ELEMENT(self), GST_FLOW_ERROR, [&] { return of(self).transform(buffer); });
    };
  }

 private:
  static Impl& of(gpointer instance) { return *(static_cast<Instance*>(instance)->*impl); }

  static GstStateChangeReturn changeState(GstElement* element, GstStateChange change) {
    // Deactivating the pads waits for the streaming thread.
    if (change == GST_STATE_CHANGE_PAUSED_TO_READY)
      guarded(element, [&] { of(element).unblock(); });
    return GST_ELEMENT_CLASS(*parent)->change_state(element, change);
  }
};

}  // namespace elf::gst
