// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plugins/elfoffload/statistics.h"

#include <string>

#include "gst/elfvision/gstelfsettings.h"

namespace elf::offloading {

namespace {

GstStructure* structureOf(const ServerState& server) {
  return gst_structure_new("elf-offload-server", "url", G_TYPE_STRING, server.url.c_str(),
                           "healthy", G_TYPE_BOOLEAN, server.healthy, "answers", G_TYPE_UINT64,
                           guint64{server.answers}, "fixed-ms", G_TYPE_DOUBLE,
                           server.cost.a * kMilliseconds, "ms-per-megapixel", G_TYPE_DOUBLE,
                           server.cost.b * kMilliseconds * kMega, "ms-per-megabyte", G_TYPE_DOUBLE,
                           server.cost.c * kMilliseconds * kMega, "outstanding-ms", G_TYPE_DOUBLE,
                           server.busy * kMilliseconds, nullptr);
}

}  // namespace

double inMilliseconds(Microseconds time) {
  return static_cast<double>(time.count()) * 1e-3;
}

GstStructure* newStatistics(std::uint64_t frames, const ClientWork& work) {
  GstStructure* stats = gst_structure_new_empty("elf-offload-stats");
  const OffloadStats& parts = work.parts;
  gst::addCounts(stats, "frames", frames, "skipped", work.frames.of(FrameOutcome::Skipped),
                 "parts-sent", parts.partsSent, "parts-failed", parts.partsFailed, "parts-late",
                 parts.partsLate, "parts-retried", parts.partsRetried, "parts-hedged",
                 parts.partsHedged, "hedges-won", parts.hedgesWon, "bytes-sent", parts.bytesSent,
                 "bytes-whole", work.pictures.wholeBytes, "pixels-sent", parts.pixelsSent);
  const BandwidthControl::Choice& last = work.pictures.choice;
  gst_structure_set(stats, "quality", G_TYPE_INT, last.quality, "scale", G_TYPE_DOUBLE, last.scale,
                    nullptr);
  GValue array = G_VALUE_INIT;
  g_value_init(&array, GST_TYPE_ARRAY);
  for (const ServerReport& server : work.servers) {
    GValue element = G_VALUE_INIT;
    g_value_init(&element, GST_TYPE_STRUCTURE);
    g_value_take_boxed(&element, structureOf(server.state));
    gst_value_array_append_and_take_value(&array, &element);
  }
  gst_structure_take_value(stats, "servers", &array);
  return stats;
}

ClientLabels labelsOf(GstElement* element) {
  Ref<GstObject> top = shared(GST_OBJECT(element));
  while (GstObject* parent = gst_object_get_parent(top.get())) top.reset(parent);
  const auto nameOf = [](GstObject* object) {
    const Ref<gchar> name(gst_object_get_name(object));
    return validUtf8(name.get());
  };
  return {.element = nameOf(GST_OBJECT(element)), .stream = nameOf(top.get())};
}

void logWay(GstElement* element, const FrameRecord& record) {
  for (std::size_t i = 0; i < record.answers.size(); ++i) {
    const PartAnswer& answer = record.answers[i];
    const Part& part = record.plan->parts[i];
    const Size sent = part.sentSize();
    const std::string* url = record.urlOf(answer.server);
    GST_CAT_LEVEL_LOG(
        GST_CAT_DEFAULT, answer.state == AnswerState::Answered ? GST_LEVEL_LOG : GST_LEVEL_INFO,
        element,
        "%s: part %d, %s %dx%d at %d,%d sent as %dx%d, to %s, span %s: %d attempts, %.1f ms, %s",
        record.name().c_str(), static_cast<int>(i), std::string(toString(part.kind)).c_str(),
        part.rect.width, part.rect.height, part.rect.x, part.rect.y, sent.width, sent.height,
        url ? url->c_str() : "", answer.span.c_str(), answer.attempts,
        inMilliseconds(answer.roundTrip), answer.error.empty() ? "answered" : answer.error.c_str());
  }
  GST_LOG_OBJECT(element, "%s: %d parts, %" G_GSIZE_FORMAT " bytes, %.1f ms%s",
                 record.name().c_str(), static_cast<int>(record.answers.size()), record.bytesSent(),
                 inMilliseconds(record.timings.offload), record.skipped ? ", skipped" : "");
}

}  // namespace elf::offloading
