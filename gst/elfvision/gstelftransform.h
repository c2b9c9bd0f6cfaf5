// SPDX-License-Identifier: LGPL-2.1-or-later
// The common part of the elements that pass frames on: a GstBaseTransform with one C++ object
// inside. Not installed.
#pragma once

#include <gst/base/gstbasetransform.h>
#include <gst/video/video.h>

#include "elf/geometry/box.h"
#include "gst/elfvision/gstelfboundary.h"
#include "gst/elfvision/gstelfsettings.h"
#include "gst/elfvision/gstelfvideo.h"

namespace elf::gst {

/**
 * The C++ side of a GstBaseTransform in place. `Element`, which derives from this, has a table of
 * properties,
 *
 *     void start();                         READY->PAUSED; throws elf::Error
 *     GstFlowReturn transform(GstBuffer*);
 *
 * and overrides those functions that do nothing here as it needs them.
 */
template <typename Element, typename Settings>
class TransformElement : public WithSettings<Element, Settings> {
 public:
  explicit TransformElement(GstBaseTransform* transform)
      : transform_(transform), element_(GST_ELEMENT(transform)) {
    gst_video_info_init(&info_);
  }
  TransformElement(const TransformElement&) = delete;
  TransformElement& operator=(const TransformElement&) = delete;

  /** These see an event, which is forwarded anyway. */
  void sinkEvent(GstEvent*) {}
  void srcEvent(GstEvent*) {}
  /** True if the query is answered. */
  bool sinkQuery(GstQuery*) { return false; }
  /** Wakes waiting threads before the pads are deactivated, which waits for the streaming
   * thread. */
  void unblock() {}
  /** PAUSED->READY. */
  void stop() {}

  void setInfo(const GstVideoInfo& info) { info_ = info; }

 protected:
  Size size() const { return {info_.width, info_.height}; }

  GstBaseTransform* const transform_;
  GstElement* const element_;
  /** Of the next frames. Belongs to the streaming thread. */
  GstVideoInfo info_;
};

/** An instance of a TransformElement's type. */
template <typename Element>
struct TransformInstance {
  GstBaseTransform parent;
  Element* element;
};

/** The vfuncs of that type, each behind the error boundary. `parent` is its parent class. */
template <typename Element, gpointer* parent>
class TransformGlue {
  using Instance = TransformInstance<Element>;

 public:
  /** For the type's init. */
  static void init(Instance* instance) {
    auto* transform = GST_BASE_TRANSFORM(instance);
    instance->element = new Element(transform);
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
    installProperties<Instance, Element, &Instance::element>(object);
    addVideoPads(GST_ELEMENT_CLASS(klass));
    GST_ELEMENT_CLASS(klass)->change_state = [](GstElement* self, GstStateChange change) {
      if (change == GST_STATE_CHANGE_PAUSED_TO_READY) guarded(self, [&] { of(self).unblock(); });
      return GST_ELEMENT_CLASS(*parent)->change_state(self, change);
    };
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
  static Element& of(gpointer instance) { return *static_cast<Instance*>(instance)->element; }
};

}  // namespace elf::gst
