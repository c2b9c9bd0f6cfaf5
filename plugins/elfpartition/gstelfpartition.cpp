// SPDX-License-Identifier: LGPL-2.1-or-later
// elfpartition: which rectangles of a frame are inferred, and by which server.

/**
 * SECTION:element-elfpartition
 *
 * Writes the plan of each frame into the record that travels with it: the parts to infer, and a
 * server for each. It never changes pixels. What the servers are, how fast and how busy they are
 * and what their model asks for it learns from elfoffload downstream, by the query `elf-capacity`
 * for each frame; without one it plans for a single server of middling speed.
 *
 * RPs come from elfrppredict. Without it, each GstVideoRegionOfInterestMeta on a buffer is an RP;
 * once one was seen, a frame without any has no RPs, and before that its RPs are unknown.
 *
 * - RPs unknown: the whole frame, split over the servers.
 * - RPs known: what `partitioner` makes of them, and of the places where new objects may be:
 *   - a tile of the frame at times, so that every pixel is looked at every `scan-interval` frames,
 *     twice as often while the camera moves;
 *   - where the picture differs by `change-threshold` from what it was when it was looked at there;
 *   - around an object that was lost, and where a server did not answer.
 *   Where there are neither RPs nor such places, nothing is sent.
 * - Every `lrc-interval` frames: the whole frame at low resolution, too.
 * - `partitioner=grid` covers the whole frame each time, whatever the RPs.
 *
 * |[
 * gst-launch-1.0 filesrc location=vtest.avi ! decodebin ! videoconvert ! elfpartition
 * partitioner=grid ! elfoffload servers=http://127.0.0.1:8000,http://127.0.0.1:8001 ! elfmerge !
 * videoconvert ! autovideosink
 * ]| is sliced inference: each frame in two halves, on two servers at once.
 */

#include "plugins/elfpartition/gstelfpartition.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "elf/discovery/frame_planner.h"
#include "elf/offload/server_url.h"
#include "elf/partition/partitioner.h"
#include "gst/elfvision/gstelfallocation.h"
#include "gst/elfvision/gstelfboundary.h"
#include "gst/elfvision/gstelfchoice.h"
#include "gst/elfvision/gstelfevents.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfrecords.h"
#include "gst/elfvision/gstelfvideo.h"

GST_DEBUG_CATEGORY_STATIC(elfpartition_debug);
#define GST_CAT_DEFAULT elfpartition_debug

namespace {

using std::chrono::steady_clock;

constexpr int kDefaultPartitioner = 0;  // the first of partitionerChoices()
constexpr int kMostFrames = 10000;

/** As elfoffload spells it. What is no URL stays as it is: no server has it. */
std::string spelled(const char* server) {
  if (!server) return {};
  try {
    std::vector<std::string> urls = elf::parseServers(server);
    if (urls.size() == 1) return std::move(urls.front());
  } catch (const elf::Error& error) {
    GST_INFO("lrc-server: %s", error.what());
  }
  return server;
}

class Partition {
 public:
  explicit Partition(GstBaseTransform* element)
      : element_(element), records_(GST_ELEMENT(element)) {}

  struct Settings {
    int partitioner = kDefaultPartitioner;
    elf::FramePlanner::Settings planner;
  };

  Settings settings() {
    const std::lock_guard lock(mutex_);
    return settings_;
  }
  template <typename Change>
  void change(Change&& apply) {
    const std::lock_guard lock(mutex_);
    apply(settings_);
  }

  void start() {
    const Settings settings = this->settings();
    const char* partitioner = elf::partitionerChoices()[settings.partitioner].name;
    planner_ = std::make_unique<elf::FramePlanner>(elf::Partitioner::create(partitioner));
    gst_video_info_init(&info_);
    roisSeen_ = false;
    warnedOf_.clear();
    forget();
    {
      const std::lock_guard lock(mutex_);
      stats_ = {};
    }
    const elf::FramePlanner::Settings& planner = settings.planner;
    GST_INFO_OBJECT(element_,
                    "partitioner %s, scan interval %d frames, change threshold %d, LRC every %d "
                    "frames at %g on %s",
                    partitioner, planner.discovery.scanInterval, planner.discovery.changeThreshold,
                    planner.lrcInterval, planner.lrcRatio,
                    planner.lrcServer.empty() ? "any server" : planner.lrcServer.c_str());
  }

