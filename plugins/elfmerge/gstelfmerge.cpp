// SPDX-License-Identifier: LGPL-2.1-or-later
// The element `elfmerge`.

/**
 * SECTION:element-elfmerge
 *
 * Turns the servers' answers about the parts of a frame into the detections of the frame.
 *
 * |[
 * gst-launch-1.0 filesrc location=vtest.avi ! decodebin ! videoconvert ! elfrppredict !
 *     elfpartition ! elfoffload servers=http://127.0.0.1:8000 model=hog !
 *     elfmerge results-location=vtest.jsonl ! videoconvert ! autovideosink
 * ]| Shows the video with boxes drawn in, and writes what was found in each frame to a file.
 *
 * - For each frame that carries a record it sends `elf-detections` upstream before it pushes the
 *   frame: failed, skipped and empty ones too.
 * - A frame without a record, or whose record is for another size, passes as it is.
 * - Pixels are touched only where something is drawn; a frame shared with others is copied then.
 */
#include "plugins/elfmerge/gstelfmerge.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "elf/merge/merge.h"
#include "elf/predict/identifier.h"
#include "elf/record/json_line.h"
#include "elf/render/painter.h"
#include "gst/elfvision/gstelfallocation.h"
#include "gst/elfvision/gstelfboundary.h"
#include "gst/elfvision/gstelfchoice.h"
#include "gst/elfvision/gstelfevents.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfrecords.h"
#include "gst/elfvision/gstelfresult.h"
#include "gst/elfvision/gstelfvideo.h"

GST_DEBUG_CATEGORY_STATIC(elfmerge_debug);
#define GST_CAT_DEFAULT elfmerge_debug

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kDefaultIndexing = 0;  // the first of indexerChoices()

struct Settings {
  elf::PaintOptions paint;
  bool postMessages = false;
  elf::Doubles doubles = elf::Doubles::Drop;
  bool reportMissed = false;
  /** Index into indexerChoices(). */
  int indexing = kDefaultIndexing;
  /** Empty: no file. */
  std::string resultsLocation;
};

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

/** The file of `results-location`; every line is on its way to the disk when append() returns. */
class ResultsFile {
 public:
  /** Throws elf::Error naming the property and the file. */
  explicit ResultsFile(const std::string& location)
      : location_(location), file_(std::fopen(location.c_str(), "ae")) {
    if (!file_)
      throw elf::Error("results-location",
                       "cannot open '" + location + "' for writing: " + std::strerror(errno));
  }

  /** False, with errno set, where the line could not be written. */
  bool append(const std::string& line) {
    return std::fputs((line + '\n').c_str(), file_.get()) >= 0 && std::fflush(file_.get()) == 0;
  }

  const std::string& location() const { return location_; }

 private:
  std::string location_;
  std::unique_ptr<std::FILE, CloseFile> file_;
};

std::optional<std::int64_t> ptsOf(GstBuffer* buffer) {
  if (!GST_BUFFER_PTS_IS_VALID(buffer)) return std::nullopt;
  return static_cast<std::int64_t>(GST_BUFFER_PTS(buffer));
}

/**
 * All that an elfmerge knows. Settings and counts are guarded by its mutex, which is never held
 * while calling anything; the rest belongs to the streaming thread, or to whoever starts and stops
 * the element.
 */
class Merger {
 public:
  explicit Merger(GstBaseTransform* element) : element_(element), records_(GST_ELEMENT(element)) {}

  template <typename Change>
  void change(Change&& apply) {
    const std::lock_guard lock(mutex_);
    std::forward<Change>(apply)(settings_);
  }

  Settings settings() const {
    const std::lock_guard lock(mutex_);
    return settings_;
  }

  /** Any thread. */
  GstStructure* stats() const {
    const std::lock_guard lock(mutex_);
    return gst_structure_new("elf-merge-stats", "frames", G_TYPE_UINT64, stats_.frames, "bare",
                             G_TYPE_UINT64, stats_.bare, "detections", G_TYPE_UINT64,
                             stats_.detections, "coasted", G_TYPE_UINT64, stats_.coasted,
                             "unanswered", G_TYPE_UINT64, stats_.unanswered, "merge-us",
                             G_TYPE_UINT64, static_cast<guint64>(stats_.merge.count()), "total-us",
                             G_TYPE_UINT64, static_cast<guint64>(stats_.total.count()), nullptr);
  }

