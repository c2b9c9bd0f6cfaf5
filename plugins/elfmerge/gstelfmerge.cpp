// SPDX-License-Identifier: LGPL-2.1-or-later
// elfmerge: draws and reports the detections of each frame.

/**
 * SECTION:element-elfmerge
 *
 * Draws and reports the detections of each frame. The loop merges the servers' answers as soon as
 * they arrive, before the frame gets here. This element's properties state how.
 *
 * |[
 * gst-launch-1.0 filesrc location=vtest.avi ! decodebin ! videoconvert ! elfrppredict !
 *     elfpartition ! elfoffload servers=http://127.0.0.1:8000 model=hog !
 *     elfmerge results-location=vtest.jsonl ! videoconvert ! autovideosink
 * ]| Shows the video with boxes drawn in, and writes what was found in each frame to a file.
 *
 * - A frame without a record, or with a record for another size, passes unchanged.
 * - Pixels are touched only where something is drawn. A shared frame is copied first.
 * - Of several elfmerge after a tee, the first one states how answers are merged. An elfmerge after
 *   a funnel states it for all streams that arrive.
 */
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "elf/base/error.h"
#include "elf/base/line_file.h"
#include "elf/base/mutex.h"
#include "elf/merge/merge.h"
#include "elf/predict/indexing.h"
#include "elf/record/frame_fields.h"
#include "elf/render/painter.h"
#include "gst/elfvision/gstelfanalytics.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfref.h"
#include "gst/elfvision/gstelfresult.h"
#include "gst/elfvision/gstelfstream.h"
#include "gst/elfvision/gstelftransform.h"

GST_DEBUG_CATEGORY_STATIC(elfmerge_debug);
#define GST_CAT_DEFAULT elfmerge_debug

namespace {

using Clock = std::chrono::steady_clock;
using elf::gst::StreamPtr;

// --- settings and state
// Locks: settingsMutex_ guards Settings, stateMutex_ guards State. stateMutex_ comes before
// settingsMutex_ and before the locks of lib/. resultsMutex_ comes before none. None is held while
// pushing, querying or posting.

enum Metas { kAuto, kRoi, kAnalytics, kBoth, kNoMetas };

std::span<const elf::Choice> metasChoices() {
  static constexpr elf::Choice kChoices[] = {
      {"auto", "Both where this build of Elf has GStreamer's analytics library, else roi"},
      {"roi", "GstVideoRegionOfInterestMeta"},
      {"analytics", "GstAnalyticsRelationMeta"},
      {"both", "Both"},
      {"none", "None"},
  };
  return kChoices;
}

struct Settings {
  elf::PaintOptions paint;
  int metas = kAuto;
  bool postMessages = false;
  /** An elf::MergeMode, for the loop. */
  int mergeMode = static_cast<int>(elf::MergeMode::Nms);
  /** For the loop. */
  bool acrossClasses = false;
  bool reportMissed = false;
  /** Index into indexerChoices(), for the loop. */
  int indexing = 0;
  /** Empty: no file. */
  std::string resultsLocation;
};

/** A stream whose frames arrive here. */
struct Source {
  std::weak_ptr<elf::Stream> stream;
  /** The element observes its answered frames. */
  bool asked = false;
  /** The value of State::came at its last frame. */
  std::uint64_t last = 0;
  /** Its newest frame that arrived, and the frames that were reported but have not arrived: at most
   * the newest kMostAwaited. */
  std::optional<std::uint64_t> newest;
  std::set<std::uint64_t> told;
};
constexpr std::size_t kMostAwaited = 1000;
/** Several streams may arrive through a funnel. A stream is released once this many frames of
 * others arrived and none of its own, as behind an input-selector. */
constexpr std::uint64_t kPatience = 100;

/** Since the start. */
struct State {
  bool started = false;
  std::vector<Source> sources;
  /** The frames of all streams so far. */
  std::uint64_t came = 0;

  // The counts for `stats`.
  std::uint64_t frames = 0, bare = 0, detections = 0, coasted = 0, kept = 0, unanswered = 0;
  elf::Microseconds merge{0}, total{0};
};

/** Throws elf::Error naming the property and the file. */
std::unique_ptr<elf::LineFile> openResults(const std::string& location) {
  try {
    return std::make_unique<elf::LineFile>(location);
  } catch (const elf::Error& error) {
    throw elf::Error("results-location", error.what());
  }
}

std::optional<std::int64_t> ptsOf(GstBuffer* buffer) {
  if (!GST_BUFFER_PTS_IS_VALID(buffer)) return std::nullopt;
  return static_cast<std::int64_t>(GST_BUFFER_PTS(buffer));
}

void setTimings(elf::FrameRecord& record, elf::Microseconds loop, Clock::time_point begin) {
  const Clock::time_point now = Clock::now();
  record.timings.merge = loop + std::chrono::duration_cast<elf::Microseconds>(now - begin);
  record.timings.total = std::chrono::duration_cast<elf::Microseconds>(now - record.entered);
}

class Merger : public elf::gst::TransformElement<Merger, Settings> {
 public:
  using TransformElement::TransformElement;

