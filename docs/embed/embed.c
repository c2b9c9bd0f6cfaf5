/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small app around a .pipeline file: runs it and prints what Elf found in each frame.
 *
 *   embed NAME|FILE [VARIABLE=VALUE ...]
 */
#include <gst/gst.h>

#include "gst/elfvision/gstelfdetection.h"
#include "gst/elfvision/gstelfpipeline.h"

static GstPadProbeReturn print_detections(GstPad* pad, GstPadProbeInfo* info, gpointer frames) {
  guint frame = (*(guint*)frames)++;
  g_autolist(GstElfDetection) detections =
      gst_elf_buffer_get_detections(GST_PAD_PROBE_INFO_BUFFER(info), GST_ELF_ALL_STAGES);

  (void)pad;
  for (GList* each = detections; each; each = each->next) {
    const GstElfDetection* detection = each->data;
    gdouble x, y, width, height;

    gst_elf_detection_get_box(detection, &x, &y, &width, &height);
    g_print("frame %u: %s %" G_GINT64_FORMAT ", %.2f, at %.1f,%.1f, %.1fx%.1f\n", frame,
            gst_elf_detection_get_label(detection), gst_elf_detection_get_identity(detection),
            gst_elf_detection_get_score(detection), x, y, width, height);
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
