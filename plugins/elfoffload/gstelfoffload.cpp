// SPDX-License-Identifier: LGPL-2.1-or-later
// elfoffload: sends the parts of each frame to inference servers and brings their answers back.

/**
 * SECTION:element-elfoffload
 *
 * Sends the parts that a frame's plan names, as JPEG or raw pixels, all at once to their servers by
 * the Open Inference Protocol v2, waits for the answers, writes them into the record that
 * travels with the frame, and passes the frame on. Pixels are never changed.
 *
 * - A frame without a plan goes out whole, to the server that would be done with it first.
 * - A frame with an empty plan passes at once.
 * - Frames leave in the order in which they came. Up to `max-in-flight` of them wait for answers at
 *   a time; the slot of a frame is free again when the event `elf-detections` for it passes
 *   upstream or, without elfmerge downstream, when the frame was pushed.
 * - A part that fails is sent to another server, and one that takes longer than nineteen of twenty
 *   to a second one too (`hedging`). What has no answer by the `deadline` is late, and the frame
 *   goes on without it. No frame is ever dropped; of those that downstream refuses (EOS) upstream
 *   hears as of frames that were skipped.
 * - Under a budget (`bandwidth`) JPEGs are made as good as it allows, then parts smaller, and then
 *   frames pass for which nothing is sent.
 * - Late in QoS terms (`qos`), or one too many (`leaky`): the frame passes, and nothing is sent.
 * - A server that cannot be reached, or fails three times in a row, is left out, and asked with a
 *   growing pause whether it is back. The last one that goes is one warning.
 * - `servers` may change while playing; a host name is looked up every five seconds.
 * - Live: `deadline` is added to the latency of the pipeline, and must not be -1.
 * - https:// servers must have a certificate that the system, or `ca-file`, vouches for.
 * - At the start each server is probed with a few small pictures. What it costs is learned from its
 *   answers, and shared by all elfoffload of a pipeline, or of several that share the GstContext
 *   `elf.servers`.
 *
 * |[
 * gst-launch-1.0 filesrc location=vtest.avi ! decodebin ! videoconvert ! elfoffload
 * servers=http://127.0.0.1:8000 ! elfmerge ! videoconvert ! autovideosink
 * ]| has each whole frame inferred by one server, and shows what it found.
 * |[
 * gst-launch-1.0 filesrc location=vtest.avi ! decodebin ! videoconvert ! elfoffload
 * servers=http://127.0.0.1:8000,http://127.0.0.1:8001 max-in-flight=2 ! elfmerge ! videoconvert !
 * autovideosink
 * ]| has two servers work on two whole frames at a time.
 */

#include "plugins/elfoffload/gstelfoffload.h"

#include <gst/video/video.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "elf/base/printable.h"
#include "elf/client/client_security.h"
#include "elf/client/soup_transport.h"
#include "elf/image/jpeg_encoder.h"
#include "elf/model/model_file.h"
#include "elf/offload/bandwidth.h"
#include "elf/offload/encoding.h"
#include "elf/offload/offloader.h"
#include "elf/offload/server_url.h"
#include "elf/offload/whole_frame.h"
#include "elf/partition/cutting.h"
#include "elf/wire/infer.h"
#include "gst/elfvision/gstelfallocation.h"
#include "gst/elfvision/gstelfboundary.h"
#include "gst/elfvision/gstelfchoice.h"
#include "gst/elfvision/gstelfevents.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfrecords.h"
#include "gst/elfvision/gstelfrgb.h"
#include "gst/elfvision/gstelfservers.h"
#include "gst/elfvision/gstelfvideo.h"

GST_DEBUG_CATEGORY_STATIC(elfoffload_debug);
#define GST_CAT_DEFAULT elfoffload_debug

namespace {

using Clock = std::chrono::steady_clock;
using Lock = std::unique_lock<std::mutex>;

constexpr const char* kDefaultModel = "hog";
constexpr int kDefaultDeadline = 2000;
constexpr int kNoDeadline = -1;
constexpr int kDefaultMaxInFlight = 1;
constexpr int kMostInFlight = 64;
constexpr elf::Encoding kDefaultEncoding = elf::Encoding::Auto;
constexpr int kDefaultJpegQuality = 90;
constexpr int kNoBudget = 0;
constexpr bool kDefaultQos = true;
constexpr bool kDefaultLeaky = false;
constexpr double kDefaultHedging = 5;
/** Frames that wait in order behind those in flight where `leaky`; at 1080p some 90 MB. */
constexpr int kMostWaiting = 30;
/** How long the servers' metadata and probes are waited for where there is no deadline. */
constexpr std::chrono::milliseconds kReadyWait{2000};

struct Settings {
  std::string servers;
  std::string model = kDefaultModel;
  std::string modelVersion;
  std::string tensorNames;
  int deadline = kDefaultDeadline;
  int maxInFlight = kDefaultMaxInFlight;
  elf::Encoding encoding = kDefaultEncoding;
  int jpegQuality = kDefaultJpegQuality;
  /** In kbit/s. */
  int bandwidth = kNoBudget;
  bool qos = kDefaultQos;
  bool leaky = kDefaultLeaky;
  /** Percent. */
  double hedging = kDefaultHedging;
  elf::ClientSecurity security;

  double hedgingShare() const { return hedging / 100; }
  std::optional<std::chrono::milliseconds> timeLimit() const {
    if (deadline == kNoDeadline) return std::nullopt;
    return std::chrono::milliseconds(deadline);
  }
  bool isRaw(const elf::ServerState& server) const {
    return elf::sendsRaw(encoding, server, bandwidth != kNoBudget);
  }
};

/** What is queued between the sink pad and the task of the src pad: exactly one of the three. */
struct Item {
  GstBuffer* buffer = nullptr;
  GstEvent* event = nullptr;
  /** Belongs to the thread that waits for it in serializedQuery(). */
  GstQuery* query = nullptr;

  // Of a buffer. The record lacks answers until they are there.
  elf::FrameRecord record;
  Clock::time_point entered;
  bool answered = false;
  Clock::time_point answeredAt;
  std::vector<elf::PartAnswer> answers;

  // Of a query.
  enum { Waiting, Running, Finished } progress = Waiting;
  bool result = false;

  Item() = default;
  Item(const Item&) = delete;
  Item& operator=(const Item&) = delete;
  ~Item() {
    if (buffer) gst_buffer_unref(buffer);
    if (event) gst_event_unref(event);
  }
};
using ItemPtr = std::shared_ptr<Item>;

constexpr double kMilliseconds = 1e3;
constexpr double kMega = 1e6;

double milliseconds(elf::Microseconds time) {
  return static_cast<double>(time.count()) * 1e-3;
}

/** What the server says of its time, for the log; empty where it says nothing. */
std::string accountOf(const elf::Lesson& lesson) {
  std::string account;
  const auto add = [&](const char* what, const std::optional<elf::Microseconds>& time) {
    if (time) account += std::string(", ") + what + " " + elf::formatNumber(milliseconds(*time), 1);
  };
  add("queue", lesson.queue);
  add("decode", lesson.decode);
  add("infer", lesson.infer);
  return account;
}

/** Of a server of the record's; empty where it is none. */
std::string urlOf(const elf::FrameRecord& record, int server) {
  const auto at = static_cast<std::size_t>(server);
  return record.capacity && at < record.capacity->servers.size() ? record.capacity->servers[at].url
                                                                 : std::string();
}

bool hasFlag(const GstEvent* event, GstEventTypeFlags flag) {
  return gst_event_type_get_flags(GST_EVENT_TYPE(event)) & flag;
}

/** True for what ends downstream's EOS. */
bool beginsAnew(const GstEvent* event) {
  return GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT ||
         GST_EVENT_TYPE(event) == GST_EVENT_STREAM_START;
}

/** True for what upstream or the application has to hear of, as a flush and EOS need not be. */
bool isFailure(GstFlowReturn flow) {
  return flow == GST_FLOW_NOT_LINKED || flow < GST_FLOW_EOS;
}

/**
 * The element's state. Threads: the upstream streaming thread (chain, serialized events and
 * queries), the task of the src pad, the thread of the transport, and any thread for properties,
 * other queries and upstream events. `mutex_` comes before the locks of lib/, and is never held
 * while pushing, querying or posting.
 */
class Offload {
 public:
  Offload(GstElement* element, GstPad* sinkpad, GstPad* srcpad)
      : element_(element), sinkpad_(sinkpad), srcpad_(srcpad), records_(element) {
    gst_video_info_init(&info_);
    gst_segment_init(&segment_, GST_FORMAT_UNDEFINED);
  }

