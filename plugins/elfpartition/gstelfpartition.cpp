// SPDX-License-Identifier: LGPL-2.1-or-later
// elfpartition: plans which rectangles of a frame are inferred, and by which server.

/**
 * SECTION:element-elfpartition
 *
 * Writes the plan of each frame into the record that travels with it: the parts to infer, and a
 * server for each. Never changes pixels. elfoffload downstream provides the servers, their speed
 * and load, and the needs of their model. Without one, elfpartition plans for a single server of
 * medium speed.
 *
 * RPs come from elfrppredict. Without it, each GstVideoRegionOfInterestMeta and each
 * GstAnalyticsODMtd on a buffer is an RP. After the first one, a frame without any has no RPs.
 * Before it, the RPs are unknown.
 *
 * - RPs unknown: the whole frame, split over the servers.
 * - RPs known: `partitioner` cuts parts from them, and from places of possible new objects:
 *   - a tile of the frame at times, so that every pixel is inferred every `scan-interval` frames,
 *     twice as often while the camera moves;
 *   - where the picture differs by `change-threshold` from the last time it was inferred there;
 *   - around an object that was lost, and where a server did not answer.
 *   Without RPs and such places, nothing is sent.
 *   An RP is left out, for up to `keep-unchanged`, while its pixels are as they were when its
 *   object was found: that detection is reported again, marked as kept.
 * - Every `lrc-interval` frames: the whole frame at low resolution, too.
 * - `partitioner=grid` always covers the whole frame, whatever the RPs.
 *
 * |[
 * gst-launch-1.0 filesrc location=vtest.avi ! decodebin ! videoconvert ! elfpartition
 * partitioner=grid ! elfoffload servers=http://127.0.0.1:8000,http://127.0.0.1:8001 ! elfmerge !
 * videoconvert ! autovideosink
 * ]| runs sliced inference: each frame in two halves, on two servers at once.
 */

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "elf/base/mutex.h"
#include "elf/partition/partitioner.h"
#include "elf/servers/server_url.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfresult.h"
#include "gst/elfvision/gstelfstream.h"
#include "gst/elfvision/gstelftransform.h"

GST_DEBUG_CATEGORY_STATIC(elfpartition_debug);
#define GST_CAT_DEFAULT elfpartition_debug

namespace {

constexpr int kMostFrames = 10000;
constexpr int kMostMilliseconds = 60000;
/** Along one side of a grid. */
constexpr int kMostCells = 16;

enum Regions { kAuto, kUpstream, kNone };

std::span<const elf::Choice> regionsChoices() {
  static constexpr elf::Choice kChoices[] = {
      {"auto", "Without elfrppredict before: those of other elements, as objects"},
      {"upstream", "Those of other elements and of earlier stages, as places to look at"},
      {"none", "None"},
  };
  return kChoices;
}

// --- settings and state
// Locks: settingsMutex_ guards Settings, stateMutex_ guards State. Both are held briefly, never
// together.

struct Settings : elf::PlanSettings {
  int regions = kAuto;
  /** Empty: any label. */
  std::string regionsLabel;
};

constexpr std::array kKinds{elf::PartKind::Rp, elf::PartKind::Lrc, elf::PartKind::Scan,
                            elf::PartKind::Grid, elf::PartKind::Full};

/** Since the start. */
struct State {
  std::uint64_t frames = 0, cold = 0, empty = 0;
  /** By PartKind. */
  std::array<std::uint64_t, kKinds.size()> parts{};
  double pixels = 0;
  elf::Microseconds time{0};
};

/** Spells a server's address as elfoffload does. Keeps text that is not a URL: no server has it. */
std::string spelled(const std::string& server) {
  if (server.empty()) return {};
  try {
    std::vector<std::string> urls = elf::parseServers(server);
    if (urls.size() == 1) return std::move(urls.front());
  } catch (const elf::Error& error) {
    GST_INFO("lrc-server: %s", error.what());
  }
  return server;
}

class Partition : public elf::gst::TransformElement<Partition, Settings> {
 public:
  explicit Partition(GstBaseTransform* transform) : TransformElement(transform), entry_(element_) {}

  // --- properties

