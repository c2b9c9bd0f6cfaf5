// SPDX-License-Identifier: LGPL-2.1-or-later
// elfrppredict: where objects will be in this frame, from what the last answered frames held.

/**
 * SECTION:element-elfrppredict
 *
 * Writes the region proposals (RPs) of each frame into the record that travels with it, and begins
 * the loop that elfpartition, elfoffload and elfmerge downstream go on with. It learns what frames
 * really held as soon as they are answered, whatever is downstream of elfoffload, and never looks
 * at pixels.
 *
 * - Cold start (no frame was answered since the start, a flush or a change of size): the RPs are
 *   unknown, and elfpartition sends the whole frame.
 * - Normal: one RP for each object of the history, for the true horizon, which is the number of
 *   frames between the last answered frame and this one.
 * - Nothing was detected: known, and there are no RPs.
 *
 * It lets no more frames pass than elfoffload's `max-in-flight`, so that a queue between the
 * elements cannot let it predict far ahead. A frame that is dropped on the way is waited for no
 * longer than its buffer lives.
 *
 * |[
 * gst-launch-1.0 filesrc location=vtest.avi ! decodebin ! videoconvert ! elfrppredict !
 * elfpartition ! elfoffload servers=http://127.0.0.1:8000 ! elfmerge ! videoconvert ! autovideosink
 * ]| predicts with the network that comes along, the default.
 */

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "elf/predict/history.h"
#include "elf/predict/padding.h"
#include "elf/predict/predictor.h"
#include "gst/elfvision/gstelfchoice.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfstream.h"
#include "gst/elfvision/gstelftransform.h"

GST_DEBUG_CATEGORY_STATIC(elfrppredict_debug);
#define GST_CAT_DEFAULT elfrppredict_debug

namespace {

using elf::PaddingCalibrator;

struct Settings {
  /** Index into predictorChoices(). */
  int predictor = 0;
  std::string weights;
  int history = elf::History::Limits{}.length;
  int coastFrames = elf::History::Limits{}.coastFrames;
  double coverage = PaddingCalibrator::kDefaultCoverage;

  const char* predictorName() const {
    return elf::predictorChoices()[static_cast<std::size_t>(predictor)].name;
  }
};

class RpPredict : public elf::gst::SettingsHolder<Settings> {
 public:
  explicit RpPredict(GstBaseTransform* element) : element_(element), entry_(GST_ELEMENT(element)) {}

  static const elf::gst::PropertyTable<Settings>& properties();

  void changed(const char*) { entry_.own()->setCoverage(settings().coverage); }

  GstStructure* stats() {
    const elf::Stream::Stats loop = entry_.own()->stats();
    const std::lock_guard lock(mutex_);
    return gst_structure_new("elf-rp-predict-stats", "frames", G_TYPE_UINT64, stats_.frames, "cold",
                             G_TYPE_UINT64, stats_.cold, "rps", G_TYPE_UINT64, stats_.rps,
                             "answers", G_TYPE_UINT64, guint64{loop.answers}, "late", G_TYPE_UINT64,
                             guint64{loop.late}, "predict-us", G_TYPE_UINT64,
                             static_cast<guint64>(stats_.time.count()), nullptr);
  }

  void start() {
    const Settings now = settings();
    entry_.own()->begin(elf::RpPredictor::create(now.predictorName(), now.weights),
                        {.length = now.history, .coastFrames = now.coastFrames});
    entry_.start();
    const std::lock_guard lock(mutex_);
    stats_ = {};
    GST_INFO_OBJECT(element_, "predictor %s, history %d frames, coast %d frames, coverage %g",
                    now.predictorName(), now.history, now.coastFrames, now.coverage);
  }
  void stop() {}
  void unblock() { entry_.setStopped(true); }
  void setInfo(const GstVideoInfo& info) { size_ = {info.width, info.height}; }

  void sinkEvent(GstEvent* event) {
    switch (GST_EVENT_TYPE(event)) {
      case GST_EVENT_FLUSH_START:
        entry_.setStopped(true);
        break;
      case GST_EVENT_FLUSH_STOP:
        entry_.own()->reset();
        entry_.setStopped(false);
        break;
      case GST_EVENT_GAP:
        entry_.own()->reset();
        break;
      case GST_EVENT_SEGMENT: {
        const GstSegment* segment = nullptr;
        gst_event_parse_segment(event, &segment);
        if (segment->rate < 0) entry_.own()->reset();
        break;
      }
      default:
        break;
    }
  }
  void srcEvent(GstEvent* event) {
    if (GST_EVENT_TYPE(event) == GST_EVENT_RECONFIGURE) entry_.offerAgain();
  }
  // A stream that is offered ends here: another stage begins.
  bool sinkQuery(GstQuery* query) { return elf::gst::parseStreamQuery(query) != nullptr; }