  // --- properties

  static std::span<const Property> properties() {
    static constexpr Property kProperties[] = {
        {"draw-boxes", "Draw boxes", kPlaying, Boolean{ELF_SETTING(paint.boxes)},
         "Draw an outline around each detection in a colour per identity; coasted detections are "
         "grey"},
        {"draw-labels", "Draw labels", kPlaying, Boolean{ELF_SETTING(paint.labels)},
         "Draw label and score of each detection, in letters 2 % of the frame's height, at least "
         "12 pixels"},
        {"draw-masks", "Draw masks", kPlaying, Boolean{ELF_SETTING(paint.masks)},
         "Draw the mask of each object, 40 % opaque, if the model has masks"},
        {"draw-keypoints", "Draw keypoints", kPlaying, Boolean{ELF_SETTING(paint.keypoints)},
         "Draw the joints of each object with a visibility of at least 0.3 and the bones between "
         "them, if the model has joints"},
        {"draw-rps", "Draw region proposals", kPlaying, Boolean{ELF_SETTING(paint.rps)},
         "Draw a dashed outline around each region proposal"},
        {"draw-parts", "Draw parts", kPlaying, Boolean{ELF_SETTING(paint.parts)},
         "Draw an outline around each part, with the address of its server"},
        {"draw-statistics", "Draw statistics", kPlaying, Boolean{ELF_SETTING(paint.statistics)},
         "Draw a line of statistics at the bottom: milliseconds since the frame entered the first "
         "Elf element, kilobytes sent, objects, parts"},
        {"metas", "Metas", kReady, Enum{ELF_SETTING(metas), "GstElfMetas", metasChoices},
         "Which metas report the detections of a frame"},
        {"post-messages", "Post messages", kPlaying, Boolean{ELF_SETTING(postMessages)},
         "Post an element message 'elf-result' on the bus for each frame as soon as it is "
         "answered"},
        {"results-location", "Results location", kReady,
         OptionalString{ELF_SETTING(resultsLocation)},
         "File to append one line of JSON per frame to (unset = no file)"},
        {"indexing", "Indexing", kReady,
         Enum{ELF_SETTING(indexing), "GstElfIndexing", elf::indexerChoices},
         "Method that matches detections to the objects of earlier frames", &Merger::askAgain},
        {"merge-mode", "Merge mode", kPlaying,
         Enum{ELF_SETTING(mergeMode), "GstElfMergeMode", elf::mergeModeChoices},
         "What to do with two boxes of one object that two parts found", &Merger::askAgain},
        {"across-classes", "Across classes", kPlaying, Boolean{ELF_SETTING(acrossClasses)},
         "Also merge boxes of different classes that two parts found, as for a van that is a car "
         "in one part and a truck in another",
         &Merger::askAgain},
        {"report-missed", "Report missed", kPlaying, Boolean{ELF_SETTING(reportMissed)},
         "Also report objects that are expected but were not found in this frame, marked as "
         "coasted"},
        {"stats", "Statistics", kReadOnly, Statistics{&Merger::stats},
         "Counts since start: frames; bare (frames without a record); detections; coasted and kept "
         "(among the detections); unanswered (parts); merge-us (microseconds spent merging and "
         "drawing); "
         "total-us (microseconds since the first Elf element)"},
    };
    return kProperties;
  }

  // --- data flow