  void start() {
    const Settings now = settings();
    {
      const std::lock_guard lock(mutex_);
      stats_ = {};
    }
    if (!now.resultsLocation.empty()) results_ = std::make_unique<ResultsFile>(now.resultsLocation);
    identifier_.setIndexer(elf::RpIndexer::create(elf::indexerChoices()[now.indexing].name));
    forget();
    warned_ = false;
  }

  void stop() { results_.reset(); }

  void forget() {
    identifier_.forget();
    records_.newGeneration();
  }

  void setInfo(const GstVideoInfo& info) {
    const bool resized = info.width != info_.width || info.height != info_.height;
    info_ = info;
    if (resized) forget();
  }

  GstFlowReturn merge(GstBuffer* buffer) {
    const Clock::time_point begin = Clock::now();
    const elf::Size size{GST_VIDEO_INFO_WIDTH(&info_), GST_VIDEO_INFO_HEIGHT(&info_)};
    const elf::FrameRecordPtr arrived = records_.carriedBy(buffer, size);
    // records_ tells of one that does not fit.
    if (arrived ? !arrived->capacity : !elf::gst::getRecord(buffer)) warnOnce();
    if (!arrived) {
      const std::lock_guard lock(mutex_);
      ++stats_.bare;
      return GST_FLOW_OK;
    }
    if (arrived->generation != generation_) {
      generation_ = arrived->generation;
      identifier_.forget();
    }

    elf::FrameRecord record = *arrived;
    const Settings now = settings();
    elf::mergeAnswers(record, now.doubles);
    identifier_.identify(record.id, record.size, record.rps ? *record.rps : std::vector<elf::Rp>{},
                         record.detections);
    sendFeedback(record);
    if (now.reportMissed) elf::addMissed(record);

    // What the statistics line tells: drawing is not over when it is drawn.
    setTimings(record, begin);
    if (elf::paintsAnything(record, now.paint) && !paint(buffer, record, now.paint))
      return GST_FLOW_ERROR;
    setTimings(record, begin);

    count(record);
    elf::gst::replaceRegions(buffer, record);
    if (now.postMessages) post(record, ptsOf(buffer));
    const bool written = !results_ || write(record, ptsOf(buffer));
    elf::gst::setRecord(buffer, std::make_shared<const elf::FrameRecord>(std::move(record)));
    return written ? GST_FLOW_OK : GST_FLOW_ERROR;
  }

 private:
  /** Since the start. */
  struct Stats {
    guint64 frames = 0, bare = 0, detections = 0, coasted = 0, unanswered = 0;
    elf::Microseconds merge{0}, total{0};
  };

  /** Of a pipeline that was put together wrongly. */
  void warnOnce() {
    if (std::exchange(warned_, true)) return;
    GST_ELEMENT_WARNING(element_, STREAM, FAILED,
                        ("A frame comes from no elfoffload: nothing was inferred."),
                        ("It belongs before this element."));
  }

  static void setTimings(elf::FrameRecord& record, Clock::time_point begin) {
    const Clock::time_point now = Clock::now();
    record.timings.merge = std::chrono::duration_cast<elf::Microseconds>(now - begin);
    record.timings.total = std::chrono::duration_cast<elf::Microseconds>(now - record.entered);
  }

  void count(const elf::FrameRecord& record) {
    const auto coasted = std::ranges::count(record.detections, true, &elf::Detection::coasted);
    const auto answered =
        std::ranges::count(record.answers, elf::AnswerState::Answered, &elf::PartAnswer::state);
    GST_LOG_OBJECT(element_,
                   "%s: %d detections, %d of them coasted, %d of %d parts answered, %.1f ms",
                   record.name().c_str(), static_cast<int>(record.detections.size()),
                   static_cast<int>(coasted), static_cast<int>(answered),
                   static_cast<int>(record.answers.size()),
                   static_cast<double>(record.timings.total.count()) * 1e-3);
    const std::lock_guard lock(mutex_);
    ++stats_.frames;
    stats_.detections += record.detections.size();
    stats_.coasted += static_cast<guint64>(coasted);
    stats_.unanswered += record.answers.size() - static_cast<std::size_t>(answered);
    stats_.merge += record.timings.merge;
    stats_.total += record.timings.total;
  }

  void sendFeedback(const elf::FrameRecord& record) {
    GstEvent* event = elf::gst::newDetectionsEvent(
        std::make_shared<const elf::Feedback>(elf::feedbackOf(record)));
    // False only means that no element upstream wants to know.
    gst_pad_push_event(GST_BASE_TRANSFORM_SINK_PAD(element_), event);
  }

