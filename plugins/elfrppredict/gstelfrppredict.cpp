// SPDX-License-Identifier: LGPL-2.1-or-later
// elfrppredict: where objects will be in this frame, from what the last answered frames held.

/**
 * SECTION:element-elfrppredict
 *
 * Writes the region proposals (RPs) of each frame into the record that travels with it. It learns
 * what the frames really held from the upstream event `elf-detections`, which elfmerge sends, and
 * never looks at pixels.
 *
 * - Cold start (no frame was answered since the start, a flush or a change of size): the RPs are
 *   unknown, and elfpartition sends the whole frame.
 * - Normal: one RP for each object of the history, for the true horizon, which is the number of
 *   frames between the last answered frame and this one.
 * - Nothing was detected: known, and there are no RPs.
 *
 * Once it has seen an answer it lets no frame pass while elfoffload's `max-in-flight` frames are
 * unanswered, so that a queue between the elements cannot let it predict far ahead. It gives up
 * waiting after elfoffload's `deadline`.
 *
 * |[
 * gst-launch-1.0 filesrc location=vtest.avi ! decodebin ! videoconvert ! elfrppredict !
 * elfpartition ! elfoffload servers=http://127.0.0.1:8000 ! elfmerge ! videoconvert ! autovideosink
 * ]| predicts with the network that comes along, the default.
 */

#include "plugins/elfrppredict/gstelfrppredict.h"

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "elf/predict/history.h"
#include "elf/predict/padding.h"
#include "elf/predict/predictor.h"
#include "gst/elfvision/gstelfallocation.h"
#include "gst/elfvision/gstelfboundary.h"
#include "gst/elfvision/gstelfchoice.h"
#include "gst/elfvision/gstelfevents.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfrecords.h"
#include "gst/elfvision/gstelfvideo.h"

GST_DEBUG_CATEGORY_STATIC(elfrppredict_debug);
#define GST_CAT_DEFAULT elfrppredict_debug

namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kDefaultPredictor = 0;  // the first of predictorChoices()
constexpr int kDefaultHistory = elf::History::Limits{}.length;
constexpr int kDefaultCoastFrames = elf::History::Limits{}.coastFrames;
// How long to wait for an answer where elfoffload sets no deadline, or nobody tells one.
constexpr milliseconds kPatience{10000};
// Forecasts kept until their frames are answered; where frames are lost downstream, the newest.
constexpr std::size_t kMostForecasts = 64;

class RpPredict {
 public:
  explicit RpPredict(GstBaseTransform* element)
      : element_(element), records_(GST_ELEMENT(element)) {}

  struct Settings {
    int predictor = kDefaultPredictor;
    std::string weights;
    int history = kDefaultHistory;
    int coastFrames = kDefaultCoastFrames;
  };

  Settings settings() {
    const std::lock_guard lock(mutex_);
    return settings_;
  }
  template <typename T>
  void change(T Settings::*setting, T value) {
    const std::lock_guard lock(mutex_);
    settings_.*setting = std::move(value);
  }

  double coverage() {
    const std::lock_guard lock(mutex_);
    return calibrator_.coverage();
  }
  void setCoverage(double coverage) {
    const std::lock_guard lock(mutex_);
    calibrator_.setCoverage(coverage);
  }

  void start() {
    const Settings settings = this->settings();
    predictor_ = elf::RpPredictor::create(elf::predictorChoices()[settings.predictor].name,
                                          settings.weights);
    setSize({});
    forget();
    const std::lock_guard lock(mutex_);
    history_ = elf::History({.length = settings.history, .coastFrames = settings.coastFrames});
    calibrator_.forget();
    flushing_ = false;
    stats_ = {};
    GST_INFO_OBJECT(element_, "predictor %s, history %d frames, coast %d frames, coverage %g",
                    elf::predictorChoices()[settings.predictor].name, settings.history,
                    settings.coastFrames, calibrator_.coverage());
  }

