// SPDX-License-Identifier: LGPL-2.1-or-later
// elfrppredict: predicts where objects will be in this frame, from the last answered frames.

/**
 * SECTION:element-elfrppredict
 *
 * Writes the region proposals (RPs) of each frame into the record that travels with it, and begins
 * the loop that elfpartition, elfoffload and elfmerge downstream continue. It learns the detections
 * of frames as soon as they are answered, whatever is downstream of elfoffload. It never reads
 * pixels.
 *
 * - Cold start (no frame was answered since the start, a flush or a change of size): the RPs are
 *   unknown, and elfpartition sends the whole frame.
 * - Normal: one RP for each object of the history, for the true horizon: the number of frames
 *   between the last answered frame and this one.
 * - Nothing was detected: the RPs are known and empty.
 *
 * It lets no more frames pass than elfoffload's `max-in-flight`, so that a queue between the
 * elements cannot make it predict far ahead. It stops waiting for a dropped frame when the buffer
 * is freed.
 *
 * |[
 * gst-launch-1.0 filesrc location=vtest.avi ! decodebin ! videoconvert ! elfrppredict !
 * elfpartition ! elfoffload servers=http://127.0.0.1:8000 ! elfmerge ! videoconvert ! autovideosink
 * ]| predicts with the bundled network, the default.
 */

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "elf/base/mutex.h"
#include "elf/predict/history.h"
#include "elf/predict/padding.h"
#include "elf/predict/predictor.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfstream.h"
#include "gst/elfvision/gstelftransform.h"

GST_DEBUG_CATEGORY_STATIC(elfrppredict_debug);
#define GST_CAT_DEFAULT elfrppredict_debug

namespace {

using elf::PaddingCalibrator;

// --- settings and state
// Locks: settingsMutex_ guards Settings, stateMutex_ guards State. Both are held briefly, never
// together.

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

/** Since the start. */
struct State {
  std::uint64_t frames = 0, cold = 0, rps = 0;
  elf::Microseconds time{0};
};

class RpPredict : public elf::gst::TransformElement<RpPredict, Settings> {
 public:
  explicit RpPredict(GstBaseTransform* transform) : TransformElement(transform), entry_(element_) {}

  // --- properties

  static std::span<const Property> properties() {
    static constexpr Property kProperties[] = {
        {"predictor", "Predictor", kReady,
         Enum{ELF_SETTING(predictor), "GstElfPredictor", elf::predictorChoices},
         "Method that predicts where each object will be"},
        {"weights", "Weights", kReady, OptionalString{ELF_SETTING(weights)},
         "Trained weights of the predictor: a file, or a name in the model folders (unset = the "
         "weights that share the predictor's name)"},
        {"history", "History", kReady, Int{ELF_SETTING(history), 1, 64},
         "Number of past detections of an object that the prediction uses"},
        {"coast-frames", "Coast frames", kReady, Int{ELF_SETTING(coastFrames), 0, 1000},
         "Keep looking for a lost object for N frames, whether it was not found or no server "
         "answered; an object that the model was unsure of is dropped after one frame"},
        {"coverage", "Coverage", kPlaying,
         Double{ELF_SETTING(coverage), PaddingCalibrator::kLeastCoverage,
                PaddingCalibrator::kMostCoverage},
         "Share of objects that should lie completely inside their region proposal",
         &RpPredict::setCoverage},
        {"stats", "Statistics", kReadOnly, Statistics{&RpPredict::stats},
         "Counts since start: frames; cold (frames without RPs because nothing was known yet); "
         "rps; answers (frames that servers answered or failed); late (answers that came after "
         "the frame had gone on); predict-us (microseconds spent)"},
    };
    return kProperties;
  }

  // --- data flow

