// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfanalytics.h"

#ifndef ELF_ANALYTICS

namespace elf::gst {

bool hasAnalytics() {
  return false;
}

void addAnalytics(GstBuffer*, const FrameRecord&) {}

std::vector<Region> analyticsRegions(GstBuffer*, const FrameRecord*) {
  return {};
}

}  // namespace elf::gst

#else

#include <gst/analytics/analytics.h>
#include <gst/video/gstvideometa.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <optional>
#include <string>
#include <utility>

namespace elf::gst {

namespace {

/** Masks and rotated boxes. */
#define ELF_ANALYTICS_OF_1_26 GST_CHECK_VERSION(1, 26, 0)
/** The libraries of 1.26 and 1.28 do not have them. */
#if __has_include(<gst/analytics/gstanalyticskeypointmtd.h>)
#define ELF_ANALYTICS_KEYPOINTS 1
#endif

GstClockTime toClockTime(const std::optional<std::chrono::nanoseconds>& time) {
  return time && time->count() >= 0 ? static_cast<GstClockTime>(time->count())
                                    : GST_CLOCK_TIME_NONE;
}

GQuark typeOf(const Detection& d) {
  return g_quark_from_string(nameOf(d).c_str());
}

/** A GstAnalyticsODMtd of a buffer. */
struct Present {
  struct Track {
    guint64 id;
    GstClockTime first;

    bool operator==(const Track&) const = default;
  };