  static std::span<const Property> properties() {
    static constexpr Property kProperties[] = {
        {"partitioner", "Partitioner", kReady,
         Enum{ELF_SETTING(partitioner), "GstElfPartitioner", elf::partitionerChoices},
         "Method that cuts the frame into parts"},
        {"grid-columns", "Grid columns", kPlaying,
         Int{ELF_SETTING(planner.grid.width), 0, kMostCells},
         "With partitioner=grid, cells beside each other; needs grid-rows (0 = a cell for each "
         "server)"},
        {"grid-rows", "Grid rows", kPlaying, Int{ELF_SETTING(planner.grid.height), 0, kMostCells},
         "With partitioner=grid, cells above each other; needs grid-columns (0 = a cell for each "
         "server)"},
        {"scale-large", "Scale large objects", kPlaying, Boolean{ELF_SETTING(planner.scale)},
         "Scale a part down when all its objects are large enough for the model to find them at "
         "the lower resolution (see the model's object-size)"},
        {"scan-interval", "Scan interval", kPlaying,
         Int{ELF_SETTING(planner.discovery.scanInterval), 0, kMostFrames},
         "Scan the whole frame for new objects at least every N frames, twice as often while the "
         "camera moves (0 = off)"},
        {"change-threshold", "Change threshold", kPlaying,
         Int{ELF_SETTING(planner.discovery.changeThreshold), 0, 255},
         "Scan a place for new objects when it has changed by N grey levels since it was last "
         "inferred (0 = off)"},
        {"keep-unchanged", "Keep unchanged", kPlaying,
         Int{ELF_SETTING(keepUnchanged), 0, kMostMilliseconds},
         "For up to N milliseconds, report what was found before instead of inferring a region "
         "again while its pixels do not change (0 = off)"},
        {"lrc-interval", "LRC interval", kPlaying,
         Int{ELF_SETTING(planner.lrcInterval), 0, kMostFrames},
         "Also infer the whole frame at low resolution (LRC) every N frames (0 = never)"},
        {"lrc-ratio", "LRC ratio", kPlaying, Double{ELF_SETTING(planner.lrcRatio), 0.01, 1},
         "Width and height of the low-resolution frame relative to the frame"},
        {"lrc-server", "LRC server", kPlaying,
         OptionalString{ELF_SETTING(planner.lrcServer), spelled},
         "URL of the server that infers the low-resolution frame, one of elfoffload's servers "
         "(unset = the least busy one)"},
        {"regions", "Regions", kPlaying,
         Enum{ELF_SETTING(regions), "GstElfRegions", regionsChoices},
         "Which regions of interest, or detections in analytics metas, of a frame are used as "
         "region proposals"},
        {"regions-label", "Regions label", kPlaying, OptionalString{ELF_SETTING(regionsLabel)},
         "Use only regions of interest and detections of this type (unset = all types)"},
        {"stats", "Statistics", kReadOnly, Statistics{&Partition::stats},
         "Counts since start: frames; cold (frames without known RPs); empty (frames with no "
         "parts); parts-rp, parts-lrc, parts-scan, parts-grid, parts-full; pixels (of all parts, "
         "as sent); partition-us (microseconds spent)"},
    };
    return kProperties;
  }

  // --- data flow

  GstFlowReturn transform(GstBuffer* buffer) {
    const Settings now = settings();
    std::optional<elf::FrameRecord> record;
    if (entry_.onItsWay(buffer, size())) {
      record = elf::gst::takeRecord(buffer);
    } else {
      record =
          entry_.enter(GST_BASE_TRANSFORM_SRC_PAD(transform_), buffer, transform_->segment, info_);
      if (!record) return GST_FLOW_FLUSHING;
      if (now.regions == kAuto) record->rps = rpsOfRegions(buffer, *record, now);
    }
    if (now.regions == kUpstream)
      record->predicted = std::exchange(record->rps, rpsOfRegions(buffer, *record, now));
    if (const elf::gst::StreamPtr stream = record->stream.lock())
      plan(*stream, *record, buffer, now);
    count(*record);
    GST_LOG_OBJECT(element_, "%s: %d parts, %.1f ms expected", record->name().c_str(),
                   record->plan ? static_cast<int>(record->plan->parts.size()) : -1,
                   record->plan ? record->plan->makespan * 1e3 : 0);
    elf::gst::setRecord(buffer, std::make_shared<elf::FrameRecord>(std::move(*record)));
    return GST_FLOW_OK;
  }

  // --- events and queries

  void sinkEvent(GstEvent* event) { entry_.sinkEvent(event); }
  void srcEvent(GstEvent* event) { entry_.srcEvent(event); }

  // --- state changes

  void start() {
    const Settings now = settings();
    entry_.start();
    regionsSeen_ = false;
    warnedOf_.clear();
    {
      const elf::MutexLock lock(stateMutex_);
      state_ = {};
    }
    GST_INFO_OBJECT(
        element_,
        "partitioner %s, scan interval %d frames, change threshold %d, LRC every %d frames at %g "
        "on %s",
        elf::partitionerChoices()[static_cast<std::size_t>(now.partitioner)].name,
        now.planner.discovery.scanInterval, now.planner.discovery.changeThreshold,
        now.planner.lrcInterval, now.planner.lrcRatio,
        now.planner.lrcServer.empty() ? "any server" : now.planner.lrcServer.c_str());
  }

  void stop() { useStream(nullptr); }

  void unblock() { entry_.setStopped(true); }

 private:
  GstStructure* stats() {
    const elf::MutexLock lock(stateMutex_);
    GstStructure* stats = gst_structure_new_empty("elf-partition-stats");
    elf::gst::addCounts(stats, "frames", state_.frames, "cold", state_.cold, "empty", state_.empty,
                        "pixels", state_.pixels, "partition-us", state_.time.count());
    for (const elf::PartKind kind : kKinds)
      elf::gst::addCounts(stats, ("parts-" + std::string(elf::toString(kind))).c_str(),
                          state_.parts[static_cast<std::size_t>(kind)]);
    return stats;
  }

