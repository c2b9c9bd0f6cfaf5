// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfresult.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "elf/record/frame_fields.h"
#include "gst/elfvision/gstelfanalytics.h"

namespace elf::gst {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kParameters = "detection";
constexpr const char* kStage = "stage";
/** From this IoU on, regions of one label in both kinds of meta are the same: elements that write
 * both may round differently, and scaling does. */
constexpr double kSame = 0.8;

GstStructure* newStructure(const char* name, const Json& fields);

// False for null, which a GstStructure can't hold.
bool initValue(GValue* value, const char* name, const Json& from) {
  switch (from.type()) {
    case Json::value_t::boolean:
      g_value_init(value, G_TYPE_BOOLEAN);
      g_value_set_boolean(value, from.get<bool>());
      return true;
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      g_value_init(value, G_TYPE_INT64);
      g_value_set_int64(value, from.get<std::int64_t>());
      return true;
    case Json::value_t::number_float:
      g_value_init(value, G_TYPE_DOUBLE);
      g_value_set_double(value, from.get<double>());
      return true;
    case Json::value_t::string: {
      const auto& text = from.get_ref<const std::string&>();
      g_value_init(value, G_TYPE_STRING);
      g_value_take_string(value, g_utf8_make_valid(text.data(), static_cast<gssize>(text.size())));
      return true;
    }
    case Json::value_t::array:
      g_value_init(value, GST_TYPE_ARRAY);
      for (const Json& item : from) {
        GValue element = G_VALUE_INIT;
        if (initValue(&element, name, item)) gst_value_array_append_and_take_value(value, &element);
      }
      return true;
    case Json::value_t::object:
      g_value_init(value, GST_TYPE_STRUCTURE);
      g_value_take_boxed(value, newStructure(name, from));
      return true;
    default:
      return false;
  }
}

GstStructure* newStructure(const char* name, const Json& fields) {
  GstStructure* structure = gst_structure_new_empty(name);
  for (const auto& [key, field] : fields.items()) {
    GValue value = G_VALUE_INIT;
    if (initValue(&value, key.c_str(), field))
      gst_structure_take_value(structure, key.c_str(), &value);
  }
  return structure;
}

gboolean removeOfStage(GstBuffer*, GstMeta** meta, gpointer stage) {
  if ((*meta)->info->api == GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE &&
      stageOf(reinterpret_cast<GstVideoRegionOfInterestMeta*>(*meta)) == GPOINTER_TO_INT(stage))
    *meta = nullptr;
  return TRUE;
}

void addParameters(GstVideoRegionOfInterestMeta* region, const Detection& d, int stage) {
  GstStructure* parameters =
      gst_structure_new(kParameters, "confidence", G_TYPE_DOUBLE, static_cast<double>(d.score),
                        "label_id", G_TYPE_INT, static_cast<gint>(d.labelId), "coasted",
                        G_TYPE_BOOLEAN, static_cast<gboolean>(d.coasted), "kept", G_TYPE_BOOLEAN,
                        static_cast<gboolean>(d.kept), kStage, G_TYPE_INT, stage, nullptr);
  if (d.rotated) {
    GValue numbers = G_VALUE_INIT;
    initValue(&numbers, "rotated", toField(*d.rotated));
    gst_structure_set_value(
        parameters, "angle",
        gst_value_array_get_value(&numbers, gst_value_array_get_size(&numbers) - 1));
    gst_structure_take_value(parameters, "rotated", &numbers);
  }
  gst_video_region_of_interest_meta_add_param(region, parameters);
}

}  // namespace

GstStructure* newResultStructure(const FrameRecord& record, std::optional<std::int64_t> ptsNs) {
  return newStructure("elf-result", frameFields(record, ptsNs));
}

std::string nameOf(const Detection& detection) {
  return detection.label.empty() ? std::to_string(detection.labelId) : detection.label;
}

std::vector<Reported> reportedBy(const FrameRecord& record) {
  std::vector<Reported> all;
  if (record.before) all = reportedBy(*record.before);
  for (const Detection& detection : record.detections)
    all.push_back({&record, &detection, g_quark_from_string(nameOf(detection).c_str())});
  return all;
}

void replaceRegions(GstBuffer* buffer, const FrameRecord& record) {
  gst_buffer_foreach_meta(buffer, removeOfStage, GINT_TO_POINTER(record.stage));
  for (const Detection& d : record.detections) {
    const Rect r = roundOutwards(d.box, record.size);
    GstVideoRegionOfInterestMeta* roi = gst_buffer_add_video_region_of_interest_meta(
        buffer, nameOf(d).c_str(), static_cast<guint>(r.x), static_cast<guint>(r.y),
        static_cast<guint>(r.width), static_cast<guint>(r.height));
    roi->id = static_cast<gint>(d.id);
    addParameters(roi, d, record.stage);
  }
}

void restoreRegions(GstBuffer* buffer, const FrameRecord& record) {
  std::optional<std::vector<Reported>> left;
  gpointer state = nullptr;
  while (GstMeta* meta = gst_buffer_iterate_meta_filtered(
             buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) {
    auto* region = reinterpret_cast<GstVideoRegionOfInterestMeta*>(meta);
    if (stageOf(region)) continue;
    if (!left) left = reportedBy(record);
    const auto found = std::ranges::find_if(*left, [&](const Reported& each) {
      const Identity id = each.detection->id;
      return id != kNoIdentity && region->roi_type == each.type &&
             region->id == static_cast<gint>(id);
    });
    if (found == left->end()) continue;
    const Rect r = roundOutwards(found->detection->box, record.size);
    region->x = static_cast<guint>(r.x);
    region->y = static_cast<guint>(r.y);
    region->w = static_cast<guint>(r.width);
    region->h = static_cast<guint>(r.height);
    addParameters(region, *found->detection, found->record->stage);
    left->erase(found);
  }
}

// Other elements also name their parameters `detection`, but only ours have a stage.
std::optional<int> stageOf(const GstVideoRegionOfInterestMeta* region) {
  const GstStructure* parameters = gst_video_region_of_interest_meta_get_param(
      const_cast<GstVideoRegionOfInterestMeta*>(region), kParameters);
  int stage = 0;
  if (!parameters || !gst_structure_get_int(parameters, kStage, &stage)) return std::nullopt;
  return stage;
}

std::vector<Region> regionsOn(GstBuffer* buffer, const FrameRecord* record) {
  std::vector<Region> regions;
  gpointer state = nullptr;
  while (GstMeta* meta = gst_buffer_iterate_meta_filtered(
             buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) {
    const auto* roi = reinterpret_cast<GstVideoRegionOfInterestMeta*>(meta);
    const auto x = static_cast<float>(roi->x), y = static_cast<float>(roi->y);
    const char* label = g_quark_to_string(roi->roi_type);
    regions.push_back({{x, y, x + static_cast<float>(roi->w), y + static_cast<float>(roi->h)},
                       label ? label : "",
                       stageOf(roi)});
  }
  const std::size_t rois = regions.size();
  for (Region& region : analyticsRegions(buffer, record)) {
    const auto same = [&](const Region& roi) {
      return roi.label == region.label && iou(roi.box, region.box) >= kSame;
    };
    if (std::ranges::none_of(std::span(regions).first(rois), same))
      regions.push_back(std::move(region));
  }
  return regions;
}

}  // namespace elf::gst