  /** Any thread. */
  GstStructure* stats() {
    const std::lock_guard lock(mutex_);
    GstStructure* structure = gst_structure_new(
        "elf-partition-stats", "frames", G_TYPE_UINT64, stats_.frames, "cold", G_TYPE_UINT64,
        stats_.cold, "empty", G_TYPE_UINT64, stats_.empty, "pixels", G_TYPE_UINT64,
        static_cast<guint64>(stats_.pixels), "partition-us", G_TYPE_UINT64,
        static_cast<guint64>(stats_.time.count()), nullptr);
    for (const elf::PartKind kind : kKinds)
      gst_structure_set(structure, ("parts-" + std::string(elf::toString(kind))).c_str(),
                        G_TYPE_UINT64, stats_.parts[static_cast<std::size_t>(kind)], nullptr);
    return structure;
  }

  /** Streaming thread: after a start, a flush or a change of size. */
  void forget() {
    planner_->forget();
    records_.newGeneration();
    const std::lock_guard lock(mutex_);
    unseen_.clear();
  }

  void setInfo(const GstVideoInfo& info) {
    const bool same = info.width == info_.width && info.height == info_.height;
    info_ = info;
    if (!same) forget();
  }

  /** Any thread. */
  void takeIn(const elf::Feedback& feedback) {
    const std::lock_guard lock(mutex_);
    if (feedback.generation != generation_) return;
    unseen_.insert(unseen_.end(), feedback.unseen.begin(), feedback.unseen.end());
  }

  void plan(GstBuffer* buffer) {
    const bool first = !elf::gst::getRecord(buffer);
    elf::FrameRecord record = *records_.of(buffer, size());
    if (first) record.rps = rpsOfRois(buffer);
    const elf::CapacityPtr capacity = currentCapacity();
    const auto begun = steady_clock::now();
    record.plan = makePlan(record, *capacity, buffer);
    record.timings.partition =
        std::chrono::duration_cast<elf::Microseconds>(steady_clock::now() - begun);
    count(record);
    GST_LOG_OBJECT(element_, "%s: %d parts, %.1f ms expected", record.name().c_str(),
                   static_cast<int>(record.plan->parts.size()), record.plan->makespan * 1e3);
    elf::gst::setRecord(buffer, std::make_shared<const elf::FrameRecord>(std::move(record)));
  }

 private:
  static constexpr std::array kKinds{elf::PartKind::Rp, elf::PartKind::Lrc, elf::PartKind::Scan,
                                     elf::PartKind::Grid, elf::PartKind::Full};

  /** Since the start. */
  struct Stats {
    guint64 frames = 0, cold = 0, empty = 0;
    /** By PartKind. */
    std::array<guint64, kKinds.size()> parts{};
    double pixels = 0;
    elf::Microseconds time{0};
  };

  void count(const elf::FrameRecord& record) {
    const std::lock_guard lock(mutex_);
    ++stats_.frames;
    if (!record.rps) ++stats_.cold;
    if (record.plan->parts.empty()) ++stats_.empty;
    for (const elf::Part& part : record.plan->parts)
      ++stats_.parts[static_cast<std::size_t>(part.kind)];
    stats_.pixels += record.plan->sentPixels();
    stats_.time += record.timings.partition;
  }

  elf::Size size() const { return {info_.width, info_.height}; }

  elf::Plan makePlan(const elf::FrameRecord& record, const elf::Capacity& capacity,
                     GstBuffer* buffer) {
    elf::FramePlanner::Settings settings;
    std::vector<elf::Rect> unseen;
    {
      const std::lock_guard lock(mutex_);
      settings = settings_.planner;
      if (std::exchange(generation_, record.generation) == record.generation)
        unseen = std::move(unseen_);
      unseen_.clear();
    }
    planner_->setSettings(settings);
    planner_->missed(unseen);
    if (settings.lrcInterval > 0) checkLrcServer(settings.lrcServer, capacity);
    if (settings.discovery.changeThreshold > 0) {
      if (const auto mapped = elf::gst::MappedFrame::map(info_, buffer, GST_MAP_READ)) {
        const elf::ImageView picture = mapped->view();
        return planner_->plan(size(), record.rps, capacity, &picture);
      }
    }
    return planner_->plan(size(), record.rps, capacity, nullptr);
  }