  bool paint(GstBuffer* buffer, const elf::FrameRecord& record, const elf::PaintOptions& options) {
    std::optional<elf::gst::MappedFrame> frame =
        elf::gst::MappedFrame::map(info_, buffer, GST_MAP_READWRITE);
    if (!frame) {
      GST_ELEMENT_ERROR(element_, STREAM, FAILED, ("A frame could not be mapped for drawing."),
                        ("%" GST_PTR_FORMAT, buffer));
      return false;
    }
    painter_.paint(record, options, frame->mutableView());
    return true;
  }

  void post(const elf::FrameRecord& record, std::optional<std::int64_t> ptsNs) {
    GstStructure* structure = elf::gst::newResultStructure(record, ptsNs);
    gst_element_post_message(GST_ELEMENT(element_),
                             gst_message_new_element(GST_OBJECT(element_), structure));
  }

  bool write(const elf::FrameRecord& record, std::optional<std::int64_t> ptsNs) {
    if (results_->append(elf::toJsonLine(record, ptsNs))) return true;
    const int error = errno;
    if (error == ENOSPC) {
      GST_ELEMENT_ERROR(
          element_, RESOURCE, NO_SPACE_LEFT,
          ("results-location: no space left to write '%s'.", results_->location().c_str()),
          (nullptr));
    } else {
      GST_ELEMENT_ERROR(element_, RESOURCE, WRITE,
                        ("results-location: cannot write '%s': %s.", results_->location().c_str(),
                         g_strerror(error)),
                        (nullptr));
    }
    return false;
  }

  GstBaseTransform* element_;
  mutable std::mutex mutex_;
  Settings settings_;
  Stats stats_;

  GstVideoInfo info_{};
  elf::gst::FrameRecords records_;
  elf::Identifier identifier_;
  elf::Painter painter_;
  std::uint32_t generation_ = 0;
  bool warned_ = false;
  std::unique_ptr<ResultsFile> results_;
};

enum Property {
  kDrawBoxes = 1,
  kDrawLabels,
  kDrawMasks,
  kDrawKeypoints,
  kDrawRps,
  kDrawParts,
  kDrawStatistics,
  kPostMessages,
  kResultsLocation,
  kIndexing,
  kDoubles,
  kReportMissed,
  kStats
};

}  // namespace

struct _GstElfMerge {
  GstBaseTransform parent;
  Merger* merger;
};

G_DEFINE_TYPE_WITH_CODE(GstElfMerge, gst_elf_merge, GST_TYPE_BASE_TRANSFORM,
                        GST_DEBUG_CATEGORY_INIT(elfmerge_debug, "elfmerge", 0,
                                                "Elf: merges answers into detections"))
GST_ELEMENT_REGISTER_DEFINE(elfmerge, "elfmerge", GST_RANK_NONE, GST_TYPE_ELF_MERGE)

static GType gst_elf_indexing_get_type(void) {
  static GType type = 0;
  if (g_once_init_enter(&type)) {
    const GType made = elf::gst::registerChoice("GstElfIndexing", elf::indexerChoices());
    g_once_init_leave(&type, made);
  }
  return type;
}

static GType gst_elf_doubles_get_type(void) {
  static GType type = 0;
  if (g_once_init_enter(&type)) {
    const GType made = elf::gst::registerChoice("GstElfDoubles", elf::doublesChoices());
    g_once_init_leave(&type, made);
  }
  return type;
}

static Merger& mergerOf(gpointer object) {
  return *GST_ELF_MERGE(object)->merger;
}

static void gst_elf_merge_set_property(GObject* object, guint id, const GValue* value,
                                       GParamSpec* pspec) {
  elf::gst::guarded(GST_ELEMENT(object), [&] {
    mergerOf(object).change([&](Settings& settings) {
      switch (id) {
        case kDrawBoxes:
          settings.paint.boxes = g_value_get_boolean(value);
          break;
        case kDrawLabels:
          settings.paint.labels = g_value_get_boolean(value);
          break;
        case kDrawMasks:
          settings.paint.masks = g_value_get_boolean(value);
          break;
        case kDrawKeypoints:
          settings.paint.keypoints = g_value_get_boolean(value);
          break;
        case kDrawRps:
          settings.paint.rps = g_value_get_boolean(value);
          break;
        case kDrawParts:
          settings.paint.parts = g_value_get_boolean(value);
          break;
        case kDrawStatistics:
          settings.paint.statistics = g_value_get_boolean(value);
          break;
        case kPostMessages:
          settings.postMessages = g_value_get_boolean(value);
          break;
        case kResultsLocation: {
          const gchar* location = g_value_get_string(value);
          settings.resultsLocation = location ? location : "";
          break;
        }
        case kIndexing:
          settings.indexing = g_value_get_enum(value);
          break;
        case kDoubles:
          settings.doubles = static_cast<elf::Doubles>(g_value_get_enum(value));
          break;
        case kReportMissed:
          settings.reportMissed = g_value_get_boolean(value);
          break;
        default:
          G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
      }
    });
  });
}

