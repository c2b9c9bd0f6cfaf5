// SPDX-License-Identifier: LGPL-2.1-or-later
// What GStreamer's analytics metas of a buffer say, for builds with and without the library.
#pragma once

#include <gst/gst.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "elf/geometry/box.h"

#ifdef ELF_ANALYTICS
#include <gst/analytics/analytics.h>
#include <gst/video/gstvideometa.h>
#endif

namespace elf::testing {

struct AnalyticsTrack {
  std::uint64_t id = 0;
  GstClockTime first = 0, last = 0;
  bool lost = false;

  bool operator==(const AnalyticsTrack&) const = default;
};

struct AnalyticsMask {
  Rect rect;
  std::vector<unsigned> ids;
  std::vector<guint8> pixels;
  /** It is related to its object, too. */
  bool both = false;
};

/** A keypoint of a group. */
struct AnalyticsJoint {
  int x = 0, y = 0;
  float confidence = 0;

  bool operator==(const AnalyticsJoint&) const = default;
};

/** A GstAnalyticsODMtd and what is related to it. */
struct AnalyticsDetection {
  std::string label;
  Rect box;
  float confidence = 0;
  /** Of the box that is turned, 0 where it is none. */
  float angle = 0;
  Rect upright;
  std::vector<AnalyticsTrack> tracks;
  std::vector<AnalyticsMask> masks;
  std::vector<std::string> classes;
  std::vector<AnalyticsJoint> joints;
};

#ifdef ELF_ANALYTICS

template <typename Body>
void forRelated(const GstAnalyticsMtd& to, GstAnalyticsRelTypes how, GstAnalyticsMtdType type,
                Body&& body) {
  gpointer state = nullptr;
  GstAnalyticsMtd mtd{};
  while (gst_analytics_relation_meta_get_direct_related(to.meta, to.id, how, type, &state, &mtd))
    body(mtd);
}

#if GST_CHECK_VERSION(1, 26, 0)
inline AnalyticsMask maskOf(GstAnalyticsMtd mtd, const GstAnalyticsMtd& of) {
  AnalyticsMask mask;
  guint width = 0, height = 0;
  GstBuffer* pixels =
      gst_analytics_segmentation_mtd_get_mask(&mtd, &mask.rect.x, &mask.rect.y, &width, &height);
  mask.rect.width = static_cast<int>(width);
  mask.rect.height = static_cast<int>(height);
  mask.pixels.resize(gst_buffer_get_size(pixels));
  gst_buffer_extract(pixels, 0, mask.pixels.data(), mask.pixels.size());
  gst_buffer_unref(pixels);
  for (gsize i = 0; i < gst_analytics_segmentation_mtd_get_region_count(&mtd); ++i)
    mask.ids.push_back(gst_analytics_segmentation_mtd_get_region_id(&mtd, i));
  forRelated(mtd, GST_ANALYTICS_REL_TYPE_RELATE_TO, gst_analytics_od_mtd_get_mtd_type(),
             [&](const GstAnalyticsMtd& od) { mask.both |= od.id == of.id; });
  return mask;
}
#endif

inline AnalyticsDetection analyticsOf(GstAnalyticsMtd od) {
  AnalyticsDetection found;
  if (const char* label = g_quark_to_string(gst_analytics_od_mtd_get_obj_type(&od)))
    found.label = label;
  Rect& box = found.box;
  gst_analytics_od_mtd_get_location(&od, &box.x, &box.y, &box.width, &box.height,
                                    &found.confidence);
  forRelated(od, GST_ANALYTICS_REL_TYPE_RELATE_TO, gst_analytics_tracking_mtd_get_mtd_type(),
             [&](GstAnalyticsMtd mtd) {
               AnalyticsTrack track;
               guint64 id = 0;
               gboolean lost = FALSE;
               gst_analytics_tracking_mtd_get_info(&mtd, &id, &track.first, &track.last, &lost);
               track.id = id;
               track.lost = lost;
               found.tracks.push_back(track);
             });
  forRelated(
      od, GST_ANALYTICS_REL_TYPE_RELATE_TO, gst_analytics_cls_mtd_get_mtd_type(),
      [&](GstAnalyticsMtd mtd) {
        found.classes.emplace_back(g_quark_to_string(gst_analytics_cls_mtd_get_quark(&mtd, 0)));
      });
#if GST_CHECK_VERSION(1, 26, 0)
  Rect& upright = found.upright;
  gst_analytics_od_mtd_get_oriented_location(&od, &upright.x, &upright.y, &upright.width,
                                             &upright.height, &found.angle, &found.confidence);
  forRelated(od, GST_ANALYTICS_REL_TYPE_RELATE_TO, gst_analytics_segmentation_mtd_get_mtd_type(),
             [&](const GstAnalyticsMtd& mtd) { found.masks.push_back(maskOf(mtd, od)); });
#endif
#if __has_include(<gst/analytics/gstanalyticskeypointmtd.h>)
  forRelated(od, GST_ANALYTICS_REL_TYPE_CONTAIN, gst_analytics_group_mtd_get_mtd_type(),
             [&](GstAnalyticsMtd group) {
               gpointer state = nullptr;
               GstAnalyticsMtd point{};
               while (gst_analytics_group_mtd_iterate(
                   &group, &state, gst_analytics_keypoint_mtd_get_mtd_type(), &point)) {
                 AnalyticsJoint joint;
                 GstAnalyticsKeypointDimensions dimensions;
                 gst_analytics_keypoint_mtd_get_position(&point, &joint.x, &joint.y, nullptr,
                                                         &dimensions);
                 gst_analytics_keypoint_mtd_get_confidence(&point, &joint.confidence);
                 found.joints.push_back(joint);
               }
             });
#endif
  return found;
}

/** Unset where the buffer has no GstAnalyticsRelationMeta. */
inline std::optional<std::vector<AnalyticsDetection>> analyticsOn(GstBuffer* buffer) {
  GstAnalyticsRelationMeta* meta = gst_buffer_get_analytics_relation_meta(buffer);
  if (!meta) return std::nullopt;
  std::vector<AnalyticsDetection> found;
  gpointer state = nullptr;
  GstAnalyticsMtd od{};
  while (
      gst_analytics_relation_meta_iterate(meta, &state, gst_analytics_od_mtd_get_mtd_type(), &od))
    found.push_back(analyticsOf(od));
  return found;
}

/** As another element adds one. */
inline void addAnalyticsDetection(GstBuffer* buffer, const char* label, const Rect& box,
                                  float confidence) {
  GstAnalyticsODMtd od{};
  gst_analytics_relation_meta_add_od_mtd(gst_buffer_add_analytics_relation_meta(buffer),
                                         g_quark_from_string(label), box.x, box.y, box.width,
                                         box.height, confidence, &od);
}

#else

inline std::optional<std::vector<AnalyticsDetection>> analyticsOn(GstBuffer*) {
  return std::nullopt;
}

inline void addAnalyticsDetection(GstBuffer*, const char*, const Rect&, float) {}

#endif

}  // namespace elf::testing