  GstFlowReturn transform(GstBuffer* buffer) {
    // The loop begins anew here, whatever record the frame carries. Warns of one for other pixels.
    entry_.onItsWay(buffer, size());
    std::optional<elf::FrameRecord> record =
        entry_.enter(GST_BASE_TRANSFORM_SRC_PAD(transform_), buffer, transform_->segment, info_);
    if (!record) return GST_FLOW_FLUSHING;
    entry_.own()->predict(*record);
    {
      const elf::MutexLock lock(stateMutex_);
      ++state_.frames;
      if (record->rps)
        state_.rps += record->rps->size();
      else
        ++state_.cold;
      state_.time += record->timings.predict;
    }
    GST_LOG_OBJECT(element_, "%s: %d RPs, horizon %d%s", record->name().c_str(),
                   record->rps ? static_cast<int>(record->rps->size()) : -1, record->horizon,
                   record->skipped ? ", passes unsent" : "");
    elf::gst::setRecord(buffer, std::make_shared<elf::FrameRecord>(std::move(*record)));
    return GST_FLOW_OK;
  }

  // --- events and queries

  void sinkEvent(GstEvent* event) {
    entry_.sinkEvent(event);
    const GstSegment* segment = nullptr;
    if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT) gst_event_parse_segment(event, &segment);
    if (GST_EVENT_TYPE(event) == GST_EVENT_GAP || (segment && segment->rate < 0))
      entry_.own()->reset();
  }

  void srcEvent(GstEvent* event) { entry_.srcEvent(event); }

  // An offered stream ends here: another stage begins.
  bool sinkQuery(GstQuery* query) { return elf::gst::parseStreamQuery(query) != nullptr; }

  // --- state changes

  void start() {
    const Settings now = settings();
    entry_.start(elf::RpPredictor::create(now.predictorName(), now.weights),
                 {.length = now.history, .coastFrames = now.coastFrames});
    const elf::MutexLock lock(stateMutex_);
    state_ = {};
    GST_INFO_OBJECT(element_, "predictor %s, history %d frames, coast %d frames, coverage %g",
                    now.predictorName(), now.history, now.coastFrames, now.coverage);
  }

  void unblock() { entry_.setStopped(true); }

 private:
  void setCoverage() { entry_.own()->setCoverage(settings().coverage); }

  GstStructure* stats() {
    const elf::Stream::Stats loop = entry_.own()->stats();
    const elf::MutexLock lock(stateMutex_);
    GstStructure* stats = gst_structure_new_empty("elf-rp-predict-stats");
    elf::gst::addCounts(stats, "frames", state_.frames, "cold", state_.cold, "rps", state_.rps,
                        "answers", loop.answers, "late", loop.late, "predict-us",
                        state_.time.count());
    return stats;
  }

  elf::gst::StreamEntry entry_;
  elf::Mutex stateMutex_;
  State state_ ELF_GUARDED_BY(stateMutex_);
};

}  // namespace

// --- class init

using GstElfRpPredict = elf::gst::TransformInstance<RpPredict>;
using GstElfRpPredictClass = GstBaseTransformClass;
G_DEFINE_TYPE_WITH_CODE(GstElfRpPredict, gst_elf_rp_predict, GST_TYPE_BASE_TRANSFORM,
                        GST_DEBUG_CATEGORY_INIT(elfrppredict_debug, "elfrppredict", 0,
                                                "Elf: prediction of region proposals"))
GST_ELEMENT_REGISTER_DEFINE(elfrppredict, "elfrppredict", GST_RANK_NONE,
                            gst_elf_rp_predict_get_type())

using Glue = elf::gst::TransformGlue<RpPredict, &gst_elf_rp_predict_parent_class>;

static void gst_elf_rp_predict_init(GstElfRpPredict* self) {
  Glue::init(self);
}

static void gst_elf_rp_predict_class_init(GstElfRpPredictClass* klass) {
  Glue::install(klass);
  gst_element_class_set_static_metadata(
      GST_ELEMENT_CLASS(klass), "Elf region-proposal prediction", "Filter/Analyzer/Video",
      "Predicts where objects will be in each frame from the detections in earlier frames",
      "The Elf for GStreamer authors");
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, elfrppredict,
                  "Elf: where objects will be in the next frame", gst_element_register_elfrppredict,
                  ELF_VERSION, "LGPL", PACKAGE, "Unknown package origin")