  /** Any thread. */
  GstStructure* stats() {
    const std::lock_guard lock(mutex_);
    return gst_structure_new("elf-rp-predict-stats", "frames", G_TYPE_UINT64, stats_.frames, "cold",
                             G_TYPE_UINT64, stats_.cold, "rps", G_TYPE_UINT64, stats_.rps,
                             "answers", G_TYPE_UINT64, stats_.answers, "given-up", G_TYPE_UINT64,
                             stats_.givenUp, "predict-us", G_TYPE_UINT64,
                             static_cast<guint64>(stats_.time.count()), nullptr);
  }

  /** Any thread: wakes a waiting frame, which returns FLUSHING. */
  void startFlushing() {
    const std::lock_guard lock(mutex_);
    flushing_ = true;
    changed_.notify_all();
  }

  /** Streaming thread. */
  void stopFlushing() {
    forget();
    const std::lock_guard lock(mutex_);
    flushing_ = false;
  }

  /** Streaming thread: nothing of before is known any more, but how far predictions are off. */
  void forget() {
    const std::lock_guard lock(mutex_);
    records_.newGeneration();
    history_.clear();
    forecasts_.clear();
    waivedBefore_ = 0;
  }

  void setSize(elf::Size size) {
    if (size == size_) return;
    {
      const std::lock_guard lock(mutex_);
      size_ = size;
    }
    forget();
  }

  /** Any thread. */
  void takeIn(const elf::Feedback& feedback) {
    const std::lock_guard lock(mutex_);
    if (feedback.generation != records_.generation() || feedback.size != size_) return;
    ++stats_.answers;
    learn(feedback);
    history_.add(feedback);
    changed_.notify_all();
  }

  GstFlowReturn predict(GstBuffer* buffer) {
    elf::FrameRecord record = *records_.of(buffer, size_);
    if (!waitForTurn(record.id)) return GST_FLOW_FLUSHING;
    const auto begun = steady_clock::now();
    {
      const std::lock_guard lock(mutex_);
      if (history_.known()) {
        record.horizon = static_cast<int>(record.id - *history_.lastAnswered());
        Forecast forecast{record.horizon, predictor_->predict(history_, record.id), {}};
        forecast.rps = elf::makeRps(forecast.predictions, history_, size_,
                                    calibrator_.padding(record.horizon));
        record.rps = forecast.rps;
        stats_.rps += forecast.rps.size();
        if (forecasts_.size() == kMostForecasts) forecasts_.erase(forecasts_.begin());
        forecasts_.insert_or_assign(record.id, std::move(forecast));
      }
    }
    record.timings.predict = duration_cast<elf::Microseconds>(steady_clock::now() - begun);
    {
      const std::lock_guard lock(mutex_);
      ++stats_.frames;
      if (!record.rps) ++stats_.cold;
      stats_.time += record.timings.predict;
    }
    GST_LOG_OBJECT(element_, "%s: %d RPs, horizon %d", record.name().c_str(),
                   record.rps ? static_cast<int>(record.rps->size()) : -1, record.horizon);
    elf::gst::setRecord(buffer, std::make_shared<const elf::FrameRecord>(std::move(record)));
    return GST_FLOW_OK;
  }

 private:
  /** What was said of a frame beforehand. */
  struct Forecast {
    int horizon = 0;
    std::vector<elf::Prediction> predictions;
    std::vector<elf::Rp> rps;
  };

  /** Since the start. */
  struct Stats {
    guint64 frames = 0, cold = 0, rps = 0, answers = 0, givenUp = 0;
    elf::Microseconds time{0};
  };

  // Call with mutex_ held.
  void learn(const elf::Feedback& feedback) {
    const auto made = forecasts_.find(feedback.id);
    if (made != forecasts_.end() && feedback.looked)
      calibrator_.observe(made->second.predictions, made->second.rps, feedback.detections,
                          made->second.horizon, size_);
    forecasts_.erase(forecasts_.begin(), forecasts_.upper_bound(feedback.id));
  }