  Settings settings() {
    const std::lock_guard lock(mutex_);
    return settings_;
  }
  template <typename Change>
  void change(Change&& apply) {
    const std::lock_guard lock(mutex_);
    apply(settings_);
    changed_.notify_all();
  }
  GstStructure* stats();

  void start();
  void stop();
  void setServers(const std::string& list);
  void setHedging(double percent);
  /**
   * When a pad is activated or deactivated, and for flushes: wakes every wait. Returns what was
   * queued.
   */
  std::deque<std::shared_ptr<Item>> setFlushing(bool flushing);
  void startTask();

  // The sink pad.
  GstFlowReturn chain(GstBuffer* buffer);
  GstFlowReturn sinkEvent(GstEvent* event);
  gboolean serializedQuery(GstQuery* query);
  void answerCapacity(GstQuery* query);

  // The src pad.
  gboolean srcEvent(GstEvent* event);
  gboolean latency(GstQuery* query);

 private:
  struct Session;
  using Key = std::pair<std::uint32_t, std::uint64_t>;

  /** One frame that counts as in flight. A duplicate (videorate) has the same key. */
  struct Slot {
    const Item* item;
    Key key;
  };

  static Key keyOf(const elf::FrameRecord& record) { return {record.generation, record.id}; }

  void warnOfClearToken(const std::vector<std::string>& urls, const Settings& settings);
  void setCaps(GstCaps* caps);
  void forgetStream();
  bool isLate(GstBuffer* buffer);
  bool isFull() const;
  elf::FrameRecord recordOf(GstBuffer* buffer, const Session& session);
  bool fitIntoBudget(Item& item, const Session& session, Settings& settings);
  bool sendParts(const ItemPtr& item, Session& session, const Settings& settings);
  void noteFile(elf::FrameRecord& record, std::size_t part, std::size_t bytes,
                const Settings& settings);
  std::size_t wholeBytes(const elf::gst::MappedFrame& frame, const Session& session,
                         const std::vector<elf::ServerState>& servers, const Settings& settings);
  elf::Result<elf::wire::Tensor> encode(const elf::gst::MappedFrame& frame, const elf::Part& part,
                                        bool raw, int jpegQuality);
  void waitUntilReady(Lock& lock);
  elf::CapacityPtr capacityNow() const;
  GstFlowReturn enqueue(const ItemPtr& item);
  bool willBeginAnew() const;
  template <typename Which>
  void freeSlot(Which&& which);

  void flushStart(GstEvent* event);
  void loop();
  bool mayLeave(const Item& item) const;
  void endTask(Lock& lock);
  void logWay(const elf::FrameRecord& record) const;
  GstFlowReturn refuse(Lock& lock, const elf::FrameRecord& record);
  GstFlowReturn pushFrame(Item& item);
  gboolean runQuery(GstQuery* query);
  bool flows() const { return flow_ == GST_FLOW_OK || flow_ == GST_FLOW_EOS; }

  GstElement* const element_;
  GstPad* const sinkpad_;
  GstPad* const srcpad_;

  // The upstream streaming thread's, or anybody's while it is stopped.
  elf::gst::FrameRecords records_;
  GstVideoInfo info_;
  GstSegment segment_;
  std::unique_ptr<elf::JpegEncoder> encoder_;
  elf::gst::RgbCutter cutter_;
  elf::BandwidthControl control_;
  elf::WholeFrameEstimate whole_;

  std::mutex mutex_;
  std::condition_variable changed_;
  Settings settings_;
  std::shared_ptr<Session> session_;
  std::deque<ItemPtr> queue_;
  /** What chain() returns: FLUSHING while a pad is inactive or flushes, else what a push returned.
   */
  GstFlowReturn flow_ = GST_FLOW_FLUSHING;
  std::vector<Slot> slots_;
  /** The servers have told about themselves, or failed to. */
  bool ready_ = false;
  /** Whoever needs that waits for it no longer than this. */
  Clock::time_point readyBy_;
  bool latencyRefused_ = false;
  /** Frames up to this running time are late for the sink. */
  GstClockTime earliest_ = GST_CLOCK_TIME_NONE;
  std::uint64_t frames_ = 0;
  std::uint64_t skipped_ = 0;
  std::uint64_t wholeBytes_ = 0;
  /** Of the last frame that was sent. */
  elf::BandwidthControl::Choice sending_;
  /** Of the last run, once it is over. */
  elf::OffloadStats lastStats_;
  std::vector<elf::ServerState> lastServers_;
};

/** What lives from READY->PAUSED until PAUSED->READY. The listener runs in the transport's thread.
 */
struct Offload::Session : elf::OffloadListener {
  Session(Offload& user, elf::OffloadSettings settings, const elf::ClientSecurity& security,
          elf::ServerPoolPtr shared)
      : owner(user),
        pool(std::move(shared)),
        transport("elfoffload-io", security),
        offloader(std::move(settings), *pool, transport, *this) {}

  void onReady() override {
    const std::lock_guard lock(owner.mutex_);
    owner.ready_ = true;
    owner.changed_.notify_all();
  }

  void onLearned(const elf::Lesson& lesson) override {
    const char* const url = lesson.url.c_str();
    GST_DEBUG_OBJECT(owner.element_, "%s: %s of %dx%d, %" G_GSIZE_FORMAT " bytes: %s%.1f ms%s", url,
                     lesson.probe ? "probe" : "part", lesson.sent.width, lesson.sent.height,
                     lesson.bytes, lesson.late ? "no answer after " : "",
                     milliseconds(lesson.roundTrip), accountOf(lesson).c_str());
    if (lesson.changed)
      GST_INFO_OBJECT(owner.element_, "%s costs %.1f ms, %.1f ms/megapixel, %.1f ms/megabyte", url,
                      lesson.cost.a * kMilliseconds, lesson.cost.b * kMilliseconds * kMega,
                      lesson.cost.c * kMilliseconds * kMega);
  }

  void onProbeFailed(const std::string& why) override {
    GST_WARNING_OBJECT(owner.element_, "probe failed: %s", why.c_str());
  }

  void onServerLost(const elf::Loss& loss) override {
    const char* const why = loss.why.c_str();
    if (loss.left == 0)
      GST_ELEMENT_WARNING(
          owner.element_, RESOURCE, OPEN_READ, ("No inference server is left: %s", why),
          ("until one is back, frames pass with what was predicted, and then bare"));
    else if (!loss.known)
      GST_ELEMENT_WARNING(owner.element_, RESOURCE, OPEN_READ, ("Inference server %s", why),
                          ("it is used as soon as it is there"));
    else  // The others do its work.
      GST_ELEMENT_INFO(owner.element_, RESOURCE, OPEN_READ, ("Inference server %s", why),
                       ("it is left out until it is ready and infers again"));
  }

  void onServerBack(const std::string& url) override {
    GST_ELEMENT_INFO(owner.element_, RESOURCE, OPEN_READ,
                     ("Inference server %s answers.", url.c_str()), (nullptr));
  }

  void onPartsFail(const std::string& why) override {
    GST_ELEMENT_WARNING(owner.element_, RESOURCE, READ, ("Parts fail at %s", why.c_str()),
                        ("it answers others, and so is used all the same"));
  }

  void onModelMissing(const std::string& what, const std::string& why) override {
    GST_ELEMENT_ERROR(owner.element_, RESOURCE, NOT_FOUND, ("Inference server %s.", what.c_str()),
                      ("%s", why.c_str()));
  }