  GstFlowReturn transform(GstBuffer* buffer) {
    const Clock::time_point begin = Clock::now();
    elf::FrameRecordPtr arrived = elf::gst::carriedRecord(element_, buffer, size(), warnedOfSize_);
    // carriedRecord() reports a record that does not fit.
    if (arrived ? !arrived->answered : !elf::gst::getRecord(buffer)) warnOfBare();
    if (!arrived) {
      const elf::MutexLock lock(stateMutex_);
      ++state_.bare;
      return GST_FLOW_OK;
    }
    const StreamPtr stream = arrived->stream.lock();
    if (stream && !comesFrom(stream)) ask(stream);
    const Settings now = settings();
    // The element did not observe the stream when the frame was answered.
    if (stream && arrived->answered && !takeTold(stream, arrived->id) && now.postMessages)
      post(*arrived, now);

    arrived.reset();
    elf::FrameRecord record = elf::gst::takeRecord(buffer);
    elf::gst::restoreRegions(buffer, record);
    if (now.reportMissed) elf::addMissed(record);

    // The statistics line shows these timings. They can't include all of the drawing.
    const elf::Microseconds loop = record.timings.merge;
    setTimings(record, loop, begin);
    if (!paint(buffer, record, now.paint)) return GST_FLOW_ERROR;
    setTimings(record, loop, begin);

    count(record);
    if (roi_) elf::gst::replaceRegions(buffer, record);
    if (analytics_) elf::gst::addAnalytics(buffer, record);
    write(record, ptsOf(buffer));
    elf::gst::setRecord(buffer, std::make_shared<elf::FrameRecord>(std::move(record)));
    return GST_FLOW_OK;
  }

  // --- events and queries

  // Other elements may need the stream, too: a tee stops asking once an element answers.
  bool sinkQuery(GstQuery* query) {
    if (const StreamPtr offered = elf::gst::parseStreamQuery(query)) ask(offered);
    return false;
  }

  // --- signals

  /** Any thread. */
  void reopenResults() {
    try {
      const elf::MutexLock lock(resultsMutex_);
      if (results_) results_ = openResults(results_->name());
    } catch (const elf::Error& error) {
      GST_ELEMENT_WARNING(element_, RESOURCE, OPEN_WRITE,
                          ("%s; the old file is written on.", error.what()), (nullptr));
    }
  }

  // --- state changes

  void start() {
    const Settings now = settings();
    chooseMetas(now.metas);
    if (!now.resultsLocation.empty()) {
      const elf::MutexLock lock(resultsMutex_);
      results_ = openResults(now.resultsLocation);
    }
    warnedOfBare_ = warnedOfSize_ = warnedOfOther_ = false;
    const elf::MutexLock lock(stateMutex_);
    state_ = {.started = true};
  }

  void stop() {
    {
      const elf::MutexLock lock(resultsMutex_);
      results_.reset();
    }
    const std::vector<StreamPtr> streams = askedStreams();
    const elf::MutexLock lock(stateMutex_);
    state_.started = false;
    for (Source& source : state_.sources) release(source);
    state_.sources.clear();
  }

 private:
  void chooseMetas(int metas) {
    const bool known = elf::gst::hasAnalytics();
    if ((metas == kAnalytics || metas == kBoth) && !known)
      throw elf::Error("metas", std::string("can't be ") +
                                    metasChoices()[static_cast<std::size_t>(metas)].name +
                                    ": Elf was built without GStreamer's analytics library, which "
                                    "GStreamer has from version 1.24 on (auto, roi or none)");
    roi_ = metas == kAuto || metas == kRoi || metas == kBoth;
    analytics_ = metas == kAnalytics || metas == kBoth || (metas == kAuto && known);
  }

  GstStructure* stats() {
    const elf::MutexLock lock(stateMutex_);
    GstStructure* stats = gst_structure_new_empty("elf-merge-stats");
    elf::gst::addCounts(stats, "frames", state_.frames, "bare", state_.bare, "detections",
                        state_.detections, "coasted", state_.coasted, "kept", state_.kept,
                        "unanswered", state_.unanswered, "merge-us", state_.merge.count(),
                        "total-us", state_.total.count());
    return stats;
  }

  // The pipeline was built wrongly.
  void warnOfBare() {
    if (std::exchange(warnedOfBare_, true)) return;
    GST_ELEMENT_WARNING(element_, STREAM, FAILED,
                        ("A frame comes from no elfoffload: nothing was inferred."),
                        ("It belongs before this element."));
  }

  bool paint(GstBuffer* buffer, elf::FrameRecord& record, const elf::PaintOptions& options) {
    // Earlier stages that did not draw, so that later stages infer unchanged pixels.
    std::vector<const elf::FrameRecord*> undrawn;
    for (const elf::FrameRecord* each = &record; !each->drawn && each->before;
         each = each->before.get())
      if (!each->before->drawn) undrawn.push_back(each->before.get());
    elf::PaintOptions ofEarlier = options;
    ofEarlier.rps = ofEarlier.parts = ofEarlier.statistics = false;
    std::erase_if(undrawn, [&](const auto* each) { return !paintsAnything(*each, ofEarlier); });
    const bool own = elf::paintsAnything(record, options);
    if (!own && undrawn.empty()) return true;
    std::optional<elf::gst::MappedFrame> frame =
        elf::gst::MappedFrame::map(info_, buffer, GST_MAP_READWRITE);
    if (!frame) {
      GST_ELEMENT_ERROR(element_, STREAM, FAILED, ("A frame could not be mapped for drawing."),
                        ("%" GST_PTR_FORMAT, buffer));
      return false;
    }
    for (const auto* each : std::views::reverse(undrawn))
      painter_.paint(*each, ofEarlier, frame->mutableView());
    if (own) painter_.paint(record, options, frame->mutableView());
    record.drawn |= options.boxes || options.labels || options.masks || options.keypoints;
    return true;
  }