static void gst_elf_merge_get_property(GObject* object, guint id, GValue* value,
                                       GParamSpec* pspec) {
  elf::gst::guarded(GST_ELEMENT(object), [&] {
    const Settings settings = mergerOf(object).settings();
    switch (id) {
      case kDrawBoxes:
        g_value_set_boolean(value, settings.paint.boxes);
        break;
      case kDrawLabels:
        g_value_set_boolean(value, settings.paint.labels);
        break;
      case kDrawMasks:
        g_value_set_boolean(value, settings.paint.masks);
        break;
      case kDrawKeypoints:
        g_value_set_boolean(value, settings.paint.keypoints);
        break;
      case kDrawRps:
        g_value_set_boolean(value, settings.paint.rps);
        break;
      case kDrawParts:
        g_value_set_boolean(value, settings.paint.parts);
        break;
      case kDrawStatistics:
        g_value_set_boolean(value, settings.paint.statistics);
        break;
      case kPostMessages:
        g_value_set_boolean(value, settings.postMessages);
        break;
      case kResultsLocation:
        if (!settings.resultsLocation.empty())
          g_value_set_string(value, settings.resultsLocation.c_str());
        break;
      case kIndexing:
        g_value_set_enum(value, settings.indexing);
        break;
      case kDoubles:
        g_value_set_enum(value, static_cast<int>(settings.doubles));
        break;
      case kReportMissed:
        g_value_set_boolean(value, settings.reportMissed);
        break;
      case kStats:
        g_value_take_boxed(value, mergerOf(object).stats());
        break;
      default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
  });
}

static gboolean gst_elf_merge_start(GstBaseTransform* transform) {
  return elf::gst::guarded(GST_ELEMENT(transform), FALSE, [&] {
    mergerOf(transform).start();
    return TRUE;
  });
}

static gboolean gst_elf_merge_stop(GstBaseTransform* transform) {
  return elf::gst::guarded(GST_ELEMENT(transform), FALSE, [&] {
    mergerOf(transform).stop();
    return TRUE;
  });
}

static gboolean gst_elf_merge_set_caps(GstBaseTransform* transform, GstCaps* incaps, GstCaps*) {
  return elf::gst::guarded(GST_ELEMENT(transform), FALSE, [&]() -> gboolean {
    GstVideoInfo info;
    if (!gst_video_info_from_caps(&info, incaps)) return FALSE;
    mergerOf(transform).setInfo(info);
    return TRUE;
  });
}

static gboolean gst_elf_merge_sink_event(GstBaseTransform* transform, GstEvent* event) {
  elf::gst::guarded(GST_ELEMENT(transform), [&] {
    if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) mergerOf(transform).forget();
  });
  return GST_BASE_TRANSFORM_CLASS(gst_elf_merge_parent_class)->sink_event(transform, event);
}

static gboolean gst_elf_merge_propose_allocation(GstBaseTransform* transform, GstQuery*,
                                                 GstQuery* query) {
  return elf::gst::forwardAllocation(GST_BASE_TRANSFORM_SRC_PAD(transform), query);
}

static GstFlowReturn gst_elf_merge_transform_ip(GstBaseTransform* transform, GstBuffer* buffer) {
  return elf::gst::guarded(GST_ELEMENT(transform), GST_FLOW_ERROR,
                           [&] { return mergerOf(transform).merge(buffer); });
}

static void gst_elf_merge_init(GstElfMerge* self) {
  self->merger = new Merger(GST_BASE_TRANSFORM(self));
  gst_base_transform_set_in_place(GST_BASE_TRANSFORM(self), TRUE);
  gst_base_transform_set_qos_enabled(GST_BASE_TRANSFORM(self), FALSE);
}

static void gst_elf_merge_finalize(GObject* object) {
  delete GST_ELF_MERGE(object)->merger;
  G_OBJECT_CLASS(gst_elf_merge_parent_class)->finalize(object);
}

static void installSwitch(GObjectClass* klass, Property id, const char* name, const char* nick,
                          const char* blurb, bool initially) {
  g_object_class_install_property(
      klass, id,
      g_param_spec_boolean(name, nick, blurb, initially,
                           static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                    GST_PARAM_MUTABLE_PLAYING)));
}

