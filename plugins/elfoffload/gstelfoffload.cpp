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
 *   a time. A frame that is answered makes room for the next one at once: it waits here, in a queue
 *   that is bounded by time and bytes, until downstream takes it.
 * - A part that fails is sent to another server, and one that takes longer than nineteen of twenty
 *   to a second one too (`hedging`). A frame that is not answered by its `deadline` goes on with
 *   boxes that are predicted to its own time. An answer that comes late still tells where objects
 *   are. Frames are never dropped.
 * - Under a budget (`bandwidth`) JPEGs are made as good as it allows, then parts smaller, and then
 *   frames pass for which nothing is sent.
 * - Late in QoS terms (`qos`), or one too many (`leaky`, or where all that are under way are late):
 *   the frame passes with predicted boxes, and nothing is sent.
 * - A server that cannot be reached, or fails three times in a row, is left out, and asked with a
 *   growing pause whether it is back. The last one that goes is one warning.
 * - `servers` may change while playing; a host name is looked up every five seconds.
 * - Live: `deadline` counts from when a frame was captured. It is added to the latency of the
 *   pipeline, and must not be -1.
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

#include <gst/video/video.h>

#include <algorithm>
#include <atomic>
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
#include "elf/model/model_file.h"
#include "elf/offload/server_url.h"
#include "elf/stream/frame_sender.h"
#include "gst/elfvision/gstelfallocation.h"
#include "gst/elfvision/gstelfboundary.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfrgb.h"
#include "gst/elfvision/gstelfservers.h"
#include "gst/elfvision/gstelfsettings.h"
#include "gst/elfvision/gstelfstream.h"
#include "gst/elfvision/gstelfvideo.h"

GST_DEBUG_CATEGORY_STATIC(elfoffload_debug);
#define GST_CAT_DEFAULT elfoffload_debug

namespace {

using Clock = std::chrono::steady_clock;
using Lock = std::unique_lock<std::mutex>;
using elf::gst::StreamPtr;
using std::chrono::milliseconds;

constexpr int kNoDeadline = -1;
constexpr int kUsualDeadline = 0;
/** What that is, where somebody watches, and where the source waits. */
constexpr milliseconds kLiveDeadline{500}, kOtherDeadline{2000};
constexpr int kMostInFlight = 64;
constexpr int kNoBudget = 0;
/** Of the deadline of live frames it is left to those behind this element. */
constexpr milliseconds kTimeBehind{5};
/** How long the servers' metadata, trials and probes are waited for where there is no deadline. */
constexpr milliseconds kReadyWait =
    2 * elf::ServerSet::kQuestionTimeout + elf::ServerSet::kTrialTimeout;
/** What waits for downstream at most. */
constexpr std::size_t kMostBytesHeld = std::size_t{512} << 20;
/** Where there is no deadline. */
constexpr GstClockTime kLeastTimeHeld = GST_SECOND;
/** Of frames without time stamps. */
constexpr std::size_t kMostFramesHeld = 30;

struct Settings {
  std::string servers;
  std::string model = "hog";
  std::string modelVersion;
  std::string tensorNames;
  /** In milliseconds. */
  int deadline = kUsualDeadline;
  int maxInFlight = 1;
  /** An elf::Encoding. */
  int encoding = static_cast<int>(elf::Encoding::Auto);
  int jpegQuality = 90;
  /** In kbit/s. */
  int bandwidth = kNoBudget;
  bool qos = true;
  bool leaky = false;
  /** Percent. */
  double hedging = 5;
  elf::ClientSecurity security;

  std::optional<milliseconds> timeLimit(bool live) const {
    if (deadline == kNoDeadline) return std::nullopt;
    if (deadline == kUsualDeadline) return live ? kLiveDeadline : kOtherDeadline;
    return milliseconds(deadline);
  }
  elf::EncodingSettings encodingSettings() const {
    return {static_cast<elf::Encoding>(encoding), jpegQuality, bandwidth};
  }
};

/** What is queued between the sink pad and the task of the src pad: exactly one of the three. */
struct Item {
  GstBuffer* buffer = nullptr;
  GstEvent* event = nullptr;
  /** Belongs to the thread that waits for it in serializedQuery(). */
  GstQuery* query = nullptr;

  /** Of a buffer, once the loop is done with it. */
  elf::FrameRecordPtr record;

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

/** The pixels of a mapped frame. */
class MappedPixels : public elf::FramePixels {
 public:
  MappedPixels(const elf::gst::MappedFrame& frame, elf::gst::RgbCutter& cutter)
      : frame_(frame), cutter_(cutter) {}
  elf::ImageView view() const override { return frame_.view(); }
  std::span<const std::uint8_t> rgb(const elf::Rect& rect, elf::Size sent) override {
    return cutter_.cut(frame_, rect, sent);
  }

