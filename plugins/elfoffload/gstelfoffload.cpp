// SPDX-License-Identifier: LGPL-2.1-or-later
// elfoffload: sends the parts of each frame to inference servers and receives their answers.

/**
 * SECTION:element-elfoffload
 *
 * Sends the parts of a frame's plan, as JPEG or raw pixels, to their servers at once by the Open
 * Inference Protocol v2. Waits for the answers, writes them into the record that travels with the
 * frame, and passes the frame on. Pixels are never changed.
 *
 * - A frame without a plan is sent whole, to the server that would finish it first.
 * - A frame with an empty plan passes at once.
 * - Frames leave in the order in which they arrived. Up to `max-in-flight` frames wait for answers
 *   at a time. An answered frame makes room for the next one at once. It waits here for downstream,
 *   in a queue that is bounded by time and bytes.
 * - A part that fails is sent to another server. A part that takes longer than nineteen of twenty
 *   is also sent to a second server (`hedging`). A frame that is not answered by its `deadline`
 *   passes with boxes predicted to its own time. A late answer still shows where objects are.
 *   Frames are never dropped.
 * - Under a budget (`bandwidth`) the JPEG quality drops first, then parts are scaled down, and then
 *   frames pass for which nothing is sent.
 * - A frame that is late in QoS terms (`qos`), or one too many (`leaky`, or if all frames in flight
 *   are late), passes with predicted boxes, and nothing is sent.
 * - A server that cannot be reached, or fails three times in a row, is left out. It is probed with
 *   a growing pause until it is back. Losing the last server posts one warning.
 * - `servers` may change while playing. A host name is looked up every five seconds.
 * - `servers=avahi:` finds servers that announce themselves on the local network and have TLS.
 * - Live: `deadline` counts from the capture of a frame. It is added to the latency of the
 *   pipeline, and must not be -1.
 * - https:// servers need a certificate that the system, or `ca-file`, vouches for.
 * - At the start each server is probed with a few small pictures. Its cost is learned from its
 *   answers. All elfoffload of a pipeline share it, or of several pipelines that share the
 *   GstContext `elf.servers`.
 *
 * |[
 * gst-launch-1.0 filesrc location=vtest.avi ! decodebin ! videoconvert ! elfoffload
 * servers=http://127.0.0.1:8000 ! elfmerge ! videoconvert ! autovideosink
 * ]| sends each whole frame to one server, and shows the detections.
 * |[
 * gst-launch-1.0 filesrc location=vtest.avi ! decodebin ! videoconvert ! elfoffload
 * servers=http://127.0.0.1:8000,http://127.0.0.1:8001 max-in-flight=2 ! elfmerge ! videoconvert !
 * autovideosink
 * ]| lets two servers work on two whole frames at a time.
 */

#include <span>

#include "elf/offload/encoding.h"
#include "gst/elfvision/gstelfboundary.h"
#include "gst/elfvision/gstelfsettings.h"
#include "gst/elfvision/gstelfvideo.h"
#include "plugins/elfoffload/offload.h"

GST_DEBUG_CATEGORY(elfoffload_debug);

// --- properties

