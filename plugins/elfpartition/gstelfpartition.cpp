// SPDX-License-Identifier: LGPL-2.1-or-later
// elfpartition: which rectangles of a frame are inferred, and by which server.

/**
 * SECTION:element-elfpartition
 *
 * Writes the plan of each frame into the record that travels with it: the parts to infer, and a
 * server for each. It never looks at pixels. What the servers are, how fast and how busy they are
 * and what their model asks for it learns from elfoffload downstream, by the query `elf-capacity`
 * for each frame; without one it plans for a single server of middling speed.
 *
 * RPs come from elfrppredict. Without it, each GstVideoRegionOfInterestMeta on a buffer is an RP;
 * once one was seen, a frame without any has no RPs, and before that its RPs are unknown.
 *
 * - RPs unknown: the whole frame, split over the servers.
 * - RPs known: what `partitioner` makes of them; nothing at all where there are none.
 * - Every `scan-interval` frames: the whole frame, split over the servers, to discover what is new.
 * - `partitioner=grid` covers the whole frame each time, whatever the RPs.
 *
 * |[
 * gst-launch-1.0 filesrc location=vtest.avi ! decodebin ! videoconvert ! elfpartition
 * partitioner=grid ! elfoffload servers=http://127.0.0.1:8000,http://127.0.0.1:8001 ! elfmerge !
 * videoconvert ! autovideosink
 * ]| is sliced inference: each frame in two halves, on two servers at once.
 */

#include "plugins/elfpartition/gstelfpartition.h"

#include <chrono>
#include <memory>
#include <mutex>

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
constexpr int kDefaultScanInterval = 4;

class Partition {
 public:
  explicit Partition(GstBaseTransform* element)
      : element_(element), records_(GST_ELEMENT(element)) {}

  struct Settings {
    int partitioner = kDefaultPartitioner;
    int scanInterval = kDefaultScanInterval;
  };

  Settings settings() {
    const std::lock_guard lock(mutex_);
    return settings_;
  }
  void change(int Settings::*setting, int value) {
    const std::lock_guard lock(mutex_);
    settings_.*setting = value;
  }

  void start() {
    const Settings settings = this->settings();
    partitioner_ = elf::Partitioner::create(elf::partitionerChoices()[settings.partitioner].name);
    size_ = {};
    roisSeen_ = false;
    forget();
    GST_INFO_OBJECT(element_, "partitioner %s, scan interval %d frames",
                    elf::partitionerChoices()[settings.partitioner].name, settings.scanInterval);
  }

  /** Streaming thread: after a start, a flush or a change of size. */
  void forget() {
    records_.newGeneration();
    sinceWhole_ = 0;
  }

  void setSize(elf::Size size) {
    if (size == size_) return;
    size_ = size;
    forget();
  }

  void plan(GstBuffer* buffer) {
    const bool first = !elf::gst::getRecord(buffer);
    elf::FrameRecord record = *records_.of(buffer, size_);
    if (first) record.rps = rpsOfRois(buffer);
    const elf::CapacityPtr capacity = currentCapacity();
    const auto begun = steady_clock::now();
    record.plan = makePlan(record, *capacity);
    record.timings.partition =
        std::chrono::duration_cast<elf::Microseconds>(steady_clock::now() - begun);
    GST_LOG_OBJECT(element_, "frame %" G_GUINT64_FORMAT ": %d parts, %.1f ms expected", record.id,
                   static_cast<int>(record.plan->parts.size()), record.plan->makespan * 1e3);
    elf::gst::setRecord(buffer, std::make_shared<const elf::FrameRecord>(std::move(record)));
  }

 private:
  elf::Plan makePlan(const elf::FrameRecord& record, const elf::Capacity& capacity) {
    elf::PartitionInput input{size_, {}, capacity};
    if (record.rps) input.rps = *record.rps;
    if (!partitioner_->needsRps()) return partitioner_->plan(input);

    const int interval = settings().scanInterval;
    ++sinceWhole_;
    if (record.rps && (interval == 0 || sinceWhole_ < interval)) return partitioner_->plan(input);
    sinceWhole_ = 0;
    return splitWholeFrame(input, record.rps ? elf::PartKind::Scan : elf::PartKind::Full);
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
      rp.box = rp.expected = elf::clip(box, size_);
      if (rp.box.empty()) continue;
      rp.label = g_quark_to_string(roi->roi_type);
      rps.push_back(std::move(rp));
    }
    roisSeen_ = roisSeen_ || !rps.empty();
    if (!roisSeen_) return std::nullopt;
    return rps;
  }

  // Never null, and holds at least one server. Asked for each frame, as other streams keep the
  // servers busy too.
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
  elf::Size size_;
  std::unique_ptr<elf::Partitioner> partitioner_;
  bool roisSeen_ = false;
  int sinceWhole_ = 0;

  // Guards what follows. Never held while pushing, querying or posting.
  std::mutex mutex_;
  Settings settings_;
};

}  // namespace

struct _GstElfPartition {
  GstBaseTransform parent;
  Partition* partition;
};

enum { PROP_0, PROP_PARTITIONER, PROP_SCAN_INTERVAL };

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
  switch (id) {
    case PROP_PARTITIONER:
      partition->change(&Partition::Settings::partitioner, g_value_get_enum(value));
      break;
    case PROP_SCAN_INTERVAL:
      partition->change(&Partition::Settings::scanInterval, g_value_get_int(value));
      break;
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
    case PROP_SCAN_INTERVAL:
      g_value_set_int(value, settings.scanInterval);
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
    GST_ELF_PARTITION(trans)->partition->setSize({info.width, info.height});
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

  g_object_class_install_property(
      object_class, PROP_PARTITIONER,
      g_param_spec_enum("partitioner", "Partitioner", "How the frame is cut into parts",
                        gst_elf_partitioner_get_type(), kDefaultPartitioner,
                        static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                 GST_PARAM_MUTABLE_READY)));
  g_object_class_install_property(
      object_class, PROP_SCAN_INTERVAL,
      g_param_spec_int("scan-interval", "Scan interval",
                       "Every so many frames the whole frame is looked at, to discover new "
                       "objects (0 = never)",
                       0, G_MAXINT, kDefaultScanInterval,
                       static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                GST_PARAM_MUTABLE_PLAYING)));

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
  transform_class->propose_allocation = GST_DEBUG_FUNCPTR(gst_elf_partition_propose_allocation);
  transform_class->transform_ip = GST_DEBUG_FUNCPTR(gst_elf_partition_transform_ip);

  gst_type_mark_as_plugin_api(gst_elf_partitioner_get_type(), static_cast<GstPluginAPIFlags>(0));
}