  Offload& owner;
  /** The element may be given another one. */
  const elf::ServerPoolPtr pool;
  elf::SoupTransport transport;
  elf::Offloader offloader;
};

GstStructure* structureOf(const elf::ServerState& server) {
  return gst_structure_new("elf-offload-server", "url", G_TYPE_STRING, server.url.c_str(),
                           "healthy", G_TYPE_BOOLEAN, server.healthy, "answers", G_TYPE_UINT64,
                           guint64{server.answers}, "fixed-ms", G_TYPE_DOUBLE,
                           server.cost.a * kMilliseconds, "ms-per-megapixel", G_TYPE_DOUBLE,
                           server.cost.b * kMilliseconds * kMega, "ms-per-megabyte", G_TYPE_DOUBLE,
                           server.cost.c * kMilliseconds * kMega, "outstanding-ms", G_TYPE_DOUBLE,
                           server.busy * kMilliseconds, nullptr);
}

/** What the local `.model` file of that name says; the defaults where there is none. */
elf::ModelFile localFile(const std::string& model) {
  try {
    return elf::loadModelFile(model);
  } catch (const elf::Error& error) {
    GST_INFO("no local rules: %s", error.what());
    return {};
  }
}

/** Throws elf::Error, naming the property, where its value is no segment of a URL's path. */
void checkSegment(const char* property, const std::string& value) {
  if (value.find_first_of("/?#% ") != std::string::npos)
    throw elf::Error(property, "'" + value + "' is no possible name");
}

void Offload::start() {
  const Settings settings = this->settings();
  elf::OffloadSettings offload;
  offload.servers = elf::parseServers(settings.servers);
  offload.model = settings.model;
  if (offload.model.empty()) throw elf::Error("model", "is empty");
  checkSegment("model", offload.model);
  offload.version = settings.modelVersion;
  checkSegment("model-version", offload.version);
  const elf::ModelFile file = localFile(settings.model);
  offload.localRules = file.rules;
  offload.tensors = elf::withTensorNames(settings.tensorNames, file.tensors);
  offload.hedging = settings.hedgingShare();
  offload.seed = g_random_int();
  encoder_ = std::make_unique<elf::JpegEncoder>();
  control_ = {};
  whole_ = {};
  forgetStream();
  gst_video_info_init(&info_);
  GST_INFO_OBJECT(
      element_,
      "servers %s, model %s, deadline %d ms, %d in flight, encoding %s, JPEG quality "
      "%d, bandwidth %d kbit/s, qos %d, leaky %d, hedging %.1f %%",
      settings.servers.c_str(), settings.model.c_str(), settings.deadline, settings.maxInFlight,
      elf::encodingChoices()[static_cast<std::size_t>(settings.encoding)].name,
      settings.jpegQuality, settings.bandwidth, settings.qos, settings.leaky, settings.hedging);
  warnOfClearToken(offload.servers, settings);
  const auto session = std::make_shared<Session>(*this, std::move(offload), settings.security,
                                                 elf::gst::findServers(element_));
  {
    const std::lock_guard lock(mutex_);
    session_ = session;
    ready_ = false;
    readyBy_ = Clock::now() + settings.timeLimit().value_or(kReadyWait);
    latencyRefused_ = false;
    frames_ = skipped_ = wholeBytes_ = 0;
    sending_ = {.quality = settings.jpegQuality};
  }
  session->offloader.start();
  // It may have been set since `settings` were read.
  if (const std::string now = this->settings().servers; now != settings.servers) setServers(now);
}

void Offload::warnOfClearToken(const std::vector<std::string>& urls, const Settings& settings) {
  const auto inClear = std::ranges::find_if(urls, elf::goesInClear);
  if (settings.security.tokenFile.empty() || inClear == urls.end()) return;
  GST_ELEMENT_WARNING(
      element_, RESOURCE, SETTINGS,
      ("token-file: the token goes to %s in clear; https:// would hide it.", inClear->c_str()),
      (nullptr));
}

void Offload::stop() {
  std::shared_ptr<Session> session;
  {
    const std::lock_guard lock(mutex_);
    session = std::exchange(session_, nullptr);
  }
  if (!session) return;
  session->offloader.abandonAll();
  session->transport.stop();
  encoder_.reset();
  const std::lock_guard lock(mutex_);
  lastStats_ = session->offloader.stats();
  lastServers_ = session->offloader.capacity().servers;
}

void Offload::setServers(const std::string& list) {
  std::shared_ptr<Session> session;
  {
    const std::lock_guard lock(mutex_);
    session = session_;
    if (!session) settings_.servers = list;
  }
  if (!session) return;
  try {
    const std::vector<std::string> urls = elf::parseServers(list);
    change([&](Settings& settings) { settings.servers = list; });
    warnOfClearToken(urls, settings());
    session->offloader.setServers(urls);
  } catch (const elf::Error& error) {
    GST_ELEMENT_WARNING(element_, RESOURCE, SETTINGS, ("%s", error.what()),
                        ("the servers stay what they were"));
  }
}

void Offload::setHedging(double percent) {
  std::shared_ptr<Session> session;
  double share = 0;
  change([&](Settings& settings) {
    settings.hedging = percent;
    share = settings.hedgingShare();
    session = session_;
  });
  if (session) session->offloader.setHedging(share);
}

GstStructure* Offload::stats() {
  const std::lock_guard lock(mutex_);
  const elf::OffloadStats stats = session_ ? session_->offloader.stats() : lastStats_;
  GstStructure* structure = gst_structure_new(
      "elf-offload-stats", "frames", G_TYPE_UINT64, guint64{frames_}, "skipped", G_TYPE_UINT64,
      guint64{skipped_}, "parts-sent", G_TYPE_UINT64, guint64{stats.partsSent}, "parts-failed",
      G_TYPE_UINT64, guint64{stats.partsFailed}, "parts-late", G_TYPE_UINT64,
      guint64{stats.partsLate}, "parts-retried", G_TYPE_UINT64, guint64{stats.partsRetried},
      "parts-hedged", G_TYPE_UINT64, guint64{stats.partsHedged}, "hedges-won", G_TYPE_UINT64,
      guint64{stats.hedgesWon}, "bytes-sent", G_TYPE_UINT64, guint64{stats.bytesSent},
      "bytes-whole", G_TYPE_UINT64, guint64{wholeBytes_}, "pixels-sent", G_TYPE_UINT64,
      static_cast<guint64>(stats.pixelsSent), "quality", G_TYPE_INT, sending_.quality, "scale",
      G_TYPE_DOUBLE, sending_.scale, nullptr);
  const std::vector<elf::ServerState> servers =
      session_ ? session_->offloader.capacity().servers : lastServers_;
  GValue array = G_VALUE_INIT;
  g_value_init(&array, GST_TYPE_ARRAY);
  for (const elf::ServerState& server : servers) {
    if (server.removed) continue;
    GValue element = G_VALUE_INIT;
    g_value_init(&element, GST_TYPE_STRUCTURE);
    g_value_take_boxed(&element, structureOf(server));
    gst_value_array_append_and_take_value(&array, &element);
  }
  gst_structure_take_value(structure, "servers", &array);
  return structure;
}

void Offload::forgetStream() {
  records_.newGeneration();
  gst_segment_init(&segment_, GST_FORMAT_UNDEFINED);
}

std::deque<ItemPtr> Offload::setFlushing(bool flushing) {
  std::shared_ptr<Session> session;
  std::deque<ItemPtr> dropped;
  {
    const std::lock_guard lock(mutex_);
    flow_ = flushing ? GST_FLOW_FLUSHING : GST_FLOW_OK;
    slots_.clear();
    earliest_ = GST_CLOCK_TIME_NONE;
    if (flushing) {
      dropped.swap(queue_);
      session = session_;
    }
    changed_.notify_all();
  }
  if (session) session->offloader.abandonAll();
  return dropped;
}

void Offload::flushStart(GstEvent* event) {
  gst_pad_push_event(srcpad_, event);
  const std::deque<ItemPtr> dropped = setFlushing(true);
  // Waits for the task, which may be about to store an older event of the same type.
  gst_pad_pause_task(srcpad_);
  // What describes the stream outlives a flush, as in queue.
  for (const ItemPtr& item : dropped)
    if (item->event && hasFlag(item->event, GST_EVENT_TYPE_STICKY) &&
        GST_EVENT_TYPE(item->event) != GST_EVENT_SEGMENT &&
        GST_EVENT_TYPE(item->event) != GST_EVENT_EOS)
      gst_pad_store_sticky_event(srcpad_, item->event);
}

void Offload::startTask() {
  gst_pad_start_task(
      srcpad_,
      [](gpointer data) {
        auto* offload = static_cast<Offload*>(data);
        elf::gst::guarded(offload->element_, [offload] { offload->loop(); });
      },
      this, nullptr);
}

void Offload::waitUntilReady(Lock& lock) {
  changed_.wait_until(lock, readyBy_, [this] { return ready_ || flow_ == GST_FLOW_FLUSHING; });
}

void Offload::answerCapacity(GstQuery* query) {
  elf::CapacityPtr capacity;
  {
    Lock lock(mutex_);
    waitUntilReady(lock);
    capacity = capacityNow();
  }
  if (capacity) elf::gst::answerCapacityQuery(query, capacity);
}

// With mutex_ held. Null while the element is stopped.
elf::CapacityPtr Offload::capacityNow() const {
  if (!session_) return nullptr;
  elf::Capacity capacity = session_->offloader.capacity();
  capacity.maxInFlight = settings_.maxInFlight;
  capacity.leaky = settings_.leaky;
  capacity.deadline = settings_.timeLimit();
  return std::make_shared<const elf::Capacity>(std::move(capacity));
}

void Offload::setCaps(GstCaps* caps) {
  GstVideoInfo info;
  if (!gst_video_info_from_caps(&info, caps)) return;
  if (info.width != info_.width || info.height != info_.height) records_.newGeneration();
  info_ = info;
}

bool Offload::isLate(GstBuffer* buffer) {
  if (segment_.format != GST_FORMAT_TIME) return false;
  const GstClockTime time =
      gst_segment_to_running_time(&segment_, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
  const std::lock_guard lock(mutex_);
  return settings_.qos && GST_CLOCK_TIME_IS_VALID(time) && GST_CLOCK_TIME_IS_VALID(earliest_) &&
         time <= earliest_;
}

// With mutex_ held.
bool Offload::isFull() const {
  return static_cast<int>(slots_.size()) >= settings_.maxInFlight;
}

elf::FrameRecord Offload::recordOf(GstBuffer* buffer, const Session& session) {
  elf::FrameRecord record = *records_.of(buffer, {info_.width, info_.height});
  record.skipped = isLate(buffer);
  if (!record.plan) {
    elf::Part whole;
    whole.rect = elf::wholeFrame(record.size);
    whole.server = session.offloader.bestServer(whole.rect.size());
    record.plan.emplace().parts.push_back(std::move(whole));
  }
  return record;
}

GstFlowReturn Offload::chain(GstBuffer* buffer) {
  const auto item = std::make_shared<Item>();
  item->buffer = buffer;
  item->entered = Clock::now();
  if (GST_VIDEO_INFO_FORMAT(&info_) == GST_VIDEO_FORMAT_UNKNOWN) return GST_FLOW_NOT_NEGOTIATED;
  std::shared_ptr<Session> session;
  Settings settings;
  bool passes = false;
  {
    Lock lock(mutex_);
    waitUntilReady(lock);
    // Downstream's EOS is over as soon as the task has come to the new segment.
    changed_.wait(lock, [this] { return flow_ != GST_FLOW_EOS || !willBeginAnew(); });
    if (flow_ != GST_FLOW_OK) {
      const elf::FrameRecordPtr record = elf::gst::getRecord(buffer);
      return record ? refuse(lock, *record) : flow_;
    }
    session = session_;
    settings = settings_;
    passes = settings.leaky && isFull();
  }
  item->record = recordOf(buffer, *session);
  elf::FrameRecord& record = item->record;
  if (passes) record.skipped = true;
  if (!record.skipped) record.skipped = !fitIntoBudget(*item, *session, settings);
  if (record.skipped)
    item->answered = true;
  else if (!sendParts(item, *session, settings))
    return GST_FLOW_ERROR;

  Lock lock(mutex_);
  ++frames_;
  wholeBytes_ += record.wholeBytes;
  if (record.skipped) ++skipped_;
  if (flow_ != GST_FLOW_OK) {
    const GstFlowReturn flow = refuse(lock, item->record);
    // The flush that came meanwhile may have been over before the last part went out.
    session->offloader.abandonAll();
    return flow;
  }
  if (!passes) slots_.push_back({item.get(), keyOf(item->record)});
  queue_.push_back(item);
  changed_.notify_all();
  changed_.wait(lock, [this] {
    return flow_ != GST_FLOW_OK || (settings_.leaky ? queue_.size() < kMostWaiting : !isFull());
  });
  return flow_;
}

// Sets the quality, and scales the plan's parts: only here is it known how large files get. False
// where nothing may be sent.
bool Offload::fitIntoBudget(Item& item, const Session& session, Settings& settings) {
  elf::BandwidthControl::Choice choice{.quality = settings.jpegQuality};
  if (settings.bandwidth == kNoBudget) {
    control_.off();
  } else {
    constexpr double kBytesOfKilobit = 125;
    const elf::Capacity capacity = session.offloader.capacity();
    elf::BandwidthControl::Load load;
    for (const elf::Part& part : item.record.plan->parts) {
      const auto server = static_cast<std::size_t>(part.server);
      const bool raw = server < capacity.servers.size() && settings.isRaw(capacity.servers[server]);
      (raw ? load.rawPixels : load.jpegPixels) += part.sentSize().area();
      ++load.parts;
      if (capacity.rules.objectSize == 0) continue;
      for (const int index : part.rps) {
        const elf::Rp& rp = item.record.rps->at(static_cast<std::size_t>(index));
        if (rp.id != elf::kNoIdentity)
          load.leastScale =
              std::max(load.leastScale, elf::leastScale(rp, capacity.rules) / part.scale);
      }
    }
    const elf::OffloadStats stats = session.offloader.stats();
    const double sent = static_cast<double>(stats.bytesSent) +
                        static_cast<double>(stats.partsSent) * elf::BandwidthControl::kRequestBytes;
    const auto chosen = control_.choose(item.entered, settings.bandwidth * kBytesOfKilobit, sent,
                                        load, settings.jpegQuality);
    if (!chosen) return false;
    choice = *chosen;
    if (choice.scale < 1)
      for (elf::Part& part : item.record.plan->parts) part.scale *= choice.scale;
    settings.jpegQuality = choice.quality;
  }
  const std::lock_guard lock(mutex_);
  sending_ = choice;
  return true;
}

// Encodes each part and posts it at once, so that the first server works while the rest is encoded.
bool Offload::sendParts(const ItemPtr& item, Session& session, const Settings& settings) {
  const auto mapped = elf::gst::MappedFrame::map(info_, item->buffer, GST_MAP_READ);
  if (!mapped) {
    GST_ELEMENT_ERROR(element_, STREAM, FORMAT,
                      ("A buffer of %" G_GSIZE_FORMAT " bytes holds no frame of %dx%d.",
                       gst_buffer_get_size(item->buffer), info_.width, info_.height),
                      ("gst_video_frame_map() failed"));
    return false;
  }
  const elf::Size size = mapped->view().size;
  const std::vector<elf::ServerState> servers = session.offloader.capacity().servers;
  const std::vector<elf::Part>& parts = item->record.plan->parts;
  if (parts.empty()) {
    item->record.wholeBytes = wholeBytes(*mapped, session, servers, settings);
    item->answered = true;
    return true;
  }
  std::optional<Clock::time_point> deadline;
  if (const auto limit = settings.timeLimit()) deadline = item->entered + *limit;
  const auto ticket = session.offloader.begin(
      item->record.id, item->record.generation, size, parts, deadline,
      [this, weak = std::weak_ptr(item)](std::vector<elf::PartAnswer> answers) {
        const ItemPtr answered = weak.lock();
        if (!answered) return;
        const std::lock_guard lock(mutex_);
        answered->answers = std::move(answers);
        answered->answeredAt = Clock::now();
        answered->answered = true;
        changed_.notify_all();
      },
      item->record.trace);
  Clock::duration encoding{};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].rect.empty() || !contains(elf::wholeFrame(size), parts[i].rect)) {
      session.offloader.fail(ticket, i, "the part is not inside the frame");
      continue;
    }
    const auto begun = Clock::now();
    const auto server = static_cast<std::size_t>(parts[i].server);
    const bool raw = server < servers.size() && settings.isRaw(servers[server]);
    auto image = encode(*mapped, parts[i], raw, settings.jpegQuality);
    encoding += Clock::now() - begun;
    if (image && !raw) noteFile(item->record, i, image.value().data.size(), settings);
    if (image)
      session.offloader.send(ticket, i, std::move(image).value());
    else
      session.offloader.fail(ticket, i, image.error());
  }
  item->record.timings.encode = std::chrono::duration_cast<elf::Microseconds>(encoding);
  // While the servers work.
  if (item->record.wholeBytes == 0)
    item->record.wholeBytes = wholeBytes(*mapped, session, servers, settings);
  return true;
}