  std::optional<std::vector<elf::Rp>> rpsOfRegions(GstBuffer* buffer,
                                                   const elf::FrameRecord& record,
                                                   const Settings& now) {
    const bool upstream = now.regions == kUpstream;
    std::vector<elf::Rp> rps;
    for (elf::gst::Region& region : elf::gst::regionsOn(buffer, &record)) {
      if (!upstream && region.stage) continue;
      if (!now.regionsLabel.empty() && now.regionsLabel != region.label) continue;
      elf::Rp rp;
      rp.box = elf::clip(region.box, size());
      if (rp.box.empty()) continue;
      if (!upstream) {
        rp.expected = rp.box;
        rp.label = std::move(region.label);
      }
      rps.push_back(std::move(rp));
    }
    regionsSeen_ = regionsSeen_ || upstream || !rps.empty();
    if (!regionsSeen_) return std::nullopt;
    return rps;
  }

  void plan(elf::Stream& stream, elf::FrameRecord& record, GstBuffer* buffer, const Settings& now) {
    const bool compares = now.planner.discovery.changeThreshold > 0 || now.keepUnchanged > 0;
    const auto mapped = compares && !record.skipped
                            ? elf::gst::MappedFrame::map(info_, buffer, GST_MAP_READ)
                            : std::nullopt;
    const elf::ImageView picture = mapped ? mapped->view() : elf::ImageView{};
    useStream(&stream);
    stream.plan(this, record, now, mapped ? &picture : nullptr);
    if (now.planner.lrcInterval > 0 && record.capacity)
      checkLrcServer(now.planner.lrcServer, *record.capacity);
  }

  // Another stream forgets what was planned for it.
  void useStream(elf::Stream* stream) {
    const elf::gst::StreamPtr used = used_.lock();
    if (used.get() == stream) return;
    if (used) used->release(this);
    used_ = stream ? stream->weak_from_this() : std::weak_ptr<elf::Stream>();
  }

  // Warns once about an address that is not one of elfoffload's servers.
  void checkLrcServer(const std::string& url, const elf::Capacity& capacity) {
    if (url.empty() || url == warnedOf_ || capacity.servers.front().url.empty()) return;
    if (std::ranges::find(capacity.servers, url, &elf::ServerState::url) != capacity.servers.end())
      return;
    warnedOf_ = url;
    GST_ELEMENT_WARNING(element_, RESOURCE, NOT_FOUND,
                        ("lrc-server: no server of elfoffload is '%s'.", url.c_str()),
                        ("the low resolution goes to the server with the most time left"));
  }

  void count(const elf::FrameRecord& record) {
    const elf::MutexLock lock(stateMutex_);
    ++state_.frames;
    if (!record.rps) ++state_.cold;
    state_.time += record.timings.partition;
    if (!record.plan) return;
    if (record.plan->parts.empty()) ++state_.empty;
    for (const elf::Part& part : record.plan->parts)
      ++state_.parts[static_cast<std::size_t>(part.kind)];
    state_.pixels += record.plan->sentPixels();
  }

  // Belong to the streaming thread.
  elf::gst::StreamEntry entry_;
  bool regionsSeen_ = false;
  /** The last `lrc-server` that no server had. */
  std::string warnedOf_;
  /** The last one that was planned for. */
  std::weak_ptr<elf::Stream> used_;

  elf::Mutex stateMutex_;
  State state_ ELF_GUARDED_BY(stateMutex_);
};

}  // namespace

// --- class init

using GstElfPartition = elf::gst::TransformInstance<Partition>;
using GstElfPartitionClass = GstBaseTransformClass;
G_DEFINE_TYPE_WITH_CODE(GstElfPartition, gst_elf_partition, GST_TYPE_BASE_TRANSFORM,
                        GST_DEBUG_CATEGORY_INIT(elfpartition_debug, "elfpartition", 0,
                                                "Elf: partition of frames"))
GST_ELEMENT_REGISTER_DEFINE(elfpartition, "elfpartition", GST_RANK_NONE,
                            gst_elf_partition_get_type())

using Glue = elf::gst::TransformGlue<Partition, &gst_elf_partition_parent_class>;

static void gst_elf_partition_init(GstElfPartition* self) {
  Glue::init(self);
}

static void gst_elf_partition_class_init(GstElfPartitionClass* klass) {
  Glue::install(klass);
  gst_element_class_set_static_metadata(
      GST_ELEMENT_CLASS(klass), "Elf partition", "Filter/Analyzer/Video",
      "Plans which parts of each frame are inferred by which server",
      "The Elf for GStreamer authors");
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, elfpartition,
                  "Elf: which parts of a frame are inferred, and where",
                  gst_element_register_elfpartition, ELF_VERSION, "LGPL", PACKAGE,
                  "Unknown package origin")
