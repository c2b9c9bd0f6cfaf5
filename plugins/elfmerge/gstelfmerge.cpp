// SPDX-License-Identifier: LGPL-2.1-or-later
// elfmerge: shows and reports what was found in each frame.

/**
 * SECTION:element-elfmerge
 *
 * Draws and reports the detections of each frame. The answers of the servers are merged as soon as
 * they are there, before the frame comes here; how, this element's properties say.
 *
 * |[
 * gst-launch-1.0 filesrc location=vtest.avi ! decodebin ! videoconvert ! elfrppredict !
 *     elfpartition ! elfoffload servers=http://127.0.0.1:8000 model=hog !
 *     elfmerge results-location=vtest.jsonl ! videoconvert ! autovideosink
 * ]| Shows the video with boxes drawn in, and writes what was found in each frame to a file.
 *
 * - A frame without a record, or whose record is for another size, passes as it is.
 * - Pixels are touched only where something is drawn; a frame shared with others is copied then.
 * - Of several elfmerge behind a tee the first one says how answers are merged. One behind a funnel
 *   says it for all streams that come through.
 */
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "elf/merge/merge.h"
#include "elf/predict/indexing.h"
#include "elf/record/json_line.h"
#include "elf/render/painter.h"
#include "gst/elfvision/gstelfchoice.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfresult.h"
#include "gst/elfvision/gstelfstream.h"
#include "gst/elfvision/gstelftransform.h"

GST_DEBUG_CATEGORY_STATIC(elfmerge_debug);
#define GST_CAT_DEFAULT elfmerge_debug

namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  elf::PaintOptions paint;
  bool postMessages = false;
  /** An elf::Doubles, for the loop. */
  int doubles = static_cast<int>(elf::Doubles::Drop);
  bool reportMissed = false;
  /** Index into indexerChoices(), for the loop. */
  int indexing = 0;
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

class Merger : public elf::gst::SettingsHolder<Settings> {
 public:
  explicit Merger(GstBaseTransform* element) : element_(element) {}

  static const elf::gst::PropertyTable<Settings>& properties();