// Learns from a JPEG how large they get.
void Offload::noteFile(elf::FrameRecord& record, std::size_t part, std::size_t bytes,
                       const Settings& settings) {
  const elf::Size sent = record.plan->parts[part].sentSize();
  if (settings.bandwidth != kNoBudget) control_.encoded(sent.area(), bytes, settings.jpegQuality);
  if (sent != record.size) return;
  whole_.measured(sent, sent, bytes, settings.jpegQuality);
  record.wholeBytes = bytes;
}

// What the frame would be, sent as it is where there is no plan, at the quality of this frame.
std::size_t Offload::wholeBytes(const elf::gst::MappedFrame& frame, const Session& session,
                                const std::vector<elf::ServerState>& servers,
                                const Settings& settings) {
  constexpr double kRawBytes = 3;
  const elf::Size size = frame.view().size;
  const auto best = static_cast<std::size_t>(session.offloader.bestServer(size));
  // One that was added meanwhile is in no list yet.
  if (best < servers.size() && settings.isRaw(servers[best]))
    return static_cast<std::size_t>(size.area() * kRawBytes);
  do {
    const elf::Rect tile = whole_.nextTile(size);
    const auto file = encoder_->encode(frame.view(), tile, tile.size(), settings.jpegQuality);
    if (!file) return 0;
    whole_.measured(size, tile.size(), file.value().size(), settings.jpegQuality);
  } while (whole_.tiles() < elf::WholeFrameEstimate::kFirstTiles);
  return static_cast<std::size_t>(whole_.bytes(size, settings.jpegQuality));
}

