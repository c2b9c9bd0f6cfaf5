// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfmeta.h"

#include <gst/video/gstvideometa.h>

#include <utility>

#include "elf/record/scaled_record.h"

namespace {

GstElfMeta* asElf(GstMeta* meta) {
  return reinterpret_cast<GstElfMeta*>(meta);
}

gboolean metaInit(GstMeta* meta, gpointer, GstBuffer*) {
  asElf(meta)->record = nullptr;
  return TRUE;
}

void metaFree(GstMeta* meta, GstBuffer*) {
  delete std::exchange(asElf(meta)->record, nullptr);
}

/**
 * The area of the picture after scaling. videoscale keeps the display aspect ratio and adds borders
 * if the new frame has another one. Whether `add-borders` is off can't be seen here.
 */
elf::Rect contentOf(const GstVideoMetaTransform& scale) {
  const GstVideoInfo& from = *scale.in_info;
  const GstVideoInfo& to = *scale.out_info;
  // Width to height, as displayed and then in pixels of the new frame.
  gint n = 0, d = 0;
  if (!gst_util_fraction_multiply(from.width, from.height, from.par_n, from.par_d, &n, &d) ||
      !gst_util_fraction_multiply(n, d, to.par_d, to.par_n, &n, &d))
    return {0, 0, to.width, to.height};
  const auto height = static_cast<int>(gst_util_uint64_scale_int(to.width, d, n));
  if (height <= to.height) return {0, (to.height - height) / 2, to.width, height};
  const auto width = static_cast<int>(gst_util_uint64_scale_int(to.height, n, d));
  return {(to.width - width) / 2, 0, width, to.height};
}

gboolean metaTransform(GstBuffer* to, GstMeta* meta, GstBuffer*, GQuark type, gpointer data) {
  const auto* record = asElf(meta)->record;
  if (GST_VIDEO_META_TRANSFORM_IS_SCALE(type)) {
    if (!record) return FALSE;
    const auto& scale = *static_cast<const GstVideoMetaTransform*>(data);
    const elf::Size size{scale.out_info->width, scale.out_info->height};
    const elf::Rect content = contentOf(scale);
    // videoconvert asks for this, too. An unanswered record belongs to the old pixels.
    if (size == (*record)->size && content == elf::wholeFrame(size))
      elf::gst::setRecord(to, *record);
    else if ((*record)->answered)
      elf::gst::setRecord(
          to, std::make_shared<elf::FrameRecord>(elf::scaledTo(size, content, **record)));
    else
      return FALSE;
    return TRUE;
  }
  if (!GST_META_TRANSFORM_IS_COPY(type)) return FALSE;
  const auto* copy = static_cast<GstMetaTransformCopy*>(data);
  if (copy->region) return FALSE;
  if (record) elf::gst::setRecord(to, *record);
  return TRUE;
}

}  // namespace

GType gst_elf_meta_api_get_type(void) {
  static const gchar* tags[] = {GST_META_TAG_VIDEO_STR, GST_META_TAG_VIDEO_ORIENTATION_STR,
                                GST_META_TAG_VIDEO_SIZE_STR, nullptr};
  static const GType type = gst_meta_api_type_register("GstElfMetaAPI", tags);
  return type;
}

const GstMetaInfo* gst_elf_meta_get_info(void) {
  static const GstMetaInfo* const info = gst_meta_register(
      GST_ELF_META_API_TYPE, "GstElfMeta", sizeof(GstElfMeta), metaInit, metaFree, metaTransform);
  return info;
}

namespace elf::gst {

FrameRecordPtr getRecord(GstBuffer* buffer) {
  GstMeta* meta = gst_buffer_get_meta(buffer, GST_ELF_META_API_TYPE);
  return meta && asElf(meta)->record ? *asElf(meta)->record : nullptr;
}

void setRecord(GstBuffer* buffer, FrameRecordPtr record) {
  GstMeta* meta = gst_buffer_get_meta(buffer, GST_ELF_META_API_TYPE);
  if (!meta) meta = gst_buffer_add_meta(buffer, gst_elf_meta_get_info(), nullptr);
  auto* owner = asElf(meta);
  if (owner->record)
    *owner->record = std::move(record);
  else
    owner->record = new FrameRecordPtr(std::move(record));
}

FrameRecord takeRecord(GstBuffer* buffer) {
  FrameRecordPtr& record = *asElf(gst_buffer_get_meta(buffer, GST_ELF_META_API_TYPE))->record;
  if (record.use_count() > 1) return *record;
  // It was made as a FrameRecord, and no other owner can see this change.
  FrameRecord taken = std::move(const_cast<FrameRecord&>(*record));
  return taken;
}

}  // namespace elf::gst