  void changed(const char*) {
    for (const elf::gst::StreamPtr& stream : askedStreams()) ask(stream);
  }

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
    if (!now.resultsLocation.empty()) results_ = std::make_unique<ResultsFile>(now.resultsLocation);
    warnedOfBare_ = warnedOfSize_ = warnedOfOther_ = false;
    const std::lock_guard lock(mutex_);
    stats_ = {};
    started_ = true;
  }
  void stop() {
    results_.reset();
    const std::vector<elf::gst::StreamPtr> streams = askedStreams();
    const std::lock_guard lock(mutex_);
    started_ = false;
    for (Source& source : sources_) release(source);
    sources_.clear();
  }
  void unblock() {}
  void setInfo(const GstVideoInfo& info) { info_ = info; }
  void sinkEvent(GstEvent*) {}
  void srcEvent(GstEvent*) {}

  // Others may want to hear of the stream, too: a tee asks until one has answered.
  bool sinkQuery(GstQuery* query) {
    if (const elf::gst::StreamPtr offered = elf::gst::parseStreamQuery(query)) ask(offered);
    return false;
  }

  GstFlowReturn transform(GstBuffer* buffer) {
    const Clock::time_point begin = Clock::now();
    const elf::Size size{GST_VIDEO_INFO_WIDTH(&info_), GST_VIDEO_INFO_HEIGHT(&info_)};
    elf::FrameRecordPtr arrived =
        elf::gst::carriedRecord(GST_ELEMENT(element_), buffer, size, warnedOfSize_);
    // Of one that does not fit carriedRecord() tells.
    if (arrived ? !arrived->answered : !elf::gst::getRecord(buffer)) warnOfBare();
    if (!arrived) {
      const std::lock_guard lock(mutex_);
      ++stats_.bare;
      return GST_FLOW_OK;
    }
    const elf::gst::StreamPtr stream = arrived->stream.lock();
    if (stream && !comesFrom(stream)) ask(stream);
    const Settings now = settings();
    // Where nobody listened to the stream when it was answered.
    if (stream && arrived->answered && !takeTold(stream, arrived->id) && now.postMessages)
      post(*arrived, now);

    arrived.reset();
    elf::FrameRecord record = elf::gst::takeRecord(buffer);
    elf::gst::restoreRegions(buffer, record);
    if (now.reportMissed) elf::addMissed(record);

    // What the statistics line tells: drawing is not over when it is drawn.
    const elf::Microseconds loop = record.timings.merge;
    setTimings(record, loop, begin);
    if (!paint(buffer, record, now.paint)) return GST_FLOW_ERROR;
    setTimings(record, loop, begin);

    count(record);
    elf::gst::replaceRegions(buffer, record);
    const bool written = !results_ || write(record, ptsOf(buffer));
    elf::gst::setRecord(buffer, std::make_shared<elf::FrameRecord>(std::move(record)));
    return written ? GST_FLOW_OK : GST_FLOW_ERROR;
  }

 private:
  /** Since the start. */
  struct Stats {
    guint64 frames = 0, bare = 0, detections = 0, coasted = 0, unanswered = 0;
    elf::Microseconds merge{0}, total{0};
  };

  /** A stream whose frames come here. */
  struct Source {
    std::weak_ptr<elf::Stream> stream;
    /** It tells of its frames when they are answered. */
    bool asked = false;
    /** Of all frames that have come, which its last one was. */
    guint64 last = 0;
    /** Its newest frame that has come, and those that were told of and have not; of more than
     * kMostAwaited the newest. */
    std::optional<std::uint64_t> newest;
    std::set<std::uint64_t> told;
  };
  static constexpr std::size_t kMostAwaited = 1000;
  /** Several streams may come through a funnel. One is listened to until so many frames of others
   * have come and none of its own, as behind an input-selector. */
  static constexpr guint64 kPatience = 100;

  // With mutex_ held; null where nothing is known of the stream.
  Source* sourceOf(const elf::gst::StreamPtr& stream) {
    const auto source = std::ranges::find_if(
        sources_, [&](const Source& each) { return each.stream.lock() == stream; });
    return source != sources_.end() ? &*source : nullptr;
  }

  // With mutex_ held.
  void release(Source& source) {
    if (const elf::gst::StreamPtr stream = source.stream.lock()) stream->release(this);
    source.asked = false;
  }

  std::vector<elf::gst::StreamPtr> askedStreams() {
    const std::lock_guard lock(mutex_);
    std::vector<elf::gst::StreamPtr> streams;
    for (const Source& source : sources_)
      if (elf::gst::StreamPtr stream = source.stream.lock(); stream && source.asked)
        streams.push_back(std::move(stream));
    return streams;
  }

  /** A frame has come. False where its stream is to be asked. */
  bool comesFrom(const elf::gst::StreamPtr& stream) {
    const std::lock_guard lock(mutex_);
    ++came_;
    for (Source& each : sources_)
      if (each.asked && came_ > each.last + kPatience) release(each);
    Source* source = sourceOf(stream);
    if (source) source->last = came_;
    return source && source->asked;
  }

  /** Asks the loop to merge as the properties say, and to tell what it found. */
  void ask(const elf::gst::StreamPtr& stream) {
    // Whoever tells of a frame at the moment keeps the element.
    const std::shared_ptr<void> kept(gst_object_ref(element_), gst_object_unref);
    {
      const std::lock_guard lock(mutex_);
      // An offer may come at any time: nobody would release the stream any more.
      if (!started_) return;
      std::erase_if(sources_, [](const Source& each) { return each.stream.expired(); });
      Source* source = sourceOf(stream);
      if (!source) source = &sources_.emplace_back(Source{.stream = stream});
      source->asked = true;
      source->last = came_;
      stream->observe(this, [this, kept](const elf::FrameRecordPtr& record) {
        elf::gst::guarded(GST_ELEMENT(element_), [&] { tell(*record); });
      });
      const Settings now = settings();
      if (stream->setMerging(this, {static_cast<elf::Doubles>(now.doubles), now.indexing}) ||
          warnedOfOther_.exchange(true))
        return;
    }
    GST_ELEMENT_WARNING(element_, STREAM, FAILED,
                        ("Another elfmerge has said how the frames are to be merged."),
                        ("doubles and indexing of this one do nothing"));
  }

  /** Those who only want to know need not wait until the frame comes here. */
  void tell(const elf::FrameRecord& answered) {
    const Settings now = settings();
    const elf::gst::StreamPtr stream = answered.stream.lock();
    if (!now.postMessages || !stream) return;
    {
      const std::lock_guard lock(mutex_);
      Source* source = sourceOf(stream);
      if (!source) return;
      source->told.insert(answered.id);
      if (source->told.size() > kMostAwaited) source->told.erase(source->told.begin());
    }
    post(answered, now);
  }

  /** Whether a frame that comes was told of already; one that comes again was the first time. */
  bool takeTold(const elf::gst::StreamPtr& stream, std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    Source* source = sourceOf(stream);
    if (!source) return true;
    const bool told = source->told.contains(id) || (source->newest && id <= *source->newest);
    source->told.erase(source->told.begin(), source->told.upper_bound(id));
    source->newest = std::max(source->newest.value_or(id), id);
    return told;
  }

  /** Of a pipeline that was put together wrongly. */
  void warnOfBare() {
    if (std::exchange(warnedOfBare_, true)) return;
    GST_ELEMENT_WARNING(element_, STREAM, FAILED,
                        ("A frame comes from no elfoffload: nothing was inferred."),
                        ("It belongs before this element."));
  }

  static void setTimings(elf::FrameRecord& record, elf::Microseconds loop,
                         Clock::time_point begin) {
    const Clock::time_point now = Clock::now();
    record.timings.merge = loop + std::chrono::duration_cast<elf::Microseconds>(now - begin);
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

  bool paint(GstBuffer* buffer, elf::FrameRecord& record, const elf::PaintOptions& options) {
    // Of stages before that did not draw, so that later ones see the picture as it was.
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

  void post(const elf::FrameRecord& answered, const Settings& now) {
    elf::FrameRecord record = answered;
    if (now.reportMissed) elf::addMissed(record);
    setTimings(record, record.timings.merge, Clock::now());
    std::optional<std::int64_t> ptsNs;
    if (record.pts) ptsNs = record.pts->count();
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

  GstBaseTransform* const element_;

  // The streaming thread's.
  GstVideoInfo info_{};
  elf::Painter painter_;
  bool warnedOfBare_ = false, warnedOfSize_ = false;
  std::atomic<bool> warnedOfOther_ = false;
  std::unique_ptr<ResultsFile> results_;

  mutable std::mutex mutex_;
  Stats stats_;
  bool started_ = false;
  std::vector<Source> sources_;
  /** Frames of streams. */
  guint64 came_ = 0;
};

const elf::gst::PropertyTable<Settings>& Merger::properties() {
  using elf::gst::Mutable;
  static const auto* const table = new auto(
      elf::gst::PropertyTable<Settings>()
          .flag("draw-boxes", "Draw boxes",
                "Draw an outline around each detection in a colour per identity; coasted "
                "detections are grey",
                Mutable::Playing, [](Settings& s) -> bool& { return s.paint.boxes; })
          .flag("draw-labels", "Draw labels",
                "Draw label and score of each detection, in letters 2 % of the frame's height, at "
                "least 12 pixels",
                Mutable::Playing, [](Settings& s) -> bool& { return s.paint.labels; })
          .flag("draw-masks", "Draw masks",
                "Draw the mask of each object, 40 % opaque, if the model has masks",
                Mutable::Playing, [](Settings& s) -> bool& { return s.paint.masks; })
          .flag("draw-keypoints", "Draw keypoints",
                "Draw the joints of each object with a visibility of at least 0.3 and the bones "
                "between them, if the model has joints",
                Mutable::Playing, [](Settings& s) -> bool& { return s.paint.keypoints; })
          .flag("draw-rps", "Draw region proposals",
                "Draw a dashed outline around each region proposal", Mutable::Playing,
                [](Settings& s) -> bool& { return s.paint.rps; })
          .flag("draw-parts", "Draw parts",
                "Draw an outline around each part, with the address of its server",
                Mutable::Playing, [](Settings& s) -> bool& { return s.paint.parts; })
          .flag("draw-statistics", "Draw statistics",
                "Draw a line of statistics at the bottom: milliseconds since the frame entered the "
                "first Elf element, kilobytes sent, objects, parts",
                Mutable::Playing, [](Settings& s) -> bool& { return s.paint.statistics; })
          .flag("post-messages", "Post messages",
                "Post an element message 'elf-result' on the bus for each frame as soon as it is "
                "answered",
                Mutable::Playing, [](Settings& s) -> bool& { return s.postMessages; })
          .text("results-location", "Results location",
                "File to append one line of JSON per frame to (unset = no file)", Mutable::Ready,
                [](Settings& s) -> std::string& { return s.resultsLocation; })
          .choice("indexing", "Indexing",
                  "Method that matches detections to the objects of earlier frames", Mutable::Ready,
                  elf::gst::choiceType<elf::indexerChoices>("GstElfIndexing"),
                  [](Settings& s) -> int& { return s.indexing; })
          .choice("doubles", "Doubles",
                  "What to do with two boxes of one object that two parts found", Mutable::Playing,
                  elf::gst::choiceType<elf::doublesChoices>("GstElfDoubles"),
                  [](Settings& s) -> int& { return s.doubles; })
          .flag("report-missed", "Report missed",
                "Also report objects that are expected but were not found in this frame, marked as "
                "coasted",
                Mutable::Playing, [](Settings& s) -> bool& { return s.reportMissed; })
          .stats("Counts since start: frames; bare (frames without a record); detections; coasted "
                 "(among the detections); unanswered (parts); merge-us (microseconds spent merging "
                 "and drawing); total-us (microseconds since the first Elf element)"));
  return *table;
}

}  // namespace

G_BEGIN_DECLS
#define GST_TYPE_ELF_MERGE (gst_elf_merge_get_type())
G_DECLARE_FINAL_TYPE(GstElfMerge, gst_elf_merge, GST, ELF_MERGE, GstBaseTransform)
G_END_DECLS

struct _GstElfMerge {
  GstBaseTransform parent;
  Merger* merger;
};

G_DEFINE_TYPE_WITH_CODE(GstElfMerge, gst_elf_merge, GST_TYPE_BASE_TRANSFORM,
                        GST_DEBUG_CATEGORY_INIT(elfmerge_debug, "elfmerge", 0,
                                                "Elf: shows and reports detections"))
GST_ELEMENT_REGISTER_DEFINE(elfmerge, "elfmerge", GST_RANK_NONE, GST_TYPE_ELF_MERGE)

using Glue =
    elf::gst::TransformGlue<GstElfMerge, Merger, &GstElfMerge::merger, &gst_elf_merge_parent_class>;

static void gst_elf_merge_init(GstElfMerge* self) {
  Glue::init(self);
}

static void gst_elf_merge_class_init(GstElfMergeClass* klass) {
  Glue::install(klass);
  gst_element_class_set_static_metadata(
      GST_ELEMENT_CLASS(klass), "Elf merge", "Filter/Analyzer/Video",
      "Merges the answers of the servers into the detections of the frame, draws and reports them",
      "The Elf for GStreamer authors");
  for (const GType type : {elf::gst::choiceType<elf::indexerChoices>("GstElfIndexing"),
                           elf::gst::choiceType<elf::doublesChoices>("GstElfDoubles")})
    gst_type_mark_as_plugin_api(type, static_cast<GstPluginAPIFlags>(0));
}

static gboolean plugin_init(GstPlugin* plugin) {
  return GST_ELEMENT_REGISTER(elfmerge, plugin);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, elfmerge,
                  "Elf: from the answers of the servers to the detections of a frame", plugin_init,
                  ELF_VERSION, "LGPL", PACKAGE, "Unknown package origin")