 private:
  const elf::gst::MappedFrame& frame_;
  elf::gst::RgbCutter& cutter_;
};

constexpr double kMilliseconds = 1e3;
constexpr double kMega = 1e6;

double inMilliseconds(elf::Microseconds time) {
  return static_cast<double>(time.count()) * 1e-3;
}

/** What the server says of its time, for the log; empty where it says nothing. */
std::string accountOf(const elf::Lesson& lesson) {
  std::string account;
  const auto add = [&](const char* what, const std::optional<elf::Microseconds>& time) {
    if (time)
      account += std::string(", ") + what + " " + elf::formatNumber(inMilliseconds(*time), 1);
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
class Offload : public elf::gst::WithSettings<Offload, Settings> {
 public:
  Offload(GstElement* element, GstPad* sinkpad, GstPad* srcpad)
      : element_(element), sinkpad_(sinkpad), srcpad_(srcpad), entry_(element) {
    gst_video_info_init(&info_);
    gst_segment_init(&segment_, GST_FORMAT_UNDEFINED);
  }

  static std::span<const Property> properties();

  void start();
  void stop();
  /** When a pad is activated or deactivated, and for flushes: wakes every wait. Returns what was
   * queued, and is dropped. */
  std::deque<ItemPtr> setFlushing(bool flushing);
  void startTask();

  // The sink pad.
  GstFlowReturn chain(GstBuffer* buffer);
  GstFlowReturn sinkEvent(GstEvent* event);
  gboolean serializedQuery(GstQuery* query);
  bool takeOffer(GstQuery* query);

  // The src pad.
  void srcEvent(GstEvent* event);
  gboolean latency(GstQuery* query);

 private:
  struct Session;

  void applySettings();
  void setServers();
  GstStructure* stats();
  std::shared_ptr<Session> session();
  void warnOfClearToken(const std::vector<std::string>& urls, const Settings& settings);
  void flushStart(GstEvent* event);

  elf::Slots::Limits limits() const;
  void setLimits();
  bool attach(const StreamPtr& stream, const std::shared_ptr<Session>& session);
  std::vector<StreamPtr> streams();
  std::optional<elf::FrameRecord> recordOf(GstBuffer* buffer,
                                           const std::shared_ptr<Session>& session);
  void askUpstreamsLatency();
  Clock::duration waitedBefore(GstBuffer* buffer) const;
  std::optional<Clock::time_point> dueTime(GstBuffer* buffer) const;
  bool isLate(GstBuffer* buffer);
  GstClockTime mostTimeHeld() const;
  bool hasRoom() const;
  GstFlowReturn enqueue(const ItemPtr& item);
  bool willBeginAnew() const;

  void loop();
  bool mayLeave(const Item& item) const;
  void endTask(Lock& lock);
  void logWay(const elf::FrameRecord& record) const;
  GstFlowReturn pushFrame(Item& item);
  bool hasFrames();
  gboolean proposeAllocation(GstQuery* query);
  gboolean runQuery(GstQuery* query);
  void setFlow(GstFlowReturn flow);
  bool flows() const { return flow_ == GST_FLOW_OK || flow_ == GST_FLOW_EOS; }

  GstElement* const element_;
  GstPad* const sinkpad_;
  GstPad* const srcpad_;

  // The upstream streaming thread's, or anybody's while it is stopped.
  elf::gst::StreamEntry entry_;
  GstVideoInfo info_;
  GstSegment segment_;
  elf::gst::RgbCutter cutter_;
  bool warnedOfOther_ = false;

  /** As it was last told of. */
  std::atomic<int> deadline_ = kUsualDeadline;
  std::atomic<bool> live_ = false;
  /** What upstream adds before a frame comes here. */
  std::atomic<GstClockTime> upstreamLatency_ = 0;
  /** The latency of upstream is to be asked for. */
  std::atomic<bool> latencyUnknown_ = true;
  /** Bytes of a frame, and its time; 0: unknown. */
  std::atomic<std::size_t> frameBytes_ = 0;
  std::atomic<GstClockTime> frameTime_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<Session> session_;
  /** The property `servers` as the session has it. */
  std::string usedServers_;
  /** Those whose frames the session sends. */
  std::vector<std::weak_ptr<elf::Stream>> streams_;
  std::deque<ItemPtr> queue_;
  /** What chain() returns: FLUSHING while a pad is inactive or flushes, else what a push returned.
   */
  GstFlowReturn flow_ = GST_FLOW_FLUSHING;
  bool ready_ = false;
  /** Whoever needs the servers waits for them no longer than this. */
  Clock::time_point readyBy_;
  bool latencyRefused_ = false;
  /** Frames up to this running time are late for the sink. */
  GstClockTime earliest_ = GST_CLOCK_TIME_NONE;
  /** Of the whole pipeline, as it was last set. */
  GstClockTime pipelineLatency_ = 0;
  std::uint64_t frames_ = 0;
  std::uint64_t skipped_ = 0;
  /** Of the last run, once it is over. */
  elf::OffloadStats lastStats_;
  elf::FrameSender::Stats lastSent_;
  std::vector<elf::ServerState> lastServers_;
};

/** What lives from READY->PAUSED until PAUSED->READY. The listener runs in the transport's thread.
 */
struct Offload::Session : elf::OffloadListener {
  Session(Offload& user, elf::OffloadSettings offload, const Settings& settings,
          elf::ServerPoolPtr shared)
      : owner(user),
        pool(std::move(shared)),
        transport("elfoffload-io", settings.security),
        sender(std::move(offload), settings.encodingSettings(), *pool, transport, *this) {}

  void onReady() override {
    {
      const std::lock_guard lock(owner.mutex_);
      owner.ready_ = true;
    }
    for (const StreamPtr& stream : owner.streams()) stream->slots().setReady();
  }

  void onLearned(const elf::Lesson& lesson) override {
    const char* const url = lesson.url.c_str();
    GST_DEBUG_OBJECT(owner.element_, "%s: %s of %dx%d, %" G_GSIZE_FORMAT " bytes: %s%.1f ms%s", url,
                     lesson.probe ? "probe" : "part", lesson.sent.width, lesson.sent.height,
                     lesson.bytes, lesson.late ? "no answer after " : "",
                     inMilliseconds(lesson.roundTrip), accountOf(lesson).c_str());
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
  elf::FrameSender sender;
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

/** What the local `.model` file of that name says; nothing where there is none. */
elf::ModelFile localFile(const std::string& model) {
  try {
    return elf::loadModelFile(model);
  } catch (const elf::Error& error) {
    GST_INFO("no local rules: %s", error.what());
    return elf::remoteModel(model);
  }
}

/** Throws elf::Error, naming the property, where its value is no segment of a URL's path. */
void checkSegment(const char* property, const std::string& value) {
  if (value.find_first_of("/?#% ") != std::string::npos)
    throw elf::Error(property, "'" + value + "' is not a possible name");
}

std::shared_ptr<Offload::Session> Offload::session() {
  const std::lock_guard lock(mutex_);
  return session_;
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
  offload.network = localFile(settings.model);
  offload.localRules = offload.network.rules;
  offload.network.tensors = elf::withTensorNames(settings.tensorNames, offload.network.tensors);
  // Of a network they are its own: an elf-server beside it has those of the wire.
  if (!offload.network.sendsTensor) offload.tensors = offload.network.tensors;
  offload.hedging = settings.hedging / 100;
  offload.seed = g_random_int();
  entry_.start();
  gst_segment_init(&segment_, GST_FORMAT_UNDEFINED);
  gst_video_info_init(&info_);
  live_ = false;
  latencyUnknown_ = true;
  frameBytes_ = 0;
  frameTime_ = 0;
  warnedOfOther_ = false;
  GST_INFO_OBJECT(
      element_,
      "servers %s, model %s, deadline %d ms, %d in flight, encoding %s, JPEG quality "
      "%d, bandwidth %d kbit/s, qos %d, leaky %d, hedging %.1f %%",
      settings.servers.c_str(), settings.model.c_str(), settings.deadline, settings.maxInFlight,
      elf::encodingChoices()[static_cast<std::size_t>(settings.encoding)].name,
      settings.jpegQuality, settings.bandwidth, settings.qos, settings.leaky, settings.hedging);
  warnOfClearToken(offload.servers, settings);
  const auto session = std::make_shared<Session>(*this, std::move(offload), settings,
                                                 elf::gst::findServers(element_));
  {
    const std::lock_guard lock(mutex_);
    session_ = session;
    usedServers_ = settings.servers;
    ready_ = false;
    readyBy_ = Clock::now() + settings.timeLimit(false).value_or(kReadyWait);
    latencyRefused_ = false;
    pipelineLatency_ = 0;
    frames_ = skipped_ = 0;
  }
  session->sender.offloader().start();
  // They may have been set since `settings` were read.
  if (this->settings().servers != settings.servers) setServers();
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
  const std::vector<StreamPtr> streams = this->streams();
  std::shared_ptr<Session> session;
  {
    const std::lock_guard lock(mutex_);
    session = std::exchange(session_, nullptr);
    streams_.clear();
  }
  if (!session) return;
  for (const StreamPtr& stream : streams) stream->detach();
  session->sender.offloader().abandonAll();
  session->transport.stop();
  const std::lock_guard lock(mutex_);
  lastStats_ = session->sender.offloader().stats();
  lastSent_ = session->sender.stats();
  lastServers_ = session->sender.offloader().capacity().servers;
}

void Offload::applySettings() {
  const std::shared_ptr<Session> session = this->session();
  const Settings now = settings();
  if (deadline_.exchange(now.deadline) != now.deadline)
    gst_element_post_message(element_, gst_message_new_latency(GST_OBJECT(element_)));
  if (!session) return;
  session->sender.offloader().setHedging(now.hedging / 100);
  session->sender.setEncoding(now.encodingSettings());
  const std::lock_guard lock(mutex_);
  setLimits();
  changed_.notify_all();
}

void Offload::setServers() {
  const std::shared_ptr<Session> session = this->session();
  if (!session) return;
  const Settings now = settings();
  try {
    const std::vector<std::string> urls = elf::parseServers(now.servers);
    warnOfClearToken(urls, now);
    session->sender.offloader().setServers(urls);
    const std::lock_guard lock(mutex_);
    usedServers_ = now.servers;
  } catch (const elf::Error& error) {
    GST_ELEMENT_WARNING(element_, RESOURCE, SETTINGS, ("%s", error.what()),
                        ("the servers stay what they were"));
    std::string used;
    {
      const std::lock_guard lock(mutex_);
      used = usedServers_;
    }
    change([&](Settings& settings) { settings.servers = used; });
  }
}

GstStructure* Offload::stats() {
  const std::lock_guard lock(mutex_);
  const elf::OffloadStats stats = session_ ? session_->sender.offloader().stats() : lastStats_;
  const elf::FrameSender::Stats sent = session_ ? session_->sender.stats() : lastSent_;
  GstStructure* structure = gst_structure_new(
      "elf-offload-stats", "frames", G_TYPE_UINT64, guint64{frames_}, "skipped", G_TYPE_UINT64,
      guint64{skipped_}, "parts-sent", G_TYPE_UINT64, guint64{stats.partsSent}, "parts-failed",
      G_TYPE_UINT64, guint64{stats.partsFailed}, "parts-late", G_TYPE_UINT64,
      guint64{stats.partsLate}, "parts-retried", G_TYPE_UINT64, guint64{stats.partsRetried},
      "parts-hedged", G_TYPE_UINT64, guint64{stats.partsHedged}, "hedges-won", G_TYPE_UINT64,
      guint64{stats.hedgesWon}, "bytes-sent", G_TYPE_UINT64, guint64{stats.bytesSent},
      "bytes-whole", G_TYPE_UINT64, guint64{sent.wholeBytes}, "pixels-sent", G_TYPE_UINT64,
      static_cast<guint64>(stats.pixelsSent), "quality", G_TYPE_INT, sent.choice.quality, "scale",
      G_TYPE_DOUBLE, sent.choice.scale, nullptr);
  const std::vector<elf::ServerState> servers =
      session_ ? session_->sender.offloader().capacity().servers : lastServers_;
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

// --- flushing

// With mutex_ held: wakes whoever waits for something that may not come any more.
void Offload::setFlow(GstFlowReturn flow) {
  flow_ = flow;
  entry_.setStopped(flow != GST_FLOW_OK);
  setLimits();
  changed_.notify_all();
}

std::deque<ItemPtr> Offload::setFlushing(bool flushing) {
  std::deque<ItemPtr> dropped;
  {
    const std::lock_guard lock(mutex_);
    setFlow(flushing ? GST_FLOW_FLUSHING : GST_FLOW_OK);
    earliest_ = GST_CLOCK_TIME_NONE;
    if (flushing) dropped.swap(queue_);
  }
  if (flushing)
    for (const StreamPtr& stream : streams()) stream->abandon();
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

// --- whose frames they are

std::vector<StreamPtr> Offload::streams() {
  const std::lock_guard lock(mutex_);
  std::vector<StreamPtr> alive;
  std::erase_if(streams_, [&](const std::weak_ptr<elf::Stream>& each) {
    if (StreamPtr stream = each.lock()) alive.push_back(std::move(stream));
    return each.expired();
  });
  return alive;
}

// With mutex_ held. A stream whose frames downstream does not take has nothing to wait for.
elf::Slots::Limits Offload::limits() const {
  const Settings now = settings();
  return {.bounded = flow_ == GST_FLOW_OK,
          .maxInFlight = now.maxInFlight,
          .leaky = now.leaky,
          .live = live_,
          .deadline = now.timeLimit(live_),
          .ready = ready_,
          .readyBy = readyBy_};
}

// With mutex_ held.
void Offload::setLimits() {
  for (const auto& each : streams_)
    if (const StreamPtr stream = each.lock()) stream->slots().setLimits(limits());
}

// True where this element sends the stream's frames from now on, or did so already.
bool Offload::attach(const StreamPtr& stream, const std::shared_ptr<Session>& session) {
  const std::vector<StreamPtr> known = streams();
  if (std::ranges::find(known, stream) != known.end()) return true;
  {
    const std::lock_guard lock(mutex_);
    // An offer may come while the element stops: nobody would detach the stream any more.
    if (session != session_) return false;
    // The session goes with its sender, so that the transport outlives it.
    if (!stream->attach(std::shared_ptr<elf::FrameSender>(session, &session->sender), limits()))
      return false;
    streams_.push_back(stream);
  }
  elf::gst::offerStream(srcpad_, stream);
  return true;
}

bool Offload::takeOffer(GstQuery* query) {
  const StreamPtr stream = elf::gst::parseStreamQuery(query);
  if (!stream) return false;
  if (const std::shared_ptr<Session> session = this->session()) {
    askUpstreamsLatency();
    attach(stream, session);
  }
  return true;
}

// The record that the frame carries, if this element sends its stream's frames; else a new one.
std::optional<elf::FrameRecord> Offload::recordOf(GstBuffer* buffer,
                                                  const std::shared_ptr<Session>& session) {
  const elf::Size size{info_.width, info_.height};
  if (elf::FrameRecordPtr carried = entry_.onItsWay(buffer, size)) {
    const StreamPtr stream = carried->stream.lock();
    if (stream && attach(stream, session)) {
      if (!gst_buffer_is_writable(buffer)) return *carried;
      carried.reset();
      return elf::gst::takeRecord(buffer);
    }
    if (!std::exchange(warnedOfOther_, true))
      GST_ELEMENT_WARNING(element_, STREAM, FAILED,
                          ("Another elfoffload sends the frames of this stream."),
                          ("this one sends whole frames, and nobody learns from them"));
  }
  attach(entry_.own(), session);
  return entry_.enter(srcpad_, buffer, segment_, size);
}

// --- time

// What upstream adds to a frame's way here, and whether it is live.
void Offload::askUpstreamsLatency() {
  if (!latencyUnknown_.exchange(false)) return;
  GstQuery* query = gst_query_new_latency();
  gboolean live = FALSE;
  GstClockTime least = 0;
  if (gst_pad_peer_query(sinkpad_, query)) gst_query_parse_latency(query, &live, &least, nullptr);
  gst_query_unref(query);
  upstreamLatency_ = least;
  const std::lock_guard lock(mutex_);
  if (live_.exchange(live) != static_cast<bool>(live)) setLimits();
}

// How long ago the frame could have been here.
Clock::duration Offload::waitedBefore(GstBuffer* buffer) const {
  const GstClockTime time = elf::gst::runningTimeOf(buffer, segment_);
  if (!live_ || !GST_CLOCK_TIME_IS_VALID(time)) return {};
  const GstClockTime now = gst_element_get_current_running_time(element_);
  const GstClockTime expected = time + upstreamLatency_;
  if (!GST_CLOCK_TIME_IS_VALID(now) || now <= expected) return {};
  return std::chrono::nanoseconds(now - expected);
}

// When the frame goes on, answered or not.
std::optional<Clock::time_point> Offload::dueTime(GstBuffer* buffer) const {
  const auto limit = settings().timeLimit(live_);
  if (!limit) return std::nullopt;
  // What is behind this element takes a moment, too, and the sink waits no longer than it was told.
  const auto behind = live_ ? std::min(*limit / 10, kTimeBehind) : milliseconds(0);
  return Clock::now() + *limit - behind - waitedBefore(buffer);
}

bool Offload::isLate(GstBuffer* buffer) {
  const GstClockTime time = elf::gst::runningTimeOf(buffer, segment_);
  const bool wanted = settings().qos;
  const std::lock_guard lock(mutex_);
  return wanted && GST_CLOCK_TIME_IS_VALID(time) && GST_CLOCK_TIME_IS_VALID(earliest_) &&
         time <= earliest_;
}

// How much is added to the latency where live, and can be held for it; bytes set the bound.
GstClockTime Offload::mostTimeHeld() const {
  const auto limit = settings().timeLimit(live_);
  const GstClockTime added =
      limit ? static_cast<GstClockTime>(limit->count()) * GST_MSECOND : kLeastTimeHeld;
  if (frameBytes_ == 0 || frameTime_ == 0) return added;
  return std::min(added, kMostBytesHeld / frameBytes_ * frameTime_);
}

// With mutex_ held: whether one more frame may wait here.
bool Offload::hasRoom() const {
  std::size_t frames = 0, bytes = 0;
  GstClockTime first = GST_CLOCK_TIME_NONE, last = GST_CLOCK_TIME_NONE;
  for (const ItemPtr& item : queue_) {
    if (!item->buffer) continue;
    ++frames;
    bytes += gst_buffer_get_size(item->buffer);
    last = GST_BUFFER_PTS(item->buffer);
    if (!GST_CLOCK_TIME_IS_VALID(first)) first = last;
  }
  if (frames <= 1) return true;
  if (bytes + frameBytes_ > kMostBytesHeld) return false;
  if (!GST_CLOCK_TIME_IS_VALID(first) || !GST_CLOCK_TIME_IS_VALID(last) || last <= first)
    return frames < kMostFramesHeld;
  // The sink may make frames wait for what others in the pipeline need.
  return last - first <= std::max(mostTimeHeld(), pipelineLatency_) + frameTime_;
}

// --- the sink pad

GstFlowReturn Offload::chain(GstBuffer* buffer) {
  const auto item = std::make_shared<Item>();
  item->buffer = buffer;
  if (GST_VIDEO_INFO_FORMAT(&info_) == GST_VIDEO_FORMAT_UNKNOWN) return GST_FLOW_NOT_NEGOTIATED;
  std::shared_ptr<Session> session;
  {
    Lock lock(mutex_);
    // Downstream's EOS is over as soon as the task has come to the new segment.
    changed_.wait(lock, [this] { return flow_ != GST_FLOW_EOS || !willBeginAnew(); });
    if (flow_ != GST_FLOW_OK) return flow_;
    session = session_;
  }
  askUpstreamsLatency();
  std::optional<elf::FrameRecord> record = recordOf(buffer, session);
  const auto mapped = elf::gst::MappedFrame::map(info_, buffer, GST_MAP_READ);
  if (!mapped) {
    GST_ELEMENT_ERROR(element_, STREAM, FORMAT,
                      ("A buffer of %" G_GSIZE_FORMAT " bytes holds no frame of %dx%d.",
                       gst_buffer_get_size(buffer), info_.width, info_.height),
                      ("gst_video_frame_map() failed"));
    return GST_FLOW_ERROR;
  }
  {
    const std::lock_guard lock(mutex_);
    // Where there is no record it was stopped.
    if (flow_ != GST_FLOW_OK || !record) return flow_ == GST_FLOW_OK ? GST_FLOW_FLUSHING : flow_;
    ++frames_;
    queue_.push_back(item);
  }
  const StreamPtr stream = record->stream.lock();
  if (isLate(buffer)) record->skipped = true;
  const auto due = dueTime(buffer);
  MappedPixels pixels(*mapped, cutter_);
  stream->submit(std::move(*record), pixels, due,
                 [this, weak = std::weak_ptr(item)](elf::FrameRecordPtr answered) {
                   const ItemPtr answeredItem = weak.lock();
                   if (!answeredItem) return;
                   const std::lock_guard lock(mutex_);
                   if (answered->skipped) ++skipped_;
                   answeredItem->record = std::move(answered);
                   changed_.notify_all();
                 });
  stream->slots().awaitRoom(entry_.stopped());
  Lock lock(mutex_);
  changed_.wait(lock, [this] { return flow_ != GST_FLOW_OK || hasRoom(); });
  return flow_;
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

GstFlowReturn Offload::sinkEvent(GstEvent* event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_START:
      flushStart(event);
      return GST_FLOW_OK;
    case GST_EVENT_FLUSH_STOP:
      gst_pad_push_event(srcpad_, event);
      gst_segment_init(&segment_, GST_FORMAT_UNDEFINED);
      entry_.own()->reset();
      // A frame that was on its way from the queue to the loop as the flush began is old, too.
      for (const StreamPtr& stream : streams()) stream->abandon();
      // Whoever deactivates the pads flushes, too, and has stopped the task for good.
      if (!GST_PAD_IS_ACTIVE(srcpad_)) return GST_FLOW_OK;
      setFlushing(false);
      startTask();
      return GST_FLOW_OK;
    case GST_EVENT_CAPS: {
      GstCaps* caps = nullptr;
      gst_event_parse_caps(event, &caps);
      GstVideoInfo info;
      if (!gst_video_info_from_caps(&info, caps)) break;
      const GstClockTime before = mostTimeHeld();
      info_ = info;
      frameBytes_ = info.size;
      frameTime_ = info.fps_n > 0 ? gst_util_uint64_scale(GST_SECOND, info.fps_d, info.fps_n) : 0;
      if (mostTimeHeld() != before)
        gst_element_post_message(element_, gst_message_new_latency(GST_OBJECT(element_)));
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
  if (GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION && hasFrames()) return proposeAllocation(query);
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

// --- the task of the src pad

// With mutex_ held. Frames that nobody wants any more wait for no answer.
bool Offload::mayLeave(const Item& item) const {
  return !item.buffer || item.record || flow_ == GST_FLOW_EOS;
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
    if (item->event && beginsAnew(item->event) && flow_ == GST_FLOW_EOS) setFlow(GST_FLOW_OK);
    changed_.notify_all();
  }
  if (item->buffer) {
    const GstFlowReturn flow = pushFrame(*item);
    const std::lock_guard lock(mutex_);
    if (flow_ == GST_FLOW_OK && flow != GST_FLOW_OK) setFlow(flow);
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
        inMilliseconds(answer.roundTrip), answer.error.empty() ? "answered" : answer.error.c_str());
  }
  GST_LOG_OBJECT(element_, "%s: %d parts, %" G_GSIZE_FORMAT " bytes, %.1f ms%s",
                 record.name().c_str(), static_cast<int>(record.answers.size()), record.bytesSent(),
                 inMilliseconds(record.timings.offload), record.skipped ? ", skipped" : "");
}

GstFlowReturn Offload::pushFrame(Item& item) {
  {
    const std::lock_guard lock(mutex_);
    if (flow_ != GST_FLOW_OK) return flow_;
  }
  logWay(*item.record);
  GstBuffer* buffer = gst_buffer_make_writable(std::exchange(item.buffer, nullptr));
  elf::gst::setRecord(buffer, std::exchange(item.record, nullptr));
  return gst_pad_push(srcpad_, buffer);
}

bool Offload::hasFrames() {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(queue_, [](const ItemPtr& item) { return item->buffer != nullptr; });
}

// Where downstream could be asked only when it has taken what waits: a live source would lose
// frames.
gboolean Offload::proposeAllocation(GstQuery* query) {
  GstCaps* caps = nullptr;
  GstVideoInfo info;
  gst_query_parse_allocation(query, &caps, nullptr);
  gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
  if (caps && gst_video_info_from_caps(&info, caps))
    gst_query_add_allocation_pool(query, nullptr, static_cast<guint>(info.size),
                                  static_cast<guint>(settings().maxInFlight), 0);
  return TRUE;
}

gboolean Offload::runQuery(GstQuery* query) {
  if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION) return gst_pad_peer_query(srcpad_, query);
  elf::gst::forwardAllocation(srcpad_, query);
  // Frames that wait here are not back in the pool: those for answers always, those for downstream
  // where it is slow.
  const auto sent = static_cast<guint>(settings().maxInFlight);
  const auto held = sent + (frameTime_ > 0 ? static_cast<guint>(mostTimeHeld() / frameTime_) : 0);
  const guint pools = gst_query_get_n_allocation_pools(query);
  for (guint i = 0; i < pools; ++i) {
    GstBufferPool* pool = nullptr;
    guint size = 0, least = 0, most = 0;
    gst_query_parse_nth_allocation_pool(query, i, &pool, &size, &least, &most);
    gst_query_set_nth_allocation_pool(query, i, pool, size, least + sent,
                                      most == 0 ? 0 : most + held);
    if (pool) gst_object_unref(pool);
  }
  GstCaps* caps = nullptr;
  GstVideoInfo info;
  gst_query_parse_allocation(query, &caps, nullptr);
  if (pools == 0 && caps && gst_video_info_from_caps(&info, caps))
    gst_query_add_allocation_pool(query, nullptr, static_cast<guint>(info.size), sent, 0);
  return TRUE;
}

// --- the src pad

void Offload::srcEvent(GstEvent* event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_QOS: {
      GstClockTimeDiff difference = 0;
      GstClockTime time = GST_CLOCK_TIME_NONE;
      gst_event_parse_qos(event, nullptr, nullptr, &difference, &time);
      const std::lock_guard lock(mutex_);
      earliest_ = GST_CLOCK_TIME_NONE;
      if (GST_CLOCK_TIME_IS_VALID(time) &&
          (difference >= 0 || time > static_cast<GstClockTime>(-difference)))
        earliest_ = time + static_cast<GstClockTime>(difference);
      break;
    }
    case GST_EVENT_LATENCY: {
      latencyUnknown_ = true;
      const std::lock_guard lock(mutex_);
      gst_event_parse_latency(event, &pipelineLatency_);
      changed_.notify_all();
      break;
    }
    case GST_EVENT_RECONFIGURE: {
      for (const StreamPtr& stream : streams()) elf::gst::offerStream(srcpad_, stream);
      const std::lock_guard lock(mutex_);
      // As queue does: somebody seems to be linked now.
      if (flow_ == GST_FLOW_NOT_LINKED && GST_PAD_IS_ACTIVE(srcpad_)) {
        setFlow(GST_FLOW_OK);
        startTask();
      }
      break;
    }
    default:
      break;
  }
}

gboolean Offload::latency(GstQuery* query) {
  if (!gst_pad_peer_query(sinkpad_, query)) return FALSE;
  gboolean live = FALSE;
  GstClockTime least = 0, most = GST_CLOCK_TIME_NONE;
  gst_query_parse_latency(query, &live, &least, &most);
  if (!live) return TRUE;
  const std::optional<milliseconds> limit = settings().timeLimit(true);
  if (!limit) {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(latencyRefused_, true)) return FALSE;
    }
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS,
                      ("deadline: must not be -1 where the source is live."),
                      ("the latency of a live pipeline has to be known"));
    return FALSE;
  }
  {
    const std::lock_guard lock(mutex_);
    if (!live_.exchange(true)) setLimits();
  }
  const auto added = static_cast<GstClockTime>(limit->count()) * GST_MSECOND;
  gst_query_set_latency(query, TRUE, least + added,
                        GST_CLOCK_TIME_IS_VALID(most) ? most + mostTimeHeld() : most);
  return TRUE;
}

std::span<const Offload::Property> Offload::properties() {
  static constexpr Property kProperties[] = {
      {"servers", "Servers",
       "Comma-separated base URLs of the inference servers; a server listed twice gets two parts "
       "at a time, and each address of a host name counts as a server",
       kPlaying, String{ELF_SETTING(servers)}, &Offload::setServers},
      {"model", "Model", "Name of the model on the servers", kReady, String{ELF_SETTING(model)}},
      {"model-version", "Model version",
       "Version of the model on the servers (empty = the servers choose)", kReady,
       String{ELF_SETTING(modelVersion)}},
      {"tensor-names", "Tensor names",
       "Names of the servers' tensors for image, boxes, scores, labels, masks, keypoints and "
       "rotated, for example image=input_1,boxes=dets; names not given come from the .model file",
       kReady, String{ELF_SETTING(tensorNames)}},
      {"deadline", "Deadline",
       "Milliseconds after which a frame goes on without missing answers, counted from capture for "
       "live sources (and added to the pipeline's latency), else from entry (0 = 500 for live "
       "sources, else 2000; -1 = wait forever, not for live sources)",
       kPlaying, Int{ELF_SETTING(deadline), kNoDeadline, G_MAXINT}, &Offload::applySettings},
      {"max-in-flight", "Max in flight",
       "Maximum number of frames in flight: sent but not answered yet", kPlaying,
       Int{ELF_SETTING(maxInFlight), 1, kMostInFlight}, &Offload::applySettings},
      {"encoding", "Encoding", "Encoding of the pixels that are sent", kPlaying,
       Enum{ELF_SETTING(encoding), "GstElfEncoding", elf::encodingChoices},
       &Offload::applySettings},
      {"jpeg-quality", "JPEG quality", "JPEG quality in percent: lower is smaller", kPlaying,
       Int{ELF_SETTING(jpegQuality), 1, 100}, &Offload::applySettings},
      {"bandwidth", "Bandwidth",
       "Upload limit in kbit/s: JPEG quality drops from jpeg-quality to 30, then parts are scaled "
       "down, then frames pass unsent (0 = no limit)",
       kPlaying, Int{ELF_SETTING(bandwidth), 0, G_MAXINT}, &Offload::applySettings},
      {"qos", "QoS",
       "Skip inference of frames that would reach the sink too late; they pass with predicted "
       "boxes",
       kPlaying, Boolean{ELF_SETTING(qos)}},
      {"leaky", "Leaky",
       "Skip inference of frames that arrive while max-in-flight frames are unanswered instead of "
       "blocking upstream; they pass in order with predicted boxes",
       kPlaying, Boolean{ELF_SETTING(leaky)}, &Offload::applySettings},
      {"hedging", "Hedging",
       "Maximum share of extra requests, in percent of all, that repeat a late part on a second "
       "server (0 = none)",
       kPlaying, Double{ELF_SETTING(hedging), 0, 100}, &Offload::applySettings},
      {"ca-file", "CA file",
       "PEM file of the certificate authorities for https:// servers (unset = the system's)",
       kReady, OptionalString{ELF_SETTING(security.caFile)}},
      {"client-certificate", "Client certificate",
       "PEM file of the client certificate, with its key unless client-key is set, for servers "
       "that require one",
       kReady, OptionalString{ELF_SETTING(security.clientCertificate)}},
      {"client-key", "Client key", "PEM file of the private key of client-certificate", kReady,
       OptionalString{ELF_SETTING(security.clientKey)}},
      {"token-file", "Token file",
       "File with the bearer token for the servers; read when the element starts", kReady,
       OptionalString{ELF_SETTING(security.tokenFile)}},
      {"stats", "Statistics",
       "Counts since start: frames, skipped, parts-sent, parts-failed, parts-late, parts-retried, "
       "parts-hedged, hedges-won, bytes-sent, bytes-whole (if whole frames had been sent), "
       "pixels-sent; quality and scale of the last frame; servers (url, healthy, answers, "
       "fixed-ms, ms-per-megapixel, ms-per-megabyte, outstanding-ms of each)",
       kReadOnly, Statistics{&Offload::stats}},
  };
  return kProperties;
}

}  // namespace

G_BEGIN_DECLS
#define GST_TYPE_ELF_OFFLOAD (gst_elf_offload_get_type())
G_DECLARE_FINAL_TYPE(GstElfOffload, gst_elf_offload, GST, ELF_OFFLOAD, GstElement)
G_END_DECLS

struct _GstElfOffload {
  GstElement parent;
  GstPad* sinkpad;
  GstPad* srcpad;
  Offload* offload;
};

G_DEFINE_TYPE_WITH_CODE(GstElfOffload, gst_elf_offload, GST_TYPE_ELEMENT,
                        GST_DEBUG_CATEGORY_INIT(elfoffload_debug, "elfoffload", 0,
                                                "Elf: offloading of parts"))
GST_ELEMENT_REGISTER_DEFINE(elfoffload, "elfoffload", GST_RANK_NONE, GST_TYPE_ELF_OFFLOAD)

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
    if (offload->takeOffer(query)) return TRUE;
    if (elf::gst::answerServersQuery(GST_ELEMENT(parent), query)) return TRUE;
    if (gst_query_type_get_flags(GST_QUERY_TYPE(query)) & GST_QUERY_TYPE_SERIALIZED)
      return offload->serializedQuery(query);
    return gst_pad_query_default(pad, parent, query);
  });
}