elf::Result<elf::wire::Tensor> Offload::encode(const elf::gst::MappedFrame& frame,
                                               const elf::Part& part, bool raw, int jpegQuality) {
  using Image = elf::Result<elf::wire::Tensor>;
  const elf::Size sent = part.sentSize();
  if (raw) {
    const auto rgb = cutter_.cut(frame, part.rect, sent);
    if (rgb.empty()) return Image::failure("GStreamer can't convert the frame to RGB");
    return elf::wire::rawImage(rgb, sent);
  }
  const auto file = encoder_->encode(frame.view(), part.rect, sent, jpegQuality);
  if (!file) return Image::failure(file.error());
  return elf::wire::encodedImage(file.value());
}

// Queues an event or a query, also where downstream is at EOS: a new segment may follow.
GstFlowReturn Offload::enqueue(const ItemPtr& item) {
  const std::lock_guard lock(mutex_);
  if (!flows()) return flow_;
  queue_.push_back(item);
  changed_.notify_all();
  return GST_FLOW_OK;
}

// With mutex_ held.
bool Offload::willBeginAnew() const {
  return std::ranges::any_of(
      queue_, [](const ItemPtr& item) { return item->event && beginsAnew(item->event); });
}

// With mutex_ held.
template <typename Which>
void Offload::freeSlot(Which&& which) {
  const auto slot = std::ranges::find_if(slots_, which);
  if (slot == slots_.end()) return;
  slots_.erase(slot);
  changed_.notify_all();
}

GstFlowReturn Offload::sinkEvent(GstEvent* event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_START:
      flushStart(event);
      return GST_FLOW_OK;
    case GST_EVENT_FLUSH_STOP:
      gst_pad_push_event(srcpad_, event);
      forgetStream();
      setFlushing(false);
      startTask();
      return GST_FLOW_OK;
    case GST_EVENT_CAPS: {
      GstCaps* caps = nullptr;
      gst_event_parse_caps(event, &caps);
      setCaps(caps);
      break;
    }
    case GST_EVENT_SEGMENT:
      gst_event_copy_segment(event, &segment_);
      break;
    default:
      break;
  }
  if (!hasFlag(event, GST_EVENT_TYPE_SERIALIZED))
    return gst_pad_push_event(srcpad_, event) ? GST_FLOW_OK : GST_FLOW_ERROR;

  const auto item = std::make_shared<Item>();
  item->event = event;
  const GstFlowReturn flow = enqueue(item);
  // Upstream pushes nothing more that could return the flow: the application must hear of it.
  if (GST_EVENT_TYPE(event) == GST_EVENT_EOS && isFailure(flow))
    GST_ELEMENT_FLOW_ERROR(element_, flow);
  return flow;
}

gboolean Offload::serializedQuery(GstQuery* query) {
  const auto item = std::make_shared<Item>();
  item->query = query;
  if (enqueue(item) != GST_FLOW_OK) return FALSE;
  Lock lock(mutex_);
  // While the task runs the query, it must not go away.
  changed_.wait(lock, [&] {
    return item->progress == Item::Finished || (item->progress == Item::Waiting && !flows());
  });
  std::erase(queue_, item);
  return item->result;
}

// With mutex_ held. Frames that nobody wants any more wait for no answer.
bool Offload::mayLeave(const Item& item) const {
  return !item.buffer || item.answered || flow_ == GST_FLOW_EOS;
}

void Offload::loop() {
  ItemPtr item;
  {
    Lock lock(mutex_);
    changed_.wait(lock,
                  [this] { return !flows() || (!queue_.empty() && mayLeave(*queue_.front())); });
    if (!flows()) return endTask(lock);
    item = std::move(queue_.front());
    queue_.pop_front();
    item->progress = Item::Running;
    if (item->event && beginsAnew(item->event) && flow_ == GST_FLOW_EOS) {
      flow_ = GST_FLOW_OK;
      changed_.notify_all();
    }
  }
  if (item->buffer) {
    const GstFlowReturn flow = pushFrame(*item);
    const std::lock_guard lock(mutex_);
    freeSlot([&](const Slot& slot) { return slot.item == item.get(); });
    if (flow_ == GST_FLOW_OK) flow_ = flow;
    changed_.notify_all();
  } else if (item->event) {
    gst_pad_push_event(srcpad_, std::exchange(item->event, nullptr));
  } else {
    const bool result = runQuery(item->query);
    const std::lock_guard lock(mutex_);
    item->result = result;
    item->progress = Item::Finished;
    changed_.notify_all();
  }
}

void Offload::endTask(Lock& lock) {
  const GstFlowReturn flow = flow_;
  const bool eos = std::ranges::any_of(queue_, [](const ItemPtr& item) {
    return item->event && GST_EVENT_TYPE(item->event) == GST_EVENT_EOS;
  });
  // Under the lock, or a RECONFIGURE could start the task between the look at flow_ and the pause.
  gst_pad_pause_task(srcpad_);
  lock.unlock();
  if (eos && isFailure(flow)) GST_ELEMENT_FLOW_ERROR(element_, flow);
}