  /** Warns once of each that is none of elfoffload's. */
  void checkLrcServer(const std::string& url, const elf::Capacity& capacity) {
    if (url.empty() || url == warnedOf_ || capacity.servers.front().url.empty()) return;
    if (std::ranges::find(capacity.servers, url, &elf::ServerState::url) != capacity.servers.end())
      return;
    warnedOf_ = url;
    GST_ELEMENT_WARNING(element_, RESOURCE, NOT_FOUND,
                        ("lrc-server: no server of elfoffload is '%s'.", url.c_str()),
                        ("the low resolution goes to the server with the most time left"));
  }

  std::optional<std::vector<elf::Rp>> rpsOfRois(GstBuffer* buffer) {
    std::vector<elf::Rp> rps;
    gpointer state = nullptr;
    while (GstMeta* meta = gst_buffer_iterate_meta_filtered(
               buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) {
      const auto* roi = reinterpret_cast<GstVideoRegionOfInterestMeta*>(meta);
      const elf::Box box{static_cast<float>(roi->x), static_cast<float>(roi->y),
                         static_cast<float>(roi->x) + static_cast<float>(roi->w),
                         static_cast<float>(roi->y) + static_cast<float>(roi->h)};
      elf::Rp rp;
      rp.box = rp.expected = elf::clip(box, size());
      if (rp.box.empty()) continue;
      rp.label = g_quark_to_string(roi->roi_type);
      rps.push_back(std::move(rp));
    }
    roisSeen_ = roisSeen_ || !rps.empty();
    if (!roisSeen_) return std::nullopt;
    return rps;
  }

  // Never null, and holds at least one server, which without elfoffload has no URL. Asked for each
  // frame, as other streams keep the servers busy too.
  elf::CapacityPtr currentCapacity() {
    elf::CapacityPtr asked = elf::gst::queryCapacity(GST_BASE_TRANSFORM_SRC_PAD(element_));
    if (asked && !asked->servers.empty()) return asked;
    elf::Capacity alone;
    alone.servers.emplace_back();
    return std::make_shared<const elf::Capacity>(std::move(alone));
  }

  GstBaseTransform* element_;

  // Streaming thread only.
  elf::gst::FrameRecords records_;
  GstVideoInfo info_{};
  std::unique_ptr<elf::FramePlanner> planner_;
  bool roisSeen_ = false;
  /** The `lrc-server` that no server has. */
  std::string warnedOf_;

  // Guards what follows. Never held while pushing, querying or posting.
  std::mutex mutex_;
  Settings settings_;
  /** Of the last frame. */
  std::uint32_t generation_ = 0;
  /** Where servers did not answer in frames of that generation, since the last one. */
  std::vector<elf::Rect> unseen_;
  Stats stats_;
};

}  // namespace

struct _GstElfPartition {
  GstBaseTransform parent;
  Partition* partition;
};

enum {
  PROP_0,
  PROP_PARTITIONER,
  PROP_SCALE_LARGE,
  PROP_SCAN_INTERVAL,
  PROP_CHANGE_THRESHOLD,
  PROP_LRC_INTERVAL,
  PROP_LRC_RATIO,
  PROP_LRC_SERVER,
  PROP_STATS
};

#define gst_elf_partition_parent_class parent_class
G_DEFINE_TYPE_WITH_CODE(GstElfPartition, gst_elf_partition, GST_TYPE_BASE_TRANSFORM,
                        GST_DEBUG_CATEGORY_INIT(elfpartition_debug, "elfpartition", 0,
                                                "Elf: partition of frames"))
GST_ELEMENT_REGISTER_DEFINE(elfpartition, "elfpartition", GST_RANK_NONE, GST_TYPE_ELF_PARTITION)

static GType gst_elf_partitioner_get_type(void) {
  static GType type = 0;
  if (g_once_init_enter(&type)) {
    const GType made = elf::gst::registerChoice("GstElfPartitioner", elf::partitionerChoices());
    g_once_init_leave(&type, made);
  }
  return type;
}

static void gst_elf_partition_set_property(GObject* object, guint id, const GValue* value,
                                           GParamSpec* spec) {
  Partition* partition = GST_ELF_PARTITION(object)->partition;
  using Settings = Partition::Settings;
  switch (id) {
    case PROP_PARTITIONER:
      partition->change([&](Settings& s) { s.partitioner = g_value_get_enum(value); });
      break;
    case PROP_SCALE_LARGE:
      partition->change([&](Settings& s) { s.planner.scale = g_value_get_boolean(value); });
      break;
    case PROP_SCAN_INTERVAL:
      partition->change(
          [&](Settings& s) { s.planner.discovery.scanInterval = g_value_get_int(value); });
      break;
    case PROP_CHANGE_THRESHOLD:
      partition->change(
          [&](Settings& s) { s.planner.discovery.changeThreshold = g_value_get_int(value); });
      break;
    case PROP_LRC_INTERVAL:
      partition->change([&](Settings& s) { s.planner.lrcInterval = g_value_get_int(value); });
      break;
    case PROP_LRC_RATIO:
      partition->change([&](Settings& s) { s.planner.lrcRatio = g_value_get_double(value); });
      break;
    case PROP_LRC_SERVER: {
      const std::string server = spelled(g_value_get_string(value));
      partition->change([&](Settings& s) { s.planner.lrcServer = server; });
      break;
    }
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void gst_elf_partition_get_property(GObject* object, guint id, GValue* value,
                                           GParamSpec* spec) {
  const Partition::Settings settings = GST_ELF_PARTITION(object)->partition->settings();
  switch (id) {
    case PROP_PARTITIONER:
      g_value_set_enum(value, settings.partitioner);
      break;
    case PROP_SCALE_LARGE:
      g_value_set_boolean(value, settings.planner.scale);
      break;
    case PROP_SCAN_INTERVAL:
      g_value_set_int(value, settings.planner.discovery.scanInterval);
      break;
    case PROP_CHANGE_THRESHOLD:
      g_value_set_int(value, settings.planner.discovery.changeThreshold);
      break;
    case PROP_LRC_INTERVAL:
      g_value_set_int(value, settings.planner.lrcInterval);
      break;
    case PROP_LRC_RATIO:
      g_value_set_double(value, settings.planner.lrcRatio);
      break;
    case PROP_LRC_SERVER:
      g_value_set_string(
          value, settings.planner.lrcServer.empty() ? nullptr : settings.planner.lrcServer.c_str());
      break;
    case PROP_STATS:
      g_value_take_boxed(value, GST_ELF_PARTITION(object)->partition->stats());
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static gboolean gst_elf_partition_start(GstBaseTransform* trans) {
  return elf::gst::guarded(GST_ELEMENT(trans), FALSE, [&] {
    GST_ELF_PARTITION(trans)->partition->start();
    return TRUE;
  });
}

static gboolean gst_elf_partition_set_caps(GstBaseTransform* trans, GstCaps* caps, GstCaps*) {
  return elf::gst::guarded(GST_ELEMENT(trans), FALSE, [&]() -> gboolean {
    GstVideoInfo info;
    if (!gst_video_info_from_caps(&info, caps)) return FALSE;
    GST_ELF_PARTITION(trans)->partition->setInfo(info);
    return TRUE;
  });
}

static gboolean gst_elf_partition_sink_event(GstBaseTransform* trans, GstEvent* event) {
  elf::gst::guarded(GST_ELEMENT(trans), [&] {
    if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP)
      GST_ELF_PARTITION(trans)->partition->forget();
  });
  return GST_BASE_TRANSFORM_CLASS(parent_class)->sink_event(trans, event);
}

static gboolean gst_elf_partition_src_event(GstBaseTransform* trans, GstEvent* event) {
  if (const elf::FeedbackPtr feedback = elf::gst::parseDetectionsEvent(event))
    elf::gst::guarded(GST_ELEMENT(trans),
                      [&] { GST_ELF_PARTITION(trans)->partition->takeIn(*feedback); });
  return GST_BASE_TRANSFORM_CLASS(parent_class)->src_event(trans, event);
}

static gboolean gst_elf_partition_propose_allocation(GstBaseTransform* trans, GstQuery*,
                                                     GstQuery* query) {
  return elf::gst::forwardAllocation(GST_BASE_TRANSFORM_SRC_PAD(trans), query);
}

static GstFlowReturn gst_elf_partition_transform_ip(GstBaseTransform* trans, GstBuffer* buffer) {
  return elf::gst::guarded(GST_ELEMENT(trans), GST_FLOW_ERROR, [&] {
    GST_ELF_PARTITION(trans)->partition->plan(buffer);
    return GST_FLOW_OK;
  });
}

static void gst_elf_partition_init(GstElfPartition* self) {
  self->partition = new Partition(GST_BASE_TRANSFORM(self));
  gst_base_transform_set_in_place(GST_BASE_TRANSFORM(self), TRUE);
}

static void gst_elf_partition_finalize(GObject* object) {
  delete GST_ELF_PARTITION(object)->partition;
  G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void gst_elf_partition_class_init(GstElfPartitionClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = gst_elf_partition_set_property;
  object_class->get_property = gst_elf_partition_get_property;
  object_class->finalize = gst_elf_partition_finalize;

  const elf::FramePlanner::Settings defaults;
  const auto flags = [](int more) {
    return static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | more);
  };
  g_object_class_install_property(
      object_class, PROP_PARTITIONER,
      g_param_spec_enum("partitioner", "Partitioner", "How the frame is cut into parts",
                        gst_elf_partitioner_get_type(), kDefaultPartitioner,
                        flags(GST_PARAM_MUTABLE_READY)));
  g_object_class_install_property(
      object_class, PROP_SCALE_LARGE,
      g_param_spec_boolean("scale-large", "Scale large objects",
                           "Send parts scaled down in which all objects are large, as far as the "
                           "model's object-size says that it still finds them",
                           defaults.scale, flags(GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      object_class, PROP_SCAN_INTERVAL,
      g_param_spec_int("scan-interval", "Scan interval",
                       "Every pixel is looked at at least every so many frames, twice as often "
                       "while the camera moves, to discover new objects (0 = not for that)",
                       0, kMostFrames, defaults.discovery.scanInterval,
                       flags(GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      object_class, PROP_CHANGE_THRESHOLD,
      g_param_spec_int("change-threshold", "Change threshold",
                       "A place is looked at where the picture has changed by so many grey levels "
                       "since it was looked at, to discover new objects (0 = not for that)",
                       0, 255, defaults.discovery.changeThreshold,
                       flags(GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      object_class, PROP_LRC_INTERVAL,
      g_param_spec_int("lrc-interval", "LRC interval",
                       "Every so many frames the whole frame is looked at at low resolution, too "
                       "(0 = never)",
                       0, kMostFrames, defaults.lrcInterval, flags(GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      object_class, PROP_LRC_RATIO,
      g_param_spec_double("lrc-ratio", "LRC ratio",
                          "Width and height of the low resolution, as a share of the frame's", 0.01,
                          1, defaults.lrcRatio, flags(GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      object_class, PROP_LRC_SERVER,
      g_param_spec_string("lrc-server", "LRC server",
                          "URL of the server that looks at the low resolution, one of "
                          "elfoffload's (unset: the one with the most time left)",
                          nullptr, flags(GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      object_class, PROP_STATS,
      g_param_spec_boxed("stats", "Statistics",
                         "Counts since the start: frames; cold, those of which no RPs were known; "
                         "empty, those for which nothing was planned; parts-rp, parts-lrc, "
                         "parts-scan, parts-grid, parts-full; pixels of the parts as they are to "
                         "be sent; partition-us, microseconds spent",
                         GST_TYPE_STRUCTURE,
                         static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));

  auto* element_class = GST_ELEMENT_CLASS(klass);
  elf::gst::addVideoPads(element_class);
  gst_element_class_set_static_metadata(
      element_class, "Elf partition", "Filter/Analyzer/Video",
      "Plans which parts of each frame are inferred by which server",
      "The Elf for GStreamer authors");

  auto* transform_class = GST_BASE_TRANSFORM_CLASS(klass);
  transform_class->start = GST_DEBUG_FUNCPTR(gst_elf_partition_start);
  transform_class->set_caps = GST_DEBUG_FUNCPTR(gst_elf_partition_set_caps);
  transform_class->sink_event = GST_DEBUG_FUNCPTR(gst_elf_partition_sink_event);
  transform_class->src_event = GST_DEBUG_FUNCPTR(gst_elf_partition_src_event);
  transform_class->propose_allocation = GST_DEBUG_FUNCPTR(gst_elf_partition_propose_allocation);
  transform_class->transform_ip = GST_DEBUG_FUNCPTR(gst_elf_partition_transform_ip);

  gst_type_mark_as_plugin_api(gst_elf_partitioner_get_type(), static_cast<GstPluginAPIFlags>(0));
}