static gboolean gst_elf_offload_src_event(GstPad*, GstObject* parent, GstEvent* event) {
  elf::gst::guarded(GST_ELEMENT(parent),
                    [&] { GST_ELF_OFFLOAD(parent)->offload->srcEvent(event); });
  return gst_pad_push_event(GST_ELF_OFFLOAD(parent)->sinkpad, event);
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
        GST_ELEMENT_CLASS(gst_elf_offload_parent_class)->change_state(element, change);
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
  G_OBJECT_CLASS(gst_elf_offload_parent_class)->finalize(object);
}

static void gst_elf_offload_class_init(GstElfOffloadClass* klass) {
  G_OBJECT_CLASS(klass)->finalize = gst_elf_offload_finalize;
  elf::gst::installProperties<GstElfOffload, Offload, &GstElfOffload::offload>(
      G_OBJECT_CLASS(klass));
  auto* element_class = GST_ELEMENT_CLASS(klass);
  elf::gst::addVideoPads(element_class);
  gst_element_class_set_static_metadata(
      element_class, "Elf offload", "Filter/Analyzer/Video",
      "Has the parts of each frame inferred by remote servers, all in parallel",
      "The Elf for GStreamer authors");
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_elf_offload_change_state);
}

static gboolean plugin_init(GstPlugin* plugin) {
  return GST_ELEMENT_REGISTER(elfoffload, plugin);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, elfoffload,
                  "Elf: has the parts of a frame inferred by servers", plugin_init, ELF_VERSION,
                  "LGPL", PACKAGE, "Unknown package origin")