void Offload::logWay(const elf::FrameRecord& record) const {
  for (std::size_t i = 0; i < record.answers.size(); ++i) {
    const elf::PartAnswer& answer = record.answers[i];
    const elf::Part& part = record.plan->parts[i];
    const elf::Size sent = part.sentSize();
    GST_CAT_LEVEL_LOG(
        GST_CAT_DEFAULT,
        answer.state == elf::AnswerState::Answered ? GST_LEVEL_LOG : GST_LEVEL_INFO, element_,
        "%s: part %d, %s %dx%d at %d,%d sent as %dx%d, to %s, span %s: %d attempts, %.1f ms, %s",
        record.name().c_str(), static_cast<int>(i), std::string(elf::toString(part.kind)).c_str(),
        part.rect.width, part.rect.height, part.rect.x, part.rect.y, sent.width, sent.height,
        urlOf(record, answer.server).c_str(), answer.span.c_str(), answer.attempts,
        milliseconds(answer.roundTrip), answer.error.empty() ? "answered" : answer.error.c_str());
  }
  GST_LOG_OBJECT(element_, "%s: %d parts, %" G_GSIZE_FORMAT " bytes, %.1f ms%s",
                 record.name().c_str(), static_cast<int>(record.answers.size()), record.bytesSent(),
                 milliseconds(record.timings.offload), record.skipped ? ", skipped" : "");
}

// With mutex_ held, which it gives up. Returns what downstream says of a frame that it does not
// want; upstream of elfmerge somebody may wait for what that will say of it.
GstFlowReturn Offload::refuse(Lock& lock, const elf::FrameRecord& record) {
  const GstFlowReturn flow = flow_;
  lock.unlock();
  gst_pad_push_event(sinkpad_, elf::gst::newDetectionsEvent(std::make_shared<const elf::Feedback>(
                                   elf::Feedback{.id = record.id,
                                                 .generation = record.generation,
                                                 .size = record.size,
                                                 .skipped = true})));
  return flow;
}

GstFlowReturn Offload::pushFrame(Item& item) {
  elf::FrameRecord& record = item.record;
  {
    Lock lock(mutex_);
    if (flow_ != GST_FLOW_OK) return refuse(lock, record);
    record.answers = std::move(item.answers);
    record.capacity = capacityNow();
  }
  if (!record.answers.empty())
    record.timings.offload =
        std::chrono::duration_cast<elf::Microseconds>(item.answeredAt - item.entered);
  logWay(record);
  GstBuffer* buffer = gst_buffer_make_writable(std::exchange(item.buffer, nullptr));
  elf::gst::setRecord(buffer, std::make_shared<const elf::FrameRecord>(std::move(record)));
  return gst_pad_push(srcpad_, buffer);
}

gboolean Offload::runQuery(GstQuery* query) {
  if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION) return gst_pad_peer_query(srcpad_, query);
  elf::gst::forwardAllocation(srcpad_, query);
  // The frames that wait here for answers are not back in the pool.
  const Settings settings = this->settings();
  const auto held = static_cast<guint>(settings.maxInFlight + (settings.leaky ? kMostWaiting : 0));
  const guint pools = gst_query_get_n_allocation_pools(query);
  for (guint i = 0; i < pools; ++i) {
    GstBufferPool* pool = nullptr;
    guint size = 0, least = 0, most = 0;
    gst_query_parse_nth_allocation_pool(query, i, &pool, &size, &least, &most);
    gst_query_set_nth_allocation_pool(query, i, pool, size, least + held,
                                      most == 0 ? 0 : most + held);
    if (pool) gst_object_unref(pool);
  }
  GstCaps* caps = nullptr;
  GstVideoInfo info;
  gst_query_parse_allocation(query, &caps, nullptr);
  if (pools == 0 && caps && gst_video_info_from_caps(&info, caps))
    gst_query_add_allocation_pool(query, nullptr, static_cast<guint>(info.size), held, 0);
  return TRUE;
}

gboolean Offload::srcEvent(GstEvent* event) {
  if (const elf::FeedbackPtr feedback = elf::gst::parseDetectionsEvent(event)) {
    // First upstream, so that the next frame's prediction has seen it when chain() returns.
    gst_pad_push_event(sinkpad_, event);
    const std::lock_guard lock(mutex_);
    const Key key{feedback->generation, feedback->id};
    freeSlot([&](const Slot& slot) { return slot.key == key; });
    return TRUE;
  }
  if (GST_EVENT_TYPE(event) == GST_EVENT_QOS) {
    GstClockTimeDiff difference = 0;
    GstClockTime time = GST_CLOCK_TIME_NONE;
    gst_event_parse_qos(event, nullptr, nullptr, &difference, &time);
    const std::lock_guard lock(mutex_);
    earliest_ = GST_CLOCK_TIME_NONE;
    if (GST_CLOCK_TIME_IS_VALID(time) &&
        (difference >= 0 || time > static_cast<GstClockTime>(-difference)))
      earliest_ = time + static_cast<GstClockTime>(difference);
  }
  if (GST_EVENT_TYPE(event) == GST_EVENT_RECONFIGURE) {
    const std::lock_guard lock(mutex_);
    // As queue does: somebody seems to be linked now.
    if (flow_ == GST_FLOW_NOT_LINKED) {
      flow_ = GST_FLOW_OK;
      startTask();
    }
  }
  return gst_pad_push_event(sinkpad_, event);
}

gboolean Offload::latency(GstQuery* query) {
  if (!gst_pad_peer_query(sinkpad_, query)) return FALSE;
  gboolean live = FALSE;
  GstClockTime least = 0, most = GST_CLOCK_TIME_NONE;
  gst_query_parse_latency(query, &live, &least, &most);
  if (!live) return TRUE;
  bool firstRefusal = false;
  std::optional<std::chrono::milliseconds> limit;
  {
    const std::lock_guard lock(mutex_);
    limit = settings_.timeLimit();
    if (!limit) firstRefusal = !std::exchange(latencyRefused_, true);
  }
  if (firstRefusal)
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS,
                      ("deadline: must not be -1 where the source is live."),
                      ("the latency of a live pipeline has to be known"));
  if (!limit) return FALSE;
  const auto added = static_cast<GstClockTime>(limit->count()) * GST_MSECOND;
  gst_query_set_latency(query, TRUE, least + added,
                        GST_CLOCK_TIME_IS_VALID(most) ? most + added : most);
  return TRUE;
}

}  // namespace

struct _GstElfOffload {
  GstElement parent;
  GstPad* sinkpad;
  GstPad* srcpad;
  Offload* offload;
};

enum {
  PROP_0,
  PROP_SERVERS,
  PROP_MODEL,
  PROP_MODEL_VERSION,
  PROP_TENSOR_NAMES,
  PROP_DEADLINE,
  PROP_MAX_IN_FLIGHT,
  PROP_ENCODING,
  PROP_JPEG_QUALITY,
  PROP_BANDWIDTH,
  PROP_QOS,
  PROP_LEAKY,
  PROP_HEDGING,
  PROP_CA_FILE,
  PROP_CLIENT_CERTIFICATE,
  PROP_CLIENT_KEY,
  PROP_TOKEN_FILE,
  PROP_STATS
};

#define gst_elf_offload_parent_class parent_class
G_DEFINE_TYPE_WITH_CODE(GstElfOffload, gst_elf_offload, GST_TYPE_ELEMENT,
                        GST_DEBUG_CATEGORY_INIT(elfoffload_debug, "elfoffload", 0,
                                                "Elf: offloading of parts"))
GST_ELEMENT_REGISTER_DEFINE(elfoffload, "elfoffload", GST_RANK_NONE, GST_TYPE_ELF_OFFLOAD)

static GType gst_elf_encoding_get_type(void) {
  static GType type = 0;
  if (g_once_init_enter(&type)) {
    const GType made = elf::gst::registerChoice("GstElfEncoding", elf::encodingChoices());
    g_once_init_leave(&type, made);
  }
  return type;
}

