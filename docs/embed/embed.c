/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small app around a .pipeline file: runs it and prints what Elf found in each frame.
 *
 *   embed NAME|FILE [VARIABLE=VALUE ...]
 */
#include <gst/gst.h>
#include <gst/video/gstvideometa.h>

#include "gst/elfvision/gstelfpipeline.h"

static GstPadProbeReturn print_detections(GstPad* pad, GstPadProbeInfo* info, gpointer frames) {
  GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  guint frame = (*(guint*)frames)++;
  gpointer state = NULL;
  GstMeta* meta;

  (void)pad;
  while ((meta = gst_buffer_iterate_meta_filtered(buffer, &state,
                                                  GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE))) {
    GstVideoRegionOfInterestMeta* roi = (GstVideoRegionOfInterestMeta*)meta;
    GstStructure* detection = gst_video_region_of_interest_meta_get_param(roi, "detection");
    gdouble confidence = 0;

    /* Other elements make regions, too. */
    if (!detection || !gst_structure_get_double(detection, "confidence", &confidence)) continue;
    g_print("frame %u: %s %d, %.2f, at %u,%u, %ux%u\n", frame, g_quark_to_string(roi->roi_type),
            roi->id, confidence, roi->x, roi->y, roi->w, roi->h);
  }
  return GST_PAD_PROBE_OK;
}

/* Where detections come out: behind the first elfmerge of the pipeline. */
static GstPad* find_output(GstElement* pipeline) {
  GstIterator* merges = gst_bin_iterate_all_by_element_factory_name(GST_BIN(pipeline), "elfmerge");
  GValue item = G_VALUE_INIT;
  GstPad* pad = NULL;

  if (gst_iterator_next(merges, &item) == GST_ITERATOR_OK) {
    pad = gst_element_get_static_pad(GST_ELEMENT(g_value_get_object(&item)), "src");
    g_value_unset(&item);
  }
  gst_iterator_free(merges);
  return pad;
}

/* Until the end of the stream or an error. */
static int run(GstElement* pipeline) {
  GstBus* bus = gst_element_get_bus(pipeline);
  GstMessage* message;
  int status = 0;

  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  message =
      gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    GError* error = NULL;

    gst_message_parse_error(message, &error, NULL);
    g_printerr("embed: %s: %s\n", GST_MESSAGE_SRC_NAME(message), error->message);
    g_error_free(error);
    status = 1;
  }
  gst_message_unref(message);
  gst_object_unref(bus);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  return status;
}

int main(int argc, char** argv) {
  GstElement* pipeline;
  GstPad* output;
  GError* error = NULL;
  guint frames = 0;
  int status;

  gst_init(&argc, &argv);
  if (argc < 2) {
    g_printerr("usage: embed NAME|FILE [VARIABLE=VALUE ...]\n");
    return 2;
  }

  /* argv ends with NULL, as the list of assignments does. */
  pipeline = gst_elf_pipeline_new(argv[1], (const char* const*)argv + 2, &error);
  if (!pipeline) {
    g_printerr("embed: %s\n", error->message);
    g_error_free(error);
    return 1;
  }
  gst_object_ref_sink(pipeline);

  output = find_output(pipeline);
  if (output) {
    gst_pad_add_probe(output, GST_PAD_PROBE_TYPE_BUFFER, print_detections, &frames, NULL);
    gst_object_unref(output);
  }
  status = run(pipeline);
  g_print("%u frames\n", frames);
  gst_object_unref(pipeline);
  return status;
}