  // False when flushing. elfmerge answers every frame and in order, so that the newest answer
  // tells how many are still on their way.
  bool waitForTurn(std::uint64_t id) {
    {
      const std::lock_guard lock(mutex_);
      if (flushing_) return false;
      if (!history_.lastAnswered()) return true;
    }
    // Each time, since both may change in PLAYING.
    const elf::CapacityPtr capacity = elf::gst::queryCapacity(GST_BASE_TRANSFORM_SRC_PAD(element_));
    if (capacity && capacity->leaky) return true;
    const auto inFlight = static_cast<std::uint64_t>(capacity ? capacity->maxInFlight : 1);
    const milliseconds patience = capacity && capacity->deadline ? *capacity->deadline : kPatience;

    std::unique_lock lock(mutex_);
    const auto myTurn = [&] {
      if (flushing_ || !history_.lastAnswered()) return true;
      return std::max(*history_.lastAnswered() + 1, waivedBefore_) + inFlight > id;
    };
    if (!changed_.wait_for(lock, patience, myTurn)) {
      GST_WARNING_OBJECT(element_,
                         "no answer within %d ms: frames before %" G_GUINT64_FORMAT
                         " were lost downstream",
                         static_cast<int>(patience.count()), id);
      waivedBefore_ = id;
      ++stats_.givenUp;
    }
    return !flushing_;
  }

  GstBaseTransform* element_;

  // Streaming thread only; a new generation or size is set under mutex_, for takeIn().
  elf::gst::FrameRecords records_;
  elf::Size size_;
  std::unique_ptr<elf::RpPredictor> predictor_;

  // Guards what follows. Never held while pushing, querying or posting.
  std::mutex mutex_;
  std::condition_variable changed_;
  Settings settings_;
  elf::History history_;
  elf::PaddingCalibrator calibrator_;
  // By frame, of those that were not answered yet.
  std::map<std::uint64_t, Forecast> forecasts_;
  bool flushing_ = false;
  // Frames before this id are not waited for any more.
  std::uint64_t waivedBefore_ = 0;
  Stats stats_;
};

}  // namespace

struct _GstElfRpPredict {
  GstBaseTransform parent;
  RpPredict* predict;
};

enum {
  PROP_0,
  PROP_PREDICTOR,
  PROP_WEIGHTS,
  PROP_HISTORY,
  PROP_COAST_FRAMES,
  PROP_COVERAGE,
  PROP_STATS
};

#define gst_elf_rp_predict_parent_class parent_class
G_DEFINE_TYPE_WITH_CODE(GstElfRpPredict, gst_elf_rp_predict, GST_TYPE_BASE_TRANSFORM,
                        GST_DEBUG_CATEGORY_INIT(elfrppredict_debug, "elfrppredict", 0,
                                                "Elf: prediction of region proposals"))
GST_ELEMENT_REGISTER_DEFINE(elfrppredict, "elfrppredict", GST_RANK_NONE, GST_TYPE_ELF_RP_PREDICT)

static GType gst_elf_predictor_get_type(void) {
  static GType type = 0;
  if (g_once_init_enter(&type)) {
    const GType made = elf::gst::registerChoice("GstElfPredictor", elf::predictorChoices());
    g_once_init_leave(&type, made);
  }
  return type;
}