namespace elf::offloading {

constexpr int kMostInFlight = 64;

std::span<const Offload::Property> Offload::properties() {
  static constexpr Property kProperties[] = {
      {"servers", "Servers", kPlaying, String{ELF_SETTING(servers)},
       "Comma-separated base URLs of the inference servers; a server listed twice gets two parts "
       "at a time, and each address of a host name counts as a server; avahi: and avahi+http: are "
       "those that "
       "announce themselves",
       &Offload::setServers},
      {"model", "Model", kReady, String{ELF_SETTING(model)}, "Name of the model on the servers"},
      {"model-version", "Model version", kReady, String{ELF_SETTING(modelVersion)},
       "Version of the model on the servers (empty = the servers choose)"},
      {"tensor-names", "Tensor names", kReady, String{ELF_SETTING(tensorNames)},
       "Names of the servers' tensors for image, boxes, scores, labels, masks, keypoints and "
       "rotated, for example image=input_1,boxes=dets; names not given come from the .model file"},
      {"deadline", "Deadline", kPlaying, Int{ELF_SETTING(deadline), kNoDeadline, G_MAXINT},
       "Milliseconds after which a frame goes on without missing answers, counted from capture "
       "for live sources (and added to the pipeline's latency), else from entry (0 = 500 for live "
       "sources, else 2000; -1 = wait forever, not for live sources)",
       &Offload::applySettings},
      {"max-in-flight", "Max in flight", kPlaying, Int{ELF_SETTING(maxInFlight), 1, kMostInFlight},
       "Maximum number of frames in flight: sent but not answered yet", &Offload::applySettings},
      {"encoding", "Encoding", kPlaying,
       Enum{ELF_SETTING(encoding), "GstElfEncoding", encodingChoices},
       "Encoding of the pixels that are sent", &Offload::applySettings},
      {"jpeg-quality", "JPEG quality", kPlaying, Int{ELF_SETTING(jpegQuality), 1, 100},
       "JPEG quality in percent: lower is smaller", &Offload::applySettings},
      {"bandwidth", "Bandwidth", kPlaying, Int{ELF_SETTING(bandwidth), 0, G_MAXINT},
       "Upload limit in kbit/s: JPEG quality drops from jpeg-quality to 30, then parts are scaled "
       "down, then frames pass unsent (0 = no limit)",
       &Offload::applySettings},
      {"qos", "QoS", kPlaying, Boolean{ELF_SETTING(qos)},
       "Skip inference of frames that would reach the sink too late; they pass with predicted "
       "boxes"},
      {"leaky", "Leaky", kPlaying, Boolean{ELF_SETTING(leaky)},
       "Skip inference of frames that arrive while max-in-flight frames are unanswered instead of "
       "blocking upstream; they pass in order with predicted boxes",
       &Offload::applySettings},
      {"hedging", "Hedging", kPlaying, Double{ELF_SETTING(hedging), 0, 100},
       "Maximum share of extra requests, in percent of all, that repeat a late part on a second "
       "server (0 = none)",
       &Offload::applySettings},
      {"ca-file", "CA file", kReady, OptionalString{ELF_SETTING(security.caFile)},
       "PEM file of the certificate authorities for https:// servers (unset = the system's)"},
      {"client-certificate", "Client certificate", kReady,
       OptionalString{ELF_SETTING(security.clientCertificate)},
       "PEM file of the client certificate, with its key unless client-key is set, for servers "
       "that require one"},
      {"client-key", "Client key", kReady, OptionalString{ELF_SETTING(security.clientKey)},
       "PEM file of the private key of client-certificate"},
      {"token-file", "Token file", kReady, OptionalString{ELF_SETTING(security.tokenFile)},
       "File with the bearer token for the servers; read when the element starts"},
      {"metrics-port", "Metrics port", kReady, Int{ELF_SETTING(metricsPort), 0, G_MAXUINT16},
       "Port of the metrics for Prometheus, at /metrics; elements with the same port share it (0 = "
       "no metrics)"},
      {"metrics-address", "Metrics address", kReady, String{ELF_SETTING(metricsAddress)},
       "Address of the interface on which metrics-port listens"},
      {"stats", "Statistics", kReadOnly, Statistics{&Offload::stats},
       "Counts since start: frames, skipped, parts-sent, parts-failed, parts-late, parts-retried, "
       "parts-hedged, hedges-won, bytes-sent, bytes-whole (if whole frames had been sent), "
       "pixels-sent; quality and scale of the last frame; servers (url, healthy, answers, "
       "fixed-ms, ms-per-megapixel, ms-per-megabyte, outstanding-ms of each)"},
  };
  return kProperties;
}

}  // namespace elf::offloading

// --- class init

using elf::gst::guarded;
using elf::offloading::Offload;

#define GST_TYPE_ELF_OFFLOAD (gst_elf_offload_get_type())
G_DECLARE_FINAL_TYPE(GstElfOffload, gst_elf_offload, GST, ELF_OFFLOAD, GstElement)

struct _GstElfOffload {
  GstElement parent;
  GstPad* sinkpad;
  GstPad* srcpad;
  Offload* element;
};

G_DEFINE_TYPE_WITH_CODE(GstElfOffload, gst_elf_offload, GST_TYPE_ELEMENT,
                        GST_DEBUG_CATEGORY_INIT(elfoffload_debug, "elfoffload", 0,
                                                "Elf: offloading of parts"))
GST_ELEMENT_REGISTER_DEFINE(elfoffload, "elfoffload", GST_RANK_NONE, GST_TYPE_ELF_OFFLOAD)