  // A line that can't be written is missing, but the frame goes on.
  void write(const elf::FrameRecord& record, std::optional<std::int64_t> ptsNs) {
    std::string news;
    std::error_code failure;
    {
      const elf::MutexLock lock(resultsMutex_);
      if (!results_) return;
      news = results_->append(elf::toJsonLine(record, ptsNs));
      failure = results_->failure();
    }
    if (news.empty()) return;
    if (failure == std::errc::no_space_on_device)
      GST_ELEMENT_WARNING(element_, RESOURCE, NO_SPACE_LEFT, ("results-location: %s", news.c_str()),
                          (nullptr));
    else if (failure)
      GST_ELEMENT_WARNING(element_, RESOURCE, WRITE, ("results-location: %s", news.c_str()),
                          (nullptr));
    else
      GST_ELEMENT_INFO(element_, RESOURCE, WRITE, ("results-location: %s", news.c_str()),
                       (nullptr));
  }

  void count(const elf::FrameRecord& record) {
    const auto coasted = std::ranges::count(record.detections, true, &elf::Detection::coasted);
    const auto kept = std::ranges::count(record.detections, true, &elf::Detection::kept);
    const auto answered =
        std::ranges::count(record.answers, elf::AnswerState::Answered, &elf::PartAnswer::state);
    GST_LOG_OBJECT(element_,
                   "%s: %d detections, %d coasted, %d kept, %d of %d parts answered, %.1f ms",
                   record.name().c_str(), static_cast<int>(record.detections.size()),
                   static_cast<int>(coasted), static_cast<int>(kept), static_cast<int>(answered),
                   static_cast<int>(record.answers.size()),
                   static_cast<double>(record.timings.total.count()) * 1e-3);
    const elf::MutexLock lock(stateMutex_);
    ++state_.frames;
    state_.detections += record.detections.size();
    state_.coasted += static_cast<guint64>(coasted);
    state_.kept += static_cast<guint64>(kept);
    state_.unanswered += record.answers.size() - static_cast<std::size_t>(answered);
    state_.merge += record.timings.merge;
    state_.total += record.timings.total;
  }

  // --- the streams whose frames arrive here

  // Notes the arrival of a frame. False if its stream must be asked.
  bool comesFrom(const StreamPtr& stream) {
    const elf::MutexLock lock(stateMutex_);
    ++state_.came;
    for (Source& each : state_.sources)
      if (each.asked && state_.came > each.last + kPatience) release(each);
    Source* source = sourceOf(stream);
    if (source) source->last = state_.came;
    return source && source->asked;
  }

  // Asks the loop to merge by the properties, and to report its results.
  void ask(const StreamPtr& stream) {
    // A running callback keeps the element alive.
    const std::shared_ptr<GstElement> kept = elf::shared(element_);
    {
      const elf::MutexLock lock(stateMutex_);
      // A stream that is offered after stop() would never be released.
      if (!state_.started) return;
      std::erase_if(state_.sources, [](const Source& each) { return each.stream.expired(); });
      Source* source = sourceOf(stream);
      if (!source) source = &state_.sources.emplace_back(Source{.stream = stream});
      source->asked = true;
      source->last = state_.came;
      stream->observe(this, [this, kept](const elf::FrameRecordPtr& record) {
        elf::gst::guarded(element_, [&] { tell(*record); });
      });
      const Settings now = settings();
      if (stream->setMerging(this, {.mode = static_cast<elf::MergeMode>(now.mergeMode),
                                    .acrossClasses = now.acrossClasses,
                                    .indexing = now.indexing}) ||
          warnedOfOther_.exchange(true))
        return;
    }
    GST_ELEMENT_WARNING(element_, STREAM, FAILED,
                        ("Another elfmerge has said how the frames are to be merged."),
                        ("merge-mode, across-classes and indexing of this one do nothing"));
  }

  void askAgain() {
    for (const StreamPtr& stream : askedStreams()) ask(stream);
  }

