// SPDX-License-Identifier: LGPL-2.1-or-later
// The table of docs/metas.md for the GStreamer that is here: what its elements make of a region of
// interest, of an analytics meta with a mask, and of Elf's record.
#include <gst/gst.h>
#include <gst/video/gstvideometa.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "gst/elfvision/gstelfanalytics.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfref.h"
#include "tests/support/analytics.h"

namespace elf::gst {
namespace {

constexpr Size kFrame{640, 480};
constexpr Rect kObject{100, 50, 200, 100};

/** Between a source of frames with metas and a sink. `out` of the last element goes on. */
constexpr const char* kRows[] = {
    "videoconvert ! video/x-raw,format=RGB",
    "videoscale ! video/x-raw,width=320,height=240",
    "videoscale ! video/x-raw,width=320,height=320,pixel-aspect-ratio=1/1",
    "videocrop left=40 top=20",
    "videocrop left=101",
    "videocrop left=150",
    "videocrop left=400",
    "videoflip video-direction=identity",
    "videoflip video-direction=horiz",
    "videoflip video-direction=90r",
    "queue",
    "tee name=t t. ! queue ! fakesink t. ! queue",
    "videorate ! video/x-raw,framerate=50/1",
    "jpegenc ! jpegdec",
    "compositor",
    "compositor sink_0::xpos=10 sink_0::ypos=20 sink_0::width=320 sink_0::height=240",
    "objectdetectionoverlay",
    "ioutracker",
};

FrameRecord found() {
  FrameRecord record;
  record.size = kFrame;
  record.answered = record.inferred = true;
  Detection person{.box = toBox(kObject), .score = 0.75F, .label = "person", .id = 7};
  person.mask =
      Mask(kObject, std::vector<std::uint8_t>(static_cast<std::size_t>(kObject.area()), 1));
  person.seen = {std::chrono::nanoseconds(0), std::chrono::nanoseconds(0)};
  record.detections = {person};
  return record;
}

std::string text(const Rect& r) {
  return r == kObject ? "as it was"
                      : std::to_string(r.x) + "," + std::to_string(r.y) + " " +
                            std::to_string(r.width) + "x" + std::to_string(r.height);
}

/** A row's cells, of the last frame that came. */
struct Cells {
  std::string roi = "gone", detection = "gone", mask = "gone", record = "gone";
};

Cells read(GstBuffer* buffer) {
  Cells cells;
  if (const auto* roi = reinterpret_cast<GstVideoRegionOfInterestMeta*>(
          gst_buffer_get_meta(buffer, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)))
    cells.roi = text({static_cast<int>(roi->x), static_cast<int>(roi->y), static_cast<int>(roi->w),
                      static_cast<int>(roi->h)}) +
                (stageOf(roi) ? "" : ", without parameters");
  if (const auto all = elf::testing::analyticsOn(buffer); all && !all->empty()) {
    const auto& first = all->front();
    cells.detection = text(first.box);
    for (const auto& track : first.tracks) cells.detection += ", track " + std::to_string(track.id);
    if (!first.masks.empty()) cells.mask = text(first.masks.front().rect);
  }
  if (const FrameRecordPtr record = getRecord(buffer))
    cells.record = text(roundOutwards(record->detections.at(0).box));
  return cells;
}

/** Unset where this GStreamer lacks an element, or frames can't pass. */
std::optional<Cells> measure(const std::string& row) {
  const std::string line =
      "videotestsrc num-buffers=3 ! video/x-raw,format=I420,width=640,height=480,framerate=25/1,"
      "pixel-aspect-ratio=1/1 ! identity name=in ! " +
      row + " ! fakesink name=out";
  GError* error = nullptr;
  const Ref<GstElement> pipeline =
      sunk(gst_parse_launch_full(line.c_str(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error));
  g_clear_error(&error);
  if (!pipeline) return std::nullopt;
  std::optional<Cells> cells;
  const auto probe = [&](const char* element, const char* pad, GstPadProbeCallback callback) {
    const Ref<GstElement> found(gst_bin_get_by_name(GST_BIN(pipeline.get()), element));
    const Ref<GstPad> at(gst_element_get_static_pad(found.get(), pad));
    gst_pad_add_probe(at.get(), GST_PAD_PROBE_TYPE_BUFFER, callback, &cells, nullptr);
  };
  probe("in", "src", [](GstPad*, GstPadProbeInfo* info, gpointer) {
    GstBuffer* buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
    const FrameRecord record = found();
    replaceRegions(buffer, record);
    addAnalytics(buffer, record);
    setRecord(buffer, std::make_shared<const FrameRecord>(record));
    GST_PAD_PROBE_INFO_DATA(info) = buffer;
    return GST_PAD_PROBE_OK;
  });
  probe("out", "sink", [](GstPad*, GstPadProbeInfo* info, gpointer data) {
    *static_cast<std::optional<Cells>*>(data) = read(GST_PAD_PROBE_INFO_BUFFER(info));
    return GST_PAD_PROBE_OK;
  });
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  const Ref<GstBus> bus(gst_element_get_bus(pipeline.get()));
  const Ref<GstMessage> last(
      gst_bus_timed_pop_filtered(bus.get(), 20 * GST_SECOND,
                                 static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  if (!last || GST_MESSAGE_TYPE(last.get()) == GST_MESSAGE_ERROR) return std::nullopt;
  return cells;
}

int run() {
  const gchar* version = gst_version_string();
  std::cout << version << ", a region of " << kObject.width << "x" << kObject.height << " at "
            << kObject.x << "," << kObject.y << " in " << kFrame.width << "x" << kFrame.height
            << "\n\n| element | ROI meta | GstAnalyticsODMtd | its mask | Elf's record |\n"
               "|---|---|---|---|---|\n";
  for (const char* row : kRows) {
    std::cout << "| `" << row << "` | ";
    if (const auto cells = measure(row))
      std::cout << cells->roi << " | " << (hasAnalytics() ? cells->detection : "-") << " | "
                << (hasAnalytics() ? cells->mask : "-") << " | " << cells->record << " |\n";
    else
      std::cout << "not there | | | |\n";
  }
  return 0;
}

}  // namespace
}  // namespace elf::gst

int main(int argc, char* argv[]) {
  gst_init(&argc, &argv);
  return elf::gst::run();
}