static void gst_elf_rp_predict_set_property(GObject* object, guint id, const GValue* value,
                                            GParamSpec* spec) {
  RpPredict* predict = GST_ELF_RP_PREDICT(object)->predict;
  switch (id) {
    case PROP_PREDICTOR:
      predict->change(&RpPredict::Settings::predictor, g_value_get_enum(value));
      break;
    case PROP_WEIGHTS: {
      const char* weights = g_value_get_string(value);
      predict->change(&RpPredict::Settings::weights, std::string(weights ? weights : ""));
      break;
    }
    case PROP_HISTORY:
      predict->change(&RpPredict::Settings::history, g_value_get_int(value));
      break;
    case PROP_COAST_FRAMES:
      predict->change(&RpPredict::Settings::coastFrames, g_value_get_int(value));
      break;
    case PROP_COVERAGE:
      predict->setCoverage(g_value_get_double(value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void gst_elf_rp_predict_get_property(GObject* object, guint id, GValue* value,
                                            GParamSpec* spec) {
  const RpPredict::Settings settings = GST_ELF_RP_PREDICT(object)->predict->settings();
  switch (id) {
    case PROP_PREDICTOR:
      g_value_set_enum(value, settings.predictor);
      break;
    case PROP_WEIGHTS:
      g_value_set_string(value, settings.weights.empty() ? nullptr : settings.weights.c_str());
      break;
    case PROP_HISTORY:
      g_value_set_int(value, settings.history);
      break;
    case PROP_COAST_FRAMES:
      g_value_set_int(value, settings.coastFrames);
      break;
    case PROP_COVERAGE:
      g_value_set_double(value, GST_ELF_RP_PREDICT(object)->predict->coverage());
      break;
    case PROP_STATS:
      g_value_take_boxed(value, GST_ELF_RP_PREDICT(object)->predict->stats());
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static GstStateChangeReturn gst_elf_rp_predict_change_state(GstElement* element,
                                                            GstStateChange transition) {
  // Before the pads are deactivated, which waits for the streaming thread.
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    GST_ELF_RP_PREDICT(element)->predict->startFlushing();
  return GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
}

static gboolean gst_elf_rp_predict_start(GstBaseTransform* trans) {
  return elf::gst::guarded(GST_ELEMENT(trans), FALSE, [&] {
    GST_ELF_RP_PREDICT(trans)->predict->start();
    return TRUE;
  });
}

static gboolean gst_elf_rp_predict_set_caps(GstBaseTransform* trans, GstCaps* caps, GstCaps*) {
  return elf::gst::guarded(GST_ELEMENT(trans), FALSE, [&]() -> gboolean {
    GstVideoInfo info;
    if (!gst_video_info_from_caps(&info, caps)) return FALSE;
    GST_ELF_RP_PREDICT(trans)->predict->setSize({info.width, info.height});
    return TRUE;
  });
}

static void take_event(RpPredict* predict, GstEvent* event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_START:
      predict->startFlushing();
      break;
    case GST_EVENT_FLUSH_STOP:
      predict->stopFlushing();
      break;
    case GST_EVENT_GAP:
      predict->forget();
      break;
    case GST_EVENT_SEGMENT: {
      const GstSegment* segment;
      gst_event_parse_segment(event, &segment);
      if (segment->rate < 0) predict->forget();
      break;
    }
    default:
      break;
  }
}

static gboolean gst_elf_rp_predict_sink_event(GstBaseTransform* trans, GstEvent* event) {
  elf::gst::guarded(GST_ELEMENT(trans),
                    [&] { take_event(GST_ELF_RP_PREDICT(trans)->predict, event); });
  return GST_BASE_TRANSFORM_CLASS(parent_class)->sink_event(trans, event);
}

static gboolean gst_elf_rp_predict_src_event(GstBaseTransform* trans, GstEvent* event) {
  if (const elf::FeedbackPtr feedback = elf::gst::parseDetectionsEvent(event)) {
    elf::gst::guarded(GST_ELEMENT(trans),
                      [&] { GST_ELF_RP_PREDICT(trans)->predict->takeIn(*feedback); });
    gst_event_unref(event);
    return TRUE;
  }
  return GST_BASE_TRANSFORM_CLASS(parent_class)->src_event(trans, event);
}

static gboolean gst_elf_rp_predict_propose_allocation(GstBaseTransform* trans, GstQuery*,
                                                      GstQuery* query) {
  return elf::gst::forwardAllocation(GST_BASE_TRANSFORM_SRC_PAD(trans), query);
}

static GstFlowReturn gst_elf_rp_predict_transform_ip(GstBaseTransform* trans, GstBuffer* buffer) {
  return elf::gst::guarded(GST_ELEMENT(trans), GST_FLOW_ERROR,
                           [&] { return GST_ELF_RP_PREDICT(trans)->predict->predict(buffer); });
}

static void gst_elf_rp_predict_init(GstElfRpPredict* self) {
  self->predict = new RpPredict(GST_BASE_TRANSFORM(self));
  gst_base_transform_set_in_place(GST_BASE_TRANSFORM(self), TRUE);
}

static void gst_elf_rp_predict_finalize(GObject* object) {
  delete GST_ELF_RP_PREDICT(object)->predict;
  G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void gst_elf_rp_predict_class_init(GstElfRpPredictClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = gst_elf_rp_predict_set_property;
  object_class->get_property = gst_elf_rp_predict_get_property;
  object_class->finalize = gst_elf_rp_predict_finalize;

  const auto flags = [](int more) {
    return static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | more);
  };
  g_object_class_install_property(
      object_class, PROP_PREDICTOR,
      g_param_spec_enum("predictor", "Predictor", "How the place of an object is predicted",
                        gst_elf_predictor_get_type(), kDefaultPredictor,
                        flags(GST_PARAM_MUTABLE_READY)));
  g_object_class_install_property(
      object_class, PROP_WEIGHTS,
      g_param_spec_string("weights", "Weights",
                          "File of the predictor's trained weights, or the name of one in the "
                          "folders of models (unset: those named as the predictor is)",
                          nullptr, flags(GST_PARAM_MUTABLE_READY)));
  g_object_class_install_property(
      object_class, PROP_HISTORY,
      g_param_spec_int("history", "History",
                       "How many sightings of an object the prediction starts from, in frames", 1,
                       64, kDefaultHistory, flags(GST_PARAM_MUTABLE_READY)));
  g_object_class_install_property(
      object_class, PROP_COAST_FRAMES,
      g_param_spec_int(
          "coast-frames", "Coast frames",
          "For how many frames an object that is not found, or of which no server "
          "tells, is still looked for; one that the model was not sure of and does not "
          "find is for one frame only",
          0, 1000, kDefaultCoastFrames, flags(GST_PARAM_MUTABLE_READY)));
  using elf::PaddingCalibrator;
  g_object_class_install_property(
      object_class, PROP_COVERAGE,
      g_param_spec_double("coverage", "Coverage",
                          "Share of objects that should lie whole inside their RP",
                          PaddingCalibrator::kLeastCoverage, PaddingCalibrator::kMostCoverage,
                          PaddingCalibrator::kDefaultCoverage, flags(GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      object_class, PROP_STATS,
      g_param_spec_boxed("stats", "Statistics",
                         "Counts since the start: frames; cold, those without RPs because nothing "
                         "was known; rps; answers, frames of which elfmerge told what they held; "
                         "given-up, waits for such an answer; predict-us, microseconds spent",
                         GST_TYPE_STRUCTURE,
                         static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));

  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_elf_rp_predict_change_state);
  elf::gst::addVideoPads(element_class);
  gst_element_class_set_static_metadata(
      element_class, "Elf region-proposal prediction", "Filter/Analyzer/Video",
      "Predicts where objects will be in each frame from what the frames before it held",
      "The Elf for GStreamer authors");

  auto* transform_class = GST_BASE_TRANSFORM_CLASS(klass);
  transform_class->start = GST_DEBUG_FUNCPTR(gst_elf_rp_predict_start);
  transform_class->set_caps = GST_DEBUG_FUNCPTR(gst_elf_rp_predict_set_caps);
  transform_class->sink_event = GST_DEBUG_FUNCPTR(gst_elf_rp_predict_sink_event);
  transform_class->src_event = GST_DEBUG_FUNCPTR(gst_elf_rp_predict_src_event);
  transform_class->propose_allocation = GST_DEBUG_FUNCPTR(gst_elf_rp_predict_propose_allocation);
  transform_class->transform_ip = GST_DEBUG_FUNCPTR(gst_elf_rp_predict_transform_ip);

  gst_type_mark_as_plugin_api(gst_elf_predictor_get_type(), static_cast<GstPluginAPIFlags>(0));
}