  Region region;
  GQuark type = 0;
  gfloat confidence = 0;
  /** Elf's, and others of trackers behind elfmerge. */
  std::vector<Track> tracks;
};

Present readDetection(GstAnalyticsODMtd od) {
  Present present;
  gint x = 0, y = 0, w = 0, h = 0;
  gst_analytics_od_mtd_get_location(&od, &x, &y, &w, &h, &present.confidence);
  present.region.box = toBox({x, y, w, h});
  present.type = gst_analytics_od_mtd_get_obj_type(&od);
  if (const char* label = g_quark_to_string(present.type)) present.region.label = label;
  gpointer state = nullptr;
  GstAnalyticsTrackingMtd mtd{};
  while (gst_analytics_relation_meta_get_direct_related(
      od.meta, od.id, GST_ANALYTICS_REL_TYPE_RELATE_TO, gst_analytics_tracking_mtd_get_mtd_type(),
      &state, &mtd)) {
    Present::Track track{};
    GstClockTime last = 0;
    gboolean lost = FALSE;
    gst_analytics_tracking_mtd_get_info(&mtd, &track.id, &track.first, &last, &lost);
    present.tracks.push_back(track);
  }
  return present;
}

std::vector<Present> detectionsOn(GstAnalyticsRelationMeta* meta) {
  std::vector<Present> all;
  if (!meta) return all;
  gpointer state = nullptr;
  GstAnalyticsODMtd od{};
  while (
      gst_analytics_relation_meta_iterate(meta, &state, gst_analytics_od_mtd_get_mtd_type(), &od))
    all.push_back(readDetection(od));
  return all;
}

Box boxOf(const Reported& reported) {
  return toBox(roundOutwards(reported.detection->box, reported.record->size));
}

/**
 * Whether `present` is this detection. Before GStreamer 1.30 nothing else tells who made an ODMtd.
 * Scaling changes only its box, which counts only without an identity.
 */
bool isOf(const Present& present, const Reported& reported) {
  const Detection& d = *reported.detection;
  if (present.confidence != d.score || present.type != reported.type) return false;
  if (d.id == kNoIdentity) return present.region.box == boxOf(reported);
  return std::ranges::find(present.tracks,
                           Present::Track{static_cast<guint64>(d.id), toClockTime(d.seen.first)}) !=
         present.tracks.end();
}

/** Takes out of `known` the one that `present` is. Unset if another element made it. */
std::optional<Reported> take(std::vector<Reported>& known, const Present& present) {
  const auto found =
      std::ranges::find_if(known, [&](const Reported& each) { return isOf(present, each); });
  if (found == known.end()) return std::nullopt;
  const Reported taken = *found;
  known.erase(found);
  return taken;
}

void relate(GstAnalyticsRelationMeta* meta, GstAnalyticsRelTypes how, const GstAnalyticsMtd& from,
            const GstAnalyticsMtd& to) {
  gst_analytics_relation_meta_set_relation(meta, how, from.id, to.id);
}

GstAnalyticsODMtd addDetection(GstAnalyticsRelationMeta* meta, const Detection& d, Size frame) {
  GstAnalyticsODMtd od{};
#if ELF_ANALYTICS_OF_1_26
  if (d.rotated) {
    const RotatedBox& r = *d.rotated;
    // From 0 to 2 pi.
    constexpr float kTurn = 2 * std::numbers::pi_v<float>;
    const float angle = std::fmod(std::fmod(r.angle, kTurn) + kTurn, kTurn);
    const auto round = [](float value) { return static_cast<gint>(std::lround(value)); };
    gst_analytics_relation_meta_add_oriented_od_mtd(meta, typeOf(d), round(r.centreX - r.width / 2),
                                                    round(r.centreY - r.height / 2), round(r.width),
                                                    round(r.height), angle, d.score, &od);
    return od;
  }
#endif
  const Rect r = roundOutwards(d.box, frame);
  gst_analytics_relation_meta_add_od_mtd(meta, typeOf(d), r.x, r.y, r.width, r.height, d.score,
                                         &od);
  return od;
}

void addTrack(GstAnalyticsRelationMeta* meta, const GstAnalyticsODMtd& od, const Detection& d) {
  if (d.id == kNoIdentity) return;
  GstAnalyticsTrackingMtd track{};
  gst_analytics_relation_meta_add_tracking_mtd(meta, static_cast<guint64>(d.id),
                                               toClockTime(d.seen.first), &track);
  gst_analytics_tracking_mtd_update_last_seen(&track, toClockTime(d.seen.last));
  if (d.coasted) gst_analytics_tracking_mtd_set_lost(&track);
  relate(meta, GST_ANALYTICS_REL_TYPE_RELATE_TO, od, track);
}

void addClass(GstAnalyticsRelationMeta* meta, const GstAnalyticsODMtd& od, const Detection& d) {
  GstAnalyticsClsMtd classified{};
  gst_analytics_relation_meta_add_one_cls_mtd(meta, d.score, typeOf(d), &classified);
  relate(meta, GST_ANALYTICS_REL_TYPE_RELATE_TO, od, classified);
}

#if ELF_ANALYTICS_OF_1_26
void addMask(GstAnalyticsRelationMeta* meta, const GstAnalyticsODMtd& od, const Detection& d) {
  if (!d.mask || d.mask->rect().empty()) return;
  const Rect& rect = d.mask->rect();
  // 0 is the background. segmentationoverlay chooses a colour by the other one.
  const auto id = static_cast<guint8>(1 + d.id % 255);
  guint ids[] = {0, id};
  GstBuffer* pixels = gst_buffer_new_allocate(nullptr, static_cast<gsize>(rect.area()), nullptr);
  GstMapInfo map;
  gst_buffer_map(pixels, &map, GST_MAP_WRITE);
  guint8* to = map.data;
  for (int y = rect.y; y < rect.bottom(); ++y)
    to = std::ranges::transform(d.mask->row(y), to, [id](std::uint8_t inside) {
           return static_cast<guint8>(inside * id);
         }).out;
  gst_buffer_unmap(pixels, &map);
  // Without gaps between rows: segmentationoverlay of 1.28 ignores the stride.
  const gsize offsets[GST_VIDEO_MAX_PLANES] = {};
  const gint strides[GST_VIDEO_MAX_PLANES] = {rect.width};
  gst_buffer_add_video_meta_full(pixels, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8,
                                 static_cast<guint>(rect.width), static_cast<guint>(rect.height), 1,
                                 offsets, strides);
  GstAnalyticsSegmentationMtd mask{};
  gst_analytics_relation_meta_add_segmentation_mtd(
      meta, pixels, GST_SEGMENTATION_TYPE_INSTANCE, std::size(ids), ids, rect.x, rect.y,
      static_cast<guint>(rect.width), static_cast<guint>(rect.height), &mask);
  relate(meta, GST_ANALYTICS_REL_TYPE_RELATE_TO, od, mask);
  relate(meta, GST_ANALYTICS_REL_TYPE_RELATE_TO, mask, od);
}
#endif

#if ELF_ANALYTICS_KEYPOINTS
void addKeypoints(GstAnalyticsRelationMeta* meta, const GstAnalyticsODMtd& od, const Detection& d,
                  const ModelRules* rules) {
  if (d.keypoints.empty()) return;
  std::vector<gint> places, bones;
  std::vector<gfloat> confidences;
  std::vector<guint8> visibilities;
  for (const Keypoint& joint : d.keypoints) {
    places.push_back(static_cast<gint>(std::lround(joint.x)));
    places.push_back(static_cast<gint>(std::lround(joint.y)));
    confidences.push_back(joint.visibility);
    visibilities.push_back(isSeen(joint) ? GST_ANALYTICS_KEYPOINT_VISIBILITY_VISIBLE
                                         : GST_ANALYTICS_KEYPOINT_VISIBILITY_UNKNOWN);
  }
  if (rules)
    for (const auto& bone : rules->skeleton) bones.insert(bones.end(), bone.begin(), bone.end());
  // Named as in GStreamer's documentation. 17 joints are those of COCO.
  const std::string tag =
      (d.keypoints.size() == 17 ? "pose-" : "") + std::to_string(d.keypoints.size()) + "-kp";
  GstAnalyticsGroupMtd group{};
  gst_analytics_relation_meta_add_keypoints_group(
      meta, tag.c_str(), GST_ANALYTICS_KEYPOINT_DIMENSIONS_2D, places.size(), places.data(),
      d.keypoints.size(), confidences.data(), visibilities.data(), bones.size(), bones.data(),
      &group);
  relate(meta, GST_ANALYTICS_REL_TYPE_CONTAIN, od, group);
}
#endif

/** With room for all that `detections` may need. */
GstAnalyticsRelationMeta* newMeta(GstBuffer* buffer, const std::vector<Detection>& detections) {
  gsize most = detections.size() * 4;
  for (const Detection& d : detections) most += d.keypoints.empty() ? 0 : d.keypoints.size() + 1;
  // Growing is expensive: it copies all relations.
  constexpr gsize kLeast = 16, kBytesOfEach = 96;
  most = std::max(most, kLeast);
  GstAnalyticsRelationMetaInitParams params{most, most * kBytesOfEach};
  return gst_buffer_add_analytics_relation_meta_full(buffer, &params);
}

}  // namespace

bool hasAnalytics() {
  return true;
}

void addAnalytics(GstBuffer* buffer, const FrameRecord& record) {
  GstAnalyticsRelationMeta* meta = gst_buffer_get_analytics_relation_meta(buffer);
  std::vector<Reported> missing = reportedBy(record);
  for (const Present& present : detectionsOn(meta)) take(missing, present);
  if (!meta) meta = newMeta(buffer, record.detections);
  for (const Reported& reported : missing) {
    if (reported.record != &record) continue;
    const Detection& d = *reported.detection;
    const GstAnalyticsODMtd od = addDetection(meta, d, record.size);
    addTrack(meta, od, d);
    if (record.capacity && record.capacity->rules.classified && !d.coasted) addClass(meta, od, d);
#if ELF_ANALYTICS_OF_1_26
    addMask(meta, od, d);
#endif
#if ELF_ANALYTICS_KEYPOINTS
    addKeypoints(meta, od, d, record.capacity ? &record.capacity->rules : nullptr);
#endif
  }
}

std::vector<Region> analyticsRegions(GstBuffer* buffer, const FrameRecord* record) {
  std::vector<Reported> known;
  if (record) known = reportedBy(*record);
  std::vector<Region> regions;
  for (Present& present : detectionsOn(gst_buffer_get_analytics_relation_meta(buffer))) {
    if (const auto reported = take(known, present)) {
      present.region.box = boxOf(*reported);
      present.region.stage = reported->record->stage;
    }
    regions.push_back(std::move(present.region));
  }
  return regions;
}

}  // namespace elf::gst

#endif