  GstFlowReturn transform(GstBuffer* buffer) {
    // The loop begins anew here, whatever the frame carries; of other pixels it warns.
    entry_.onItsWay(buffer, size_);
    std::optional<elf::FrameRecord> record =
        entry_.enter(GST_BASE_TRANSFORM_SRC_PAD(element_), buffer, element_->segment, size_);
    if (!record) return GST_FLOW_FLUSHING;
    entry_.own()->predict(*record);
    {
      const std::lock_guard lock(mutex_);
      ++stats_.frames;
      if (record->rps)
        stats_.rps += record->rps->size();
      else
        ++stats_.cold;
      stats_.time += record->timings.predict;
    }
    GST_LOG_OBJECT(element_, "%s: %d RPs, horizon %d%s", record->name().c_str(),
                   record->rps ? static_cast<int>(record->rps->size()) : -1, record->horizon,
                   record->skipped ? ", passes unsent" : "");
    elf::gst::setRecord(buffer, std::make_shared<elf::FrameRecord>(std::move(*record)));
    return GST_FLOW_OK;
  }

 private:
  /** Since the start. */
  struct Stats {
    guint64 frames = 0, cold = 0, rps = 0;
    elf::Microseconds time{0};
  };

  GstBaseTransform* const element_;

  // The streaming thread's.
  elf::gst::StreamEntry entry_;
  elf::Size size_;

  std::mutex mutex_;
  Stats stats_;
};

const elf::gst::PropertyTable<Settings>& RpPredict::properties() {
  using elf::gst::Mutable;
  static const auto* const table = new auto(
      elf::gst::PropertyTable<Settings>()
          .choice("predictor", "Predictor", "Method that predicts where each object will be",
                  Mutable::Ready, elf::gst::choiceType<elf::predictorChoices>("GstElfPredictor"),
                  [](Settings& s) -> int& { return s.predictor; })
          .text("weights", "Weights",
                "Trained weights of the predictor: a file, or a name in the model folders (unset = "
                "the weights that share the predictor's name)",
                Mutable::Ready, [](Settings& s) -> std::string& { return s.weights; })
          .integer("history", "History",
                   "Number of past detections of an object that the prediction uses",
                   Mutable::Ready, 1, 64, [](Settings& s) -> int& { return s.history; })
          .integer(
              "coast-frames", "Coast frames",
              "Keep looking for a lost object for N frames, whether it was not found or no server "
              "answered; an object that the model was unsure of is dropped after one frame",
              Mutable::Ready, 0, 1000, [](Settings& s) -> int& { return s.coastFrames; })
          .number("coverage", "Coverage",
                  "Share of objects that should lie completely inside their region proposal",
                  Mutable::Playing, PaddingCalibrator::kLeastCoverage,
                  PaddingCalibrator::kMostCoverage,
                  [](Settings& s) -> double& { return s.coverage; })
          .stats("Counts since start: frames; cold (frames without RPs because nothing was known "
                 "yet); rps; answers (frames that servers answered or failed); late (answers that "
                 "came after the frame had gone on); predict-us (microseconds spent)"));
  return *table;
}

}  // namespace

G_BEGIN_DECLS
#define GST_TYPE_ELF_RP_PREDICT (gst_elf_rp_predict_get_type())
G_DECLARE_FINAL_TYPE(GstElfRpPredict, gst_elf_rp_predict, GST, ELF_RP_PREDICT, GstBaseTransform)
G_END_DECLS

struct _GstElfRpPredict {
  GstBaseTransform parent;
  RpPredict* predict;
};

G_DEFINE_TYPE_WITH_CODE(GstElfRpPredict, gst_elf_rp_predict, GST_TYPE_BASE_TRANSFORM,
                        GST_DEBUG_CATEGORY_INIT(elfrppredict_debug, "elfrppredict", 0,
                                                "Elf: prediction of region proposals"))
GST_ELEMENT_REGISTER_DEFINE(elfrppredict, "elfrppredict", GST_RANK_NONE, GST_TYPE_ELF_RP_PREDICT)

using Glue = elf::gst::TransformGlue<GstElfRpPredict, RpPredict, &GstElfRpPredict::predict,
                                     &gst_elf_rp_predict_parent_class>;

static void gst_elf_rp_predict_init(GstElfRpPredict* self) {
  Glue::init(self);
}

static void gst_elf_rp_predict_class_init(GstElfRpPredictClass* klass) {
  Glue::install(klass);
  gst_element_class_set_static_metadata(
      GST_ELEMENT_CLASS(klass), "Elf region-proposal prediction", "Filter/Analyzer/Video",
      "Predicts where objects will be in each frame from the detections in earlier frames",
      "The Elf for GStreamer authors");
  gst_type_mark_as_plugin_api(elf::gst::choiceType<elf::predictorChoices>("GstElfPredictor"),
                              static_cast<GstPluginAPIFlags>(0));
}

static gboolean plugin_init(GstPlugin* plugin) {
  return GST_ELEMENT_REGISTER(elfrppredict, plugin);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, elfrppredict,
                  "Elf: where objects will be in the next frame", plugin_init, ELF_VERSION, "LGPL",
                  PACKAGE, "Unknown package origin")