static void gst_elf_merge_class_init(GstElfMergeClass* klass) {
  auto* object = G_OBJECT_CLASS(klass);
  auto* element = GST_ELEMENT_CLASS(klass);
  auto* transform = GST_BASE_TRANSFORM_CLASS(klass);

  object->set_property = gst_elf_merge_set_property;
  object->get_property = gst_elf_merge_get_property;
  object->finalize = gst_elf_merge_finalize;

  const Settings initial;
  installSwitch(object, kDrawBoxes, "draw-boxes", "Draw boxes",
                "Draw an outline around each detection, a colour for each identity; grey where it "
                "is coasted",
                initial.paint.boxes);
  installSwitch(
      object, kDrawLabels, "draw-labels", "Draw labels",
      "Draw label and score of each detection on a bar of its colour, in letters of 2 % of "
      "the frame's height, 12 pixels at least",
      initial.paint.labels);
  installSwitch(object, kDrawMasks, "draw-masks", "Draw masks",
                "Colour the pixels of each object, 40 % opaque, where the model tells its mask",
                initial.paint.masks);
  installSwitch(
      object, kDrawKeypoints, "draw-keypoints", "Draw keypoints",
      "Draw the joints of each object that are seen, from a visibility of 0.3 on, and the "
      "bones between them, where the model tells them",
      initial.paint.keypoints);
  installSwitch(object, kDrawRps, "draw-rps", "Draw region proposals",
                "Draw a dashed outline around each region where an object was expected",
                initial.paint.rps);
  installSwitch(
      object, kDrawParts, "draw-parts", "Draw parts",
      "Draw an outline around each part that was sent, with the URL of its server, without "
      "scheme",
      initial.paint.parts);
  installSwitch(object, kDrawStatistics, "draw-statistics", "Draw statistics",
                "Draw a line at the bottom: milliseconds since the frame entered the first Elf "
                "element, kilobytes sent for it, objects, parts",
                initial.paint.statistics);
  installSwitch(object, kPostMessages, "post-messages", "Post messages",
                "Post an element message 'elf-result' on the bus for each frame",
                initial.postMessages);
  installSwitch(object, kReportMissed, "report-missed", "Report missed",
                "Report objects that are still expected but were not found in this frame, too, "
                "marked as coasted",
                initial.reportMissed);
  g_object_class_install_property(
      object, kDoubles,
      g_param_spec_enum("doubles", "Doubles",
                        "What becomes of two boxes that two parts made of one object",
                        gst_elf_doubles_get_type(), static_cast<int>(initial.doubles),
                        static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                 GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      object, kResultsLocation,
      g_param_spec_string("results-location", "Results location",
                          "File to append one line of JSON to for each frame; none or empty: no "
                          "file",
                          nullptr,
                          static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_READY)));
  g_object_class_install_property(
      object, kIndexing,
      g_param_spec_enum("indexing", "Indexing",
                        "How to tell which detection is which object of the frames before",
                        gst_elf_indexing_get_type(), initial.indexing,
                        static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                 GST_PARAM_MUTABLE_READY)));

  g_object_class_install_property(
      object, kStats,
      g_param_spec_boxed("stats", "Statistics",
                         "Counts since the start: frames; bare, those without a record; "
                         "detections, and coasted among them; unanswered parts; merge-us and "
                         "total-us, microseconds spent here, and since the first Elf element",
                         GST_TYPE_STRUCTURE,
                         static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));

  gst_element_class_set_static_metadata(
      element, "Elf merge", "Filter/Analyzer/Video",
      "Merges the answers of the servers into the detections of the frame, draws and reports them",
      "The Elf for GStreamer authors");
  elf::gst::addVideoPads(element);
  for (const GType type : {gst_elf_indexing_get_type(), gst_elf_doubles_get_type()})
    gst_type_mark_as_plugin_api(type, static_cast<GstPluginAPIFlags>(0));

  transform->start = GST_DEBUG_FUNCPTR(gst_elf_merge_start);
  transform->stop = GST_DEBUG_FUNCPTR(gst_elf_merge_stop);
  transform->set_caps = GST_DEBUG_FUNCPTR(gst_elf_merge_set_caps);
  transform->sink_event = GST_DEBUG_FUNCPTR(gst_elf_merge_sink_event);
  transform->propose_allocation = GST_DEBUG_FUNCPTR(gst_elf_merge_propose_allocation);
  transform->transform_ip = GST_DEBUG_FUNCPTR(gst_elf_merge_transform_ip);
}