static Offload& of(gpointer instance) {
  return *GST_ELF_OFFLOAD(instance)->element;
}

static gboolean gst_elf_offload_activate_mode(GstPad* pad, GstObject* self, GstPadMode mode,
                                              gboolean active) {
  if (mode != GST_PAD_MODE_PUSH) return FALSE;
  return guarded(GST_ELEMENT(self), FALSE, [&] { return of(self).activate(pad, active); });
}

static GstPad* gst_elf_offload_add_pad(GstElfOffload* self, const char* name) {
  GstElementClass* klass = GST_ELEMENT_GET_CLASS(self);
  GstPad* pad = gst_pad_new_from_template(gst_element_class_get_pad_template(klass, name), name);
  gst_pad_set_activatemode_function(pad, gst_elf_offload_activate_mode);
  GST_PAD_SET_PROXY_CAPS(pad);
  gst_element_add_pad(GST_ELEMENT(self), pad);
  return pad;
}

static void gst_elf_offload_init(GstElfOffload* self) {
  self->sinkpad = gst_elf_offload_add_pad(self, "sink");
  gst_pad_set_chain_function(self->sinkpad, [](GstPad*, GstObject* parent, GstBuffer* buffer) {
    return guarded(GST_ELEMENT(parent), GST_FLOW_ERROR, [&] { return of(parent).chain(buffer); });
  });
  gst_pad_set_event_full_function(self->sinkpad, [](GstPad*, GstObject* parent, GstEvent* event) {
    return guarded(GST_ELEMENT(parent), GST_FLOW_ERROR,
                   [&] { return of(parent).sinkEvent(event); });
  });
  gst_pad_set_query_function(self->sinkpad, [](GstPad*, GstObject* parent, GstQuery* query) {
    return guarded(GST_ELEMENT(parent), FALSE, [&] { return of(parent).sinkQuery(query); });
  });

  self->srcpad = gst_elf_offload_add_pad(self, "src");
  gst_pad_set_event_function(self->srcpad,
                             [](GstPad*, GstObject* parent, GstEvent* event) -> gboolean {
                               guarded(GST_ELEMENT(parent), [&] { of(parent).srcEvent(event); });
                               return gst_pad_push_event(GST_ELF_OFFLOAD(parent)->sinkpad, event);
                             });
  gst_pad_set_query_function(self->srcpad, [](GstPad*, GstObject* parent, GstQuery* query) {
    return guarded(GST_ELEMENT(parent), FALSE, [&] { return of(parent).srcQuery(query); });
  });

  self->element = new Offload(GST_ELEMENT(self), self->sinkpad, self->srcpad);
}

static void gst_elf_offload_finalize(GObject* object) {
  delete &of(object);
  G_OBJECT_CLASS(gst_elf_offload_parent_class)->finalize(object);
}

static GstStateChangeReturn gst_elf_offload_change_state(GstElement* element,
                                                         GstStateChange change) {
  return guarded(element, GST_STATE_CHANGE_FAILURE, [&] {
    if (change == GST_STATE_CHANGE_READY_TO_PAUSED) of(element).start();
    const GstStateChangeReturn result =
        GST_ELEMENT_CLASS(gst_elf_offload_parent_class)->change_state(element, change);
    if (change == GST_STATE_CHANGE_PAUSED_TO_READY ||
        (change == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE))
      of(element).stop();
    return result;
  });
}

static void gst_elf_offload_class_init(GstElfOffloadClass* klass) {
  G_OBJECT_CLASS(klass)->finalize = gst_elf_offload_finalize;
  elf::gst::installProperties<GstElfOffload, Offload, &GstElfOffload::element>(
      G_OBJECT_CLASS(klass));
  auto* element_class = GST_ELEMENT_CLASS(klass);
  elf::gst::addVideoPads(element_class);
  gst_element_class_set_static_metadata(
      element_class, "Elf offload", "Filter/Analyzer/Video",
      "Has the parts of each frame inferred by remote servers, all in parallel",
      "The Elf for GStreamer authors");
  element_class->change_state = gst_elf_offload_change_state;
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, elfoffload,
                  "Elf: has the parts of a frame inferred by servers",
                  gst_element_register_elfoffload, ELF_VERSION, "LGPL", PACKAGE,
                  "Unknown package origin")