  // Posts results as soon as they are known, before the frame arrives here.
  void tell(const elf::FrameRecord& answered) {
    const Settings now = settings();
    const StreamPtr stream = answered.stream.lock();
    if (!now.postMessages || !stream) return;
    {
      const elf::MutexLock lock(stateMutex_);
      Source* source = sourceOf(stream);
      if (!source) return;
      source->told.insert(answered.id);
      if (source->told.size() > kMostAwaited) source->told.erase(source->told.begin());
    }
    post(answered, now);
  }

  // Whether an arriving frame was reported already. A frame that arrives again was.
  bool takeTold(const StreamPtr& stream, std::uint64_t id) {
    const elf::MutexLock lock(stateMutex_);
    Source* source = sourceOf(stream);
    if (!source) return true;
    const bool told = source->told.contains(id) || (source->newest && id <= *source->newest);
    source->told.erase(source->told.begin(), source->told.upper_bound(id));
    source->newest = std::max(source->newest.value_or(id), id);
    return told;
  }

  void post(const elf::FrameRecord& answered, const Settings& now) {
    elf::FrameRecord record = answered;
    if (now.reportMissed) elf::addMissed(record);
    setTimings(record, record.timings.merge, Clock::now());
    std::optional<std::int64_t> ptsNs;
    if (record.pts) ptsNs = record.pts->count();
    GstStructure* structure = elf::gst::newResultStructure(record, ptsNs);
    gst_element_post_message(element_, gst_message_new_element(GST_OBJECT(element_), structure));
  }

  std::vector<StreamPtr> askedStreams() {
    const elf::MutexLock lock(stateMutex_);
    std::vector<StreamPtr> streams;
    for (const Source& source : state_.sources)
      if (StreamPtr stream = source.stream.lock(); stream && source.asked)
        streams.push_back(std::move(stream));
    return streams;
  }

  // Null if the stream is unknown.
  Source* sourceOf(const StreamPtr& stream) ELF_REQUIRES(stateMutex_) {
    const auto source = std::ranges::find_if(
        state_.sources, [&](const Source& each) { return each.stream.lock() == stream; });
    return source != state_.sources.end() ? &*source : nullptr;
  }

  void release(Source& source) ELF_REQUIRES(stateMutex_) {
    if (const StreamPtr stream = source.stream.lock()) stream->release(this);
    source.asked = false;
  }

  // Belong to the streaming thread.
  elf::Painter painter_;
  bool roi_ = true, analytics_ = false;
  bool warnedOfBare_ = false, warnedOfSize_ = false;

  /** Held while a line is written. */
  elf::Mutex resultsMutex_;
  std::unique_ptr<elf::LineFile> results_ ELF_GUARDED_BY(resultsMutex_);

  std::atomic<bool> warnedOfOther_ = false;
  elf::Mutex stateMutex_;
  State state_ ELF_GUARDED_BY(stateMutex_);
};

}  // namespace

// --- class init

using GstElfMerge = elf::gst::TransformInstance<Merger>;
using GstElfMergeClass = GstBaseTransformClass;
G_DEFINE_TYPE_WITH_CODE(GstElfMerge, gst_elf_merge, GST_TYPE_BASE_TRANSFORM,
                        GST_DEBUG_CATEGORY_INIT(elfmerge_debug, "elfmerge", 0,
                                                "Elf: shows and reports detections"))
GST_ELEMENT_REGISTER_DEFINE(elfmerge, "elfmerge", GST_RANK_NONE, gst_elf_merge_get_type())

using Glue = elf::gst::TransformGlue<Merger, &gst_elf_merge_parent_class>;

static void gst_elf_merge_init(GstElfMerge* self) {
  Glue::init(self);
}

static void gst_elf_merge_class_init(GstElfMergeClass* klass) {
  Glue::install(klass);
  /**
   * GstElfMerge::reopen-results:
   *
   * Opens the file of `results-location` anew, without losing a line, after another program has
   * moved it. A warning is posted if that fails.
   */
  g_signal_new_class_handler("reopen-results", G_TYPE_FROM_CLASS(klass),
                             static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION),
                             G_CALLBACK(+[](GstElfMerge* self) {
                               elf::gst::guarded(GST_ELEMENT(self),
                                                 [self] { self->element->reopenResults(); });
                             }),
                             nullptr, nullptr, nullptr, G_TYPE_NONE, 0);
  gst_element_class_set_static_metadata(
      GST_ELEMENT_CLASS(klass), "Elf merge", "Filter/Analyzer/Video",
      "Sets how answers of the servers become the frame's detections, draws and reports them",
      "The Elf for GStreamer authors");
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, elfmerge,
                  "Elf: from the answers of the servers to the detections of a frame",
                  gst_element_register_elfmerge, ELF_VERSION, "LGPL", PACKAGE,
                  "Unknown package origin")