static std::string text_of(const GValue* value) {
  const gchar* text = g_value_get_string(value);
  return text ? text : "";
}

/** The setting that is a file's name and no more; null for another property. */
static std::string elf::ClientSecurity::*file_of(guint id) {
  switch (id) {
    case PROP_CA_FILE:
      return &elf::ClientSecurity::caFile;
    case PROP_CLIENT_CERTIFICATE:
      return &elf::ClientSecurity::clientCertificate;
    case PROP_CLIENT_KEY:
      return &elf::ClientSecurity::clientKey;
    case PROP_TOKEN_FILE:
      return &elf::ClientSecurity::tokenFile;
    default:
      return nullptr;
  }
}

static void gst_elf_offload_set_property(GObject* object, guint id, const GValue* value,
                                         GParamSpec* spec) {
  Offload* offload = GST_ELF_OFFLOAD(object)->offload;
  switch (id) {
    case PROP_SERVERS:
      offload->setServers(text_of(value));
      break;
    case PROP_MODEL:
      offload->change([&](Settings& settings) { settings.model = text_of(value); });
      break;
    case PROP_MODEL_VERSION:
      offload->change([&](Settings& settings) { settings.modelVersion = text_of(value); });
      break;
    case PROP_TENSOR_NAMES:
      offload->change([&](Settings& settings) { settings.tensorNames = text_of(value); });
      break;
    case PROP_DEADLINE: {
      int before = 0;
      offload->change([&](Settings& settings) {
        before = std::exchange(settings.deadline, g_value_get_int(value));
      });
      if (before != g_value_get_int(value))
        gst_element_post_message(GST_ELEMENT(object), gst_message_new_latency(GST_OBJECT(object)));
      break;
    }
    case PROP_MAX_IN_FLIGHT:
      offload->change([&](Settings& settings) { settings.maxInFlight = g_value_get_int(value); });
      break;
    case PROP_ENCODING:
      offload->change([&](Settings& settings) {
        settings.encoding = static_cast<elf::Encoding>(g_value_get_enum(value));
      });
      break;
    case PROP_JPEG_QUALITY:
      offload->change([&](Settings& settings) { settings.jpegQuality = g_value_get_int(value); });
      break;
    case PROP_BANDWIDTH:
      offload->change([&](Settings& settings) { settings.bandwidth = g_value_get_int(value); });
      break;
    case PROP_QOS:
      offload->change([&](Settings& settings) { settings.qos = g_value_get_boolean(value); });
      break;
    case PROP_LEAKY:
      offload->change([&](Settings& settings) { settings.leaky = g_value_get_boolean(value); });
      break;
    case PROP_HEDGING:
      offload->setHedging(g_value_get_double(value));
      break;
    case PROP_CA_FILE:
    case PROP_CLIENT_CERTIFICATE:
    case PROP_CLIENT_KEY:
    case PROP_TOKEN_FILE:
      offload->change([&](Settings& settings) { settings.security.*file_of(id) = text_of(value); });
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void gst_elf_offload_get_property(GObject* object, guint id, GValue* value,
                                         GParamSpec* spec) {
  Offload* offload = GST_ELF_OFFLOAD(object)->offload;
  const Settings settings = offload->settings();
  switch (id) {
    case PROP_SERVERS:
      g_value_set_string(value, settings.servers.c_str());
      break;
    case PROP_MODEL:
      g_value_set_string(value, settings.model.c_str());
      break;
    case PROP_MODEL_VERSION:
      g_value_set_string(value, settings.modelVersion.c_str());
      break;
    case PROP_TENSOR_NAMES:
      g_value_set_string(value, settings.tensorNames.c_str());
      break;
    case PROP_DEADLINE:
      g_value_set_int(value, settings.deadline);
      break;
    case PROP_MAX_IN_FLIGHT:
      g_value_set_int(value, settings.maxInFlight);
      break;
    case PROP_ENCODING:
      g_value_set_enum(value, static_cast<int>(settings.encoding));
      break;
    case PROP_JPEG_QUALITY:
      g_value_set_int(value, settings.jpegQuality);
      break;
    case PROP_BANDWIDTH:
      g_value_set_int(value, settings.bandwidth);
      break;
    case PROP_QOS:
      g_value_set_boolean(value, settings.qos);
      break;
    case PROP_LEAKY:
      g_value_set_boolean(value, settings.leaky);
      break;
    case PROP_HEDGING:
      g_value_set_double(value, settings.hedging);
      break;
    case PROP_CA_FILE:
    case PROP_CLIENT_CERTIFICATE:
    case PROP_CLIENT_KEY:
    case PROP_TOKEN_FILE: {
      const std::string& file = settings.security.*file_of(id);
      g_value_set_string(value, file.empty() ? nullptr : file.c_str());
      break;
    }
    case PROP_STATS:
      g_value_take_boxed(value, offload->stats());
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static GstFlowReturn gst_elf_offload_chain(GstPad*, GstObject* parent, GstBuffer* buffer) {
  return elf::gst::guarded(GST_ELEMENT(parent), GST_FLOW_ERROR,
                           [&] { return GST_ELF_OFFLOAD(parent)->offload->chain(buffer); });
}

static GstFlowReturn gst_elf_offload_sink_event(GstPad*, GstObject* parent, GstEvent* event) {
  return elf::gst::guarded(GST_ELEMENT(parent), GST_FLOW_ERROR,
                           [&] { return GST_ELF_OFFLOAD(parent)->offload->sinkEvent(event); });
}

static gboolean gst_elf_offload_sink_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  return elf::gst::guarded(GST_ELEMENT(parent), FALSE, [&]() -> gboolean {
    Offload* offload = GST_ELF_OFFLOAD(parent)->offload;
    if (elf::gst::isCapacityQuery(query)) {
      offload->answerCapacity(query);
      return TRUE;
    }
    if (elf::gst::answerServersQuery(GST_ELEMENT(parent), query)) return TRUE;
    if (gst_query_type_get_flags(GST_QUERY_TYPE(query)) & GST_QUERY_TYPE_SERIALIZED)
      return offload->serializedQuery(query);
    return gst_pad_query_default(pad, parent, query);
  });
}

static gboolean gst_elf_offload_src_event(GstPad*, GstObject* parent, GstEvent* event) {
  return elf::gst::guarded(GST_ELEMENT(parent), FALSE,
                           [&] { return GST_ELF_OFFLOAD(parent)->offload->srcEvent(event); });
}

static gboolean gst_elf_offload_src_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  return elf::gst::guarded(GST_ELEMENT(parent), FALSE, [&]() -> gboolean {
    if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY)
      return GST_ELF_OFFLOAD(parent)->offload->latency(query);
    if (elf::gst::answerServersQuery(GST_ELEMENT(parent), query)) return TRUE;
    return gst_pad_query_default(pad, parent, query);
  });
}

static gboolean gst_elf_offload_sink_activate_mode(GstPad*, GstObject* parent, GstPadMode mode,
                                                   gboolean active) {
  if (mode != GST_PAD_MODE_PUSH) return FALSE;
  return elf::gst::guarded(GST_ELEMENT(parent), FALSE, [&] {
    GST_ELF_OFFLOAD(parent)->offload->setFlushing(!active);
    return TRUE;
  });
}

static gboolean gst_elf_offload_src_activate_mode(GstPad* pad, GstObject* parent, GstPadMode mode,
                                                  gboolean active) {
  if (mode != GST_PAD_MODE_PUSH) return FALSE;
  return elf::gst::guarded(GST_ELEMENT(parent), FALSE, [&]() -> gboolean {
    Offload* offload = GST_ELF_OFFLOAD(parent)->offload;
    offload->setFlushing(!active);
    if (!active) return gst_pad_stop_task(pad);
    offload->startTask();
    return TRUE;
  });
}

static GstStateChangeReturn gst_elf_offload_change_state(GstElement* element,
                                                         GstStateChange change) {
  Offload* offload = GST_ELF_OFFLOAD(element)->offload;
  return elf::gst::guarded(element, GST_STATE_CHANGE_FAILURE, [&] {
    if (change == GST_STATE_CHANGE_READY_TO_PAUSED) offload->start();
    const GstStateChangeReturn result =
        GST_ELEMENT_CLASS(parent_class)->change_state(element, change);
    if (change == GST_STATE_CHANGE_PAUSED_TO_READY ||
        (change == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE))
      offload->stop();
    return result;
  });
}

static GstPad* new_pad(GstElfOffload* self, const char* name) {
  GstElementClass* klass = GST_ELEMENT_GET_CLASS(self);
  return gst_pad_new_from_template(gst_element_class_get_pad_template(klass, name), name);
}

static void gst_elf_offload_init(GstElfOffload* self) {
  self->sinkpad = new_pad(self, "sink");
  gst_pad_set_chain_function(self->sinkpad, GST_DEBUG_FUNCPTR(gst_elf_offload_chain));
  gst_pad_set_event_full_function(self->sinkpad, GST_DEBUG_FUNCPTR(gst_elf_offload_sink_event));
  gst_pad_set_query_function(self->sinkpad, GST_DEBUG_FUNCPTR(gst_elf_offload_sink_query));
  gst_pad_set_activatemode_function(self->sinkpad,
                                    GST_DEBUG_FUNCPTR(gst_elf_offload_sink_activate_mode));
  GST_PAD_SET_PROXY_CAPS(self->sinkpad);
  gst_element_add_pad(GST_ELEMENT(self), self->sinkpad);

  self->srcpad = new_pad(self, "src");
  gst_pad_set_event_function(self->srcpad, GST_DEBUG_FUNCPTR(gst_elf_offload_src_event));
  gst_pad_set_query_function(self->srcpad, GST_DEBUG_FUNCPTR(gst_elf_offload_src_query));
  gst_pad_set_activatemode_function(self->srcpad,
                                    GST_DEBUG_FUNCPTR(gst_elf_offload_src_activate_mode));
  GST_PAD_SET_PROXY_CAPS(self->srcpad);
  gst_element_add_pad(GST_ELEMENT(self), self->srcpad);

  self->offload = new Offload(GST_ELEMENT(self), self->sinkpad, self->srcpad);
}

static void gst_elf_offload_finalize(GObject* object) {
  delete GST_ELF_OFFLOAD(object)->offload;
  G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void gst_elf_offload_class_init(GstElfOffloadClass* klass) {
  const auto flags = [](int mutability) {
    return static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | mutability);
  };
  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = gst_elf_offload_set_property;
  object_class->get_property = gst_elf_offload_get_property;
  object_class->finalize = gst_elf_offload_finalize;

  g_object_class_install_property(
      object_class, PROP_SERVERS,
      g_param_spec_string("servers", "Servers",
                          "Base URLs of the inference servers, separated by commas; a server that "
                          "is named twice gets two parts at a time, and a host name with several "
                          "addresses is as many servers",
                          "", flags(GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      object_class, PROP_MODEL,
      g_param_spec_string("model", "Model", "Name of the model on the servers", kDefaultModel,
                          flags(GST_PARAM_MUTABLE_READY)));
  g_object_class_install_property(
      object_class, PROP_MODEL_VERSION,
      g_param_spec_string("model-version", "Model version",
                          "Version of the model on the servers (empty = theirs to choose)", "",
                          flags(GST_PARAM_MUTABLE_READY)));
  g_object_class_install_property(
      object_class, PROP_TENSOR_NAMES,
      g_param_spec_string(
          "tensor-names", "Tensor names",
          "What the servers call image, boxes, scores, labels, masks and keypoints, "
          "as in image=input_1,boxes=dets; those of the .model file where not given",
          "", flags(GST_PARAM_MUTABLE_READY)));
  g_object_class_install_property(
      object_class, PROP_DEADLINE,
      g_param_spec_int("deadline", "Deadline",
                       "Milliseconds from entry until a frame goes on without the answers that are "
                       "missing; added to the latency of a live pipeline (-1 = none, not for live)",
                       kNoDeadline, G_MAXINT, kDefaultDeadline, flags(GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      object_class, PROP_MAX_IN_FLIGHT,
      g_param_spec_int("max-in-flight", "Max in flight",
                       "Frames that are sent before the first of them is answered", 1,
                       kMostInFlight, kDefaultMaxInFlight, flags(GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      object_class, PROP_ENCODING,
      g_param_spec_enum("encoding", "Encoding", "How pixels are sent", gst_elf_encoding_get_type(),
                        static_cast<int>(kDefaultEncoding), flags(GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      object_class, PROP_JPEG_QUALITY,
      g_param_spec_int("jpeg-quality", "JPEG quality",
                       "Quality of JPEGs that are sent, in percent: lower is smaller", 1, 100,
                       kDefaultJpegQuality, flags(GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      object_class, PROP_BANDWIDTH,
      g_param_spec_int("bandwidth", "Bandwidth",
                       "What may be sent, in kbit/s: JPEGs get no better than jpeg-quality and no "
                       "worse than 30, then parts smaller, then frames pass unsent (0 = no limit)",
                       0, G_MAXINT, kNoBudget, flags(GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      object_class, PROP_QOS,
      g_param_spec_boolean("qos", "QoS",
                           "Send nothing for frames that the sink would find too late; they pass "
                           "with what was predicted",
                           kDefaultQos, flags(GST_PARAM_MUTABLE_PLAYING)));
  const auto install_file = [&](guint id, const char* name, const char* nick, const char* blurb) {
    g_object_class_install_property(
        object_class, id,
        g_param_spec_string(name, nick, blurb, nullptr, flags(GST_PARAM_MUTABLE_READY)));
  };
  install_file(PROP_CA_FILE, "ca-file", "CA file",
               "PEM file of the authorities that vouch for https:// servers (unset: the system's)");
  install_file(PROP_CLIENT_CERTIFICATE, "client-certificate", "Client certificate",
               "PEM file of the certificate, and its key unless client-key is set, that is shown "
               "to servers that ask for one");
  install_file(PROP_CLIENT_KEY, "client-key", "Client key",
               "PEM file of the key of client-certificate");
  install_file(PROP_TOKEN_FILE, "token-file", "Token file",
               "File with the bearer token that is sent to the servers; read when the element "
               "starts");
  g_object_class_install_property(
      object_class, PROP_LEAKY,
      g_param_spec_boolean("leaky", "Leaky",
                           "Send nothing for frames that come while max-in-flight others are "
                           "unanswered, rather than have upstream wait; they pass in order with "
                           "what was predicted",
                           kDefaultLeaky, flags(GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      object_class, PROP_HEDGING,
      g_param_spec_double("hedging", "Hedging",
                          "Extra requests for parts that are late, to a second server, in percent "
                          "of all requests (0 = none)",
                          0, 100, kDefaultHedging, flags(GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      object_class, PROP_STATS,
      g_param_spec_boxed("stats", "Statistics",
                         "Counts since the start: frames, skipped, parts-sent, parts-failed, "
                         "parts-late, parts-retried, parts-hedged, hedges-won, bytes-sent, "
                         "bytes-whole (what whole frames would have been), pixels-sent; quality "
                         "and scale of the last frame; and "
                         "servers: for each its url, healthy, answers, fixed-ms, ms-per-megapixel, "
                         "ms-per-megabyte, outstanding-ms",
                         GST_TYPE_STRUCTURE,
                         static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));

  auto* element_class = GST_ELEMENT_CLASS(klass);
  elf::gst::addVideoPads(element_class);
  gst_element_class_set_static_metadata(
      element_class, "Elf offload", "Filter/Analyzer/Video",
      "Has the parts of each frame inferred by remote servers, all in parallel",
      "The Elf for GStreamer authors");
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_elf_offload_change_state);
  gst_type_mark_as_plugin_api(gst_elf_encoding_get_type(), static_cast<GstPluginAPIFlags>(0));
}
