// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/programs/elf-launch/source.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace elf::program {

namespace {

using gst::Ref;
using std::chrono::duration_cast;
using std::chrono::seconds;

constexpr const char* kFlows = "elf-source-flows";
constexpr const char* kEnded = "elf-source-ended";
constexpr const char* kSeeks = "elf-source-seeks";
constexpr auto kData =
    static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST);
constexpr seconds kLongestPause{30};
/** A live source that sends nothing for so long is lost, unless it is known for longer pauses. */
constexpr seconds kSilence{10};
constexpr int kPausesOfSilence = 5;
/** A file that ends later than this before its end has ended. */
constexpr GstClockTime kEndOfFile = GST_SECOND;
/** Until the first frame after a start. */
constexpr seconds kTimeToStart{20};

template <typename Use>
void forEach(GstIterator* iterator, Use use) {
  gst_iterator_foreach(
      iterator,
      [](const GValue* value, gpointer data) {
        (*static_cast<Use*>(data))(g_value_get_object(value));
      },
      &use);
  gst_iterator_free(iterator);
}

template <typename Use>
void forEachPad(GstElement* element, GstIterator* (*pads)(GstElement*), Use use) {
  forEach(pads(element), [&](gpointer pad) { use(GST_PAD(pad)); });
}

/** Whether it reads from a network or a camera, or has an element that does. */
bool readsFromAfar(GstElement* element) {
  if (GST_IS_BIN(element)) {
    bool any = false;
    forEach(gst_bin_iterate_elements(GST_BIN(element)),
            [&](gpointer child) { any |= readsFromAfar(GST_ELEMENT(child)); });
    if (any) return true;
  }
  const char* const kind = gst_element_get_metadata(element, GST_ELEMENT_METADATA_KLASS);
  if (kind && std::strstr(kind, "Source/Network")) return true;
  if (!GST_IS_URI_HANDLER(element)) return false;
  const std::string uri = takeText(gst_uri_handler_get_uri(GST_URI_HANDLER(element)));
  return uri.starts_with("v4l2:");
}

bool isElf(GstElement* element) {
  GstElementFactory* const factory = gst_element_get_factory(element);
  return factory && g_str_has_prefix(GST_OBJECT_NAME(factory), "elf");
}

/** The elements that are linked to its sink pads. */
std::vector<GstElement*> before(GstElement* element) {
  std::vector<GstElement*> found;
  forEachPad(element, gst_element_iterate_sink_pads, [&](GstPad* pad) {
    const Ref<GstPad> peer(gst_pad_get_peer(pad));
    const Ref<GstElement> parent(peer ? gst_pad_get_parent_element(peer.get()) : nullptr);
    if (parent) found.push_back(parent.get());
  });
  return found;
}

bool isBehindElf(GstElement* element) {
  return std::ranges::any_of(before(element),
                             [](GstElement* each) { return isElf(each) || isBehindElf(each); });
}

/** The sink pad of the only Elf element with no other in front. Else null. */
Ref<GstPad> entryOf(GstBin* pipeline) {
  std::vector<GstElement*> first;
  forEach(gst_bin_iterate_elements(pipeline), [&](gpointer each) {
    if (isElf(GST_ELEMENT(each)) && !isBehindElf(GST_ELEMENT(each)))
      first.push_back(GST_ELEMENT(each));
  });
  return Ref<GstPad>(first.size() == 1 ? gst_element_get_static_pad(first[0], "sink") : nullptr);
}

elf::Ref<GSource> after(seconds pause, std::function<void()> job) {
  return schedule(nullptr, g_timeout_source_new_seconds(static_cast<guint>(pause.count())),
                  std::move(job));
}

/** The name of its template. Empty if its element always has the pad. */
std::string templateOf(GstPad* pad) {
  GstPadTemplate* const made = GST_PAD_PAD_TEMPLATE(pad);
  return made && GST_PAD_TEMPLATE_PRESENCE(made) == GST_PAD_SOMETIMES
             ? GST_PAD_TEMPLATE_NAME_TEMPLATE(made)
             : "";
}

/** Whether it is about what is read, and not about what became of it. */
bool isLoss(GstMessage* error) {
  GError* what = nullptr;
  gst_message_parse_error(error, &what, nullptr);
  const Ref<GError> owner(what);
  if (what->domain == GST_RESOURCE_ERROR) return true;
  // Others would have posted their own error first.
  const GstStructure* details = nullptr;
  gst_message_parse_error_details(error, &details);
  gint flow = GST_FLOW_OK;
  return details && gst_structure_get_int(details, "flow-return", &flow) && flow == GST_FLOW_ERROR;
}

std::string mediaOf(GstPad* pad) {
  const Ref<GstCaps> caps(gst_pad_query_caps(pad, nullptr));
  if (!caps || gst_caps_is_any(caps.get()) || gst_caps_is_empty(caps.get())) return {};
  const GstStructure* const structure = gst_caps_get_structure(caps.get(), 0);
  const char* const media = gst_structure_get_string(structure, "media");
  return std::string(gst_structure_get_name(structure)) + (media ? std::string(" ") + media : "");
}

}  // namespace

Source::Source(GstBin* pipeline, Seconds patience, Listener listener)
    : pipeline_(pipeline), patience_(patience), listener_(std::move(listener)) {
  if (patience_.count() == 0) return;
  entry_ = entryOf(pipeline);
  if (entry_) gst_pad_add_probe(entry_.get(), GST_PAD_PROBE_TYPE_BUFFER, onFrame, this, nullptr);
}

Source::~Source() = default;

// --- streaming threads

void Source::post(const char* what) {
  gst_element_post_message(
      GST_ELEMENT(pipeline_),
      gst_message_new_application(GST_OBJECT(pipeline_), gst_structure_new_empty(what)));
}

GstPadProbeReturn Source::onFrame(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
  auto* self = static_cast<Source*>(data);
  GstBuffer* const frame = GST_PAD_PROBE_INFO_BUFFER(info);
  const GstClockTime pts = GST_BUFFER_PTS(frame);
  if (self->flow_.dropsData) {
    if (self->flow_.awaitsFrame.exchange(false)) self->post(kSeeks);
    return GST_PAD_PROBE_DROP;
  }
  if (self->flow_.awaitsFrame.exchange(false)) {
    const GstClockTime last = self->flow_.lastEnd;
    if (self->flow_.gap.exchange(false) && GST_CLOCK_TIME_IS_VALID(pts) &&
        GST_CLOCK_TIME_IS_VALID(last))
      gst_pad_send_event(pad, gst_event_new_gap(std::min(last, pts), pts - std::min(last, pts)));
    self->post(kFlows);
  }
  if (GST_CLOCK_TIME_IS_VALID(pts))
    self->flow_.lastEnd =
        pts + (GST_BUFFER_DURATION_IS_VALID(frame) ? GST_BUFFER_DURATION(frame) : 0);
  return GST_PAD_PROBE_OK;
}

GstPadProbeReturn Source::onData(GstPad*, GstPadProbeInfo*, gpointer data) {
  auto* self = static_cast<Source*>(data);
  Flow& flow = self->flow_;
  const Clock::rep now = Clock::now().time_since_epoch().count();
  const Clock::rep pause = now - flow.lastData.exchange(now);
  // Its start is no pause.
  if (!flow.awaitsFrame && pause > flow.longestPause) flow.longestPause = pause;
  return GST_PAD_PROBE_OK;
}

GstPadProbeReturn Source::onBehind(GstPad*, GstPadProbeInfo*, gpointer data) {
  return static_cast<Source*>(data)->flow_.dropsData ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

GstPadProbeReturn Source::onEvent(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
  auto* self = static_cast<Source*>(data);
  const GstEventType type = GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info));
  if (type == GST_EVENT_FLUSH_STOP && pad == self->entry_.get() && self->flow_.dropsData) {
    self->flow_.awaitsFrame = true;
    self->flow_.dropsData = false;
  }
  if (type == GST_EVENT_FLUSH_START || type == GST_EVENT_FLUSH_STOP)
    return self->flow_.dropsFlushes ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
  if (type != GST_EVENT_EOS || !self->flow_.keepsEos || self->listener_.ends())
    return GST_PAD_PROBE_OK;
  // The last frames of a file may be missing.
  if (self->length_ > 0 && self->flow_.lastEnd + kEndOfFile >= self->length_ &&
      !self->flow_.dropsData)
    return GST_PAD_PROBE_OK;
  // A source that fails sends EOS, too.
  self->post(kEnded);
  return GST_PAD_PROBE_DROP;
}

void Source::onPad(GstElement* element, GstPad* pad, gpointer data) {
  auto* self = static_cast<Source*>(data);
  if (!GST_PAD_IS_SRC(pad)) return;
  if (element->numsinkpads == 0) self->watch(pad);
  const std::string media = mediaOf(pad);
  const MutexLock lock(self->mutex_);
  for (const Link& link : self->links_)
    if (link.element == element && link.made == templateOf(pad) && link.media == media &&
        !gst_pad_is_linked(link.sink.get()) &&
        gst_pad_link(pad, link.sink.get()) == GST_PAD_LINK_OK)
      return;
}

void Source::watch(GstPad* pad) {
  gst_pad_add_probe(pad, kData, onData, this, nullptr);
}

// --- what the source is

void Source::addUpstream(GstElement* element) {
  for (GstElement* each : before(element)) {
    if (std::ranges::count(elements_, each) > 0) continue;
    elements_.push_back(each);
    addUpstream(each);
  }
}

void Source::learn() {
  const Ref<GstElement> first(gst_pad_get_parent_element(entry_.get()));
  addUpstream(first.get());
  const bool isOne = std::ranges::all_of(elements_, [this](GstElement* each) {
    return GST_OBJECT_PARENT(each) == GST_OBJECT(pipeline_);
  });
  const Ref<GstQuery> latency(gst_query_new_latency());
  gboolean live = FALSE;
  if (gst_pad_peer_query(entry_.get(), latency.get()))
    gst_query_parse_latency(latency.get(), &live, nullptr, nullptr);
  gint64 length = 0;
  if (gst_pad_peer_query_duration(entry_.get(), GST_FORMAT_TIME, &length) && length > 0)
    length_ = static_cast<GstClockTime>(length);
  if (!isOne || !std::ranges::any_of(elements_, readsFromAfar)) return elements_.clear();

  constexpr auto kEvents = static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM |
                                                        GST_PAD_PROBE_TYPE_EVENT_FLUSH);
  for (GstElement* each : elements_) {
    g_signal_connect(each, "pad-added", G_CALLBACK(onPad), this);
    forEachPad(each, gst_element_iterate_src_pads, [&](GstPad* pad) {
      if (each->numsinkpads == 0) watch(pad);
      Ref<GstPad> peer(gst_pad_get_peer(pad));
      const Ref<GstElement> parent(peer ? gst_pad_get_parent_element(peer.get()) : nullptr);
      if (!parent || std::ranges::count(elements_, parent.get()) > 0) return;
      gst_pad_add_probe(peer.get(), kEvents, onEvent, this, nullptr);
      if (peer != entry_) gst_pad_add_probe(peer.get(), kData, onBehind, this, nullptr);
      behind_.push_back(std::move(peer));
    });
  }
  flow_.lastData = Clock::now().time_since_epoch().count();
  flow_.keepsEos = true;
  live_ = live;
  check();
}

bool Source::owns(GstObject* object) const {
  // An element that stops drops those that it has made.
  if (!gst_object_has_as_ancestor(object, GST_OBJECT(pipeline_))) return true;
  return std::ranges::any_of(elements_, [object](GstElement* each) {
    return object == GST_OBJECT(each) || gst_object_has_as_ancestor(object, GST_OBJECT(each));
  });
}

// Pads may be gone when the loss is known.
void Source::rememberLinks() {
  const MutexLock lock(mutex_);
  for (GstElement* each : elements_)
    forEachPad(each, gst_element_iterate_src_pads, [&](GstPad* pad) {
      Ref<GstPad> peer(gst_pad_get_peer(pad));
      if (std::string made = templateOf(pad);
          peer && !made.empty() && std::ranges::find(links_, peer, &Link::sink) == links_.end())
        links_.push_back({each, std::move(made), mediaOf(pad), std::move(peer)});
    });
}

// --- its life

bool Source::takeError(GstMessage* message, const std::string& why) {
  if (state_ == State::Unknown || !owns(GST_MESSAGE_SRC(message))) return false;
  // Late ones of a source that is stopped.
  if (state_ == State::Lost) return true;
  if (state_ == State::Flows && !isLoss(message)) return false;
  lose(why);
  return true;
}

void Source::take(GstMessage* message) {
  if (GST_MESSAGE_SRC(message) != GST_OBJECT(pipeline_)) return;
  if (gst_message_has_name(message, kEnded) && (state_ == State::Flows || state_ == State::Starts))
    lose("the stream ended");
  if (gst_message_has_name(message, kSeeks) && state_ == State::Starts) seek();
  if (!gst_message_has_name(message, kFlows)) return;
  if (state_ == State::Unknown) {
    learn();
    if (!elements_.empty()) state_ = State::Flows;
  } else if (state_ == State::Starts) {
    state_ = State::Flows;
    timer_.reset();
    tries_ = 0;
    listener_.back(duration_cast<Seconds>(Clock::now() - lostAt_));
  }
}

void Source::check() {
  check_ = after(seconds(1), [this] { check(); });
  // More may have been linked since.
  rememberLinks();
  if (live_ && state_ == State::Flows) checkSilence();
}

void Source::checkSilence() {
  const Clock::duration silence =
      Clock::now().time_since_epoch() - Clock::duration(flow_.lastData.load());
  if (silence < std::max<Clock::duration>(
                    kSilence, kPausesOfSilence * Clock::duration(flow_.longestPause.load())))
    return;
  // It may wait for those behind it.
  bool waits = false;
  for (GstElement* each : elements_)
    forEachPad(each, gst_element_iterate_src_pads, [&](GstPad* pad) {
      const Ref<GstPad> peer(gst_pad_get_peer(pad));
      if (!peer) return;
      if (GST_PAD_STREAM_TRYLOCK(peer.get()))
        GST_PAD_STREAM_UNLOCK(peer.get());
      else
        waits = true;
    });
  if (!waits)
    lose("nothing came for " + std::to_string(duration_cast<Seconds>(silence).count()) + " s");
}

void Source::lose(const std::string& why) {
  if (state_ == State::Flows) lostAt_ = Clock::now();
  stop();
  state_ = State::Lost;
  const Seconds gone = duration_cast<Seconds>(Clock::now() - lostAt_);
  if (patience_.count() > 0 && gone >= patience_) return listener_.givenUp(why);
  const Seconds pause = std::min(kLongestPause, Seconds(1 << std::min(tries_++, 5)));
  timer_ = after(pause, [this] { start(); });
  listener_.lost(why, pause);
}

// Those in front last, so that none waits for one that is stopped.
void Source::stop() {
  for (GstElement* each : elements_) {
    gst_element_set_locked_state(each, TRUE);
    gst_element_set_state(each, GST_STATE_NULL);
  }
  // It may have waited for these elements, and would keep EOS to itself.
  gst_element_set_state(GST_ELEMENT(pipeline_), GST_STATE_PLAYING);
}

void Source::start() {
  state_ = State::Starts;
  flow_.gap = flow_.awaitsFrame = true;
  flow_.dropsData = flow_.dropsFlushes = length_ > 0;
  timer_ = after(kTimeToStart, [this] {
    lose("nothing came for " + std::to_string(kTimeToStart.count()) + " s");
  });
  // A file begins anew at 0. Those behind it have gone on.
  if (length_ > 0) shiftTo(gst_element_get_current_running_time(GST_ELEMENT(pipeline_)));
  const GstClockTime base = gst_element_get_base_time(GST_ELEMENT(pipeline_));
  for (GstElement* each : elements_) {
    gst_element_set_base_time(each, base);
    gst_element_set_locked_state(each, FALSE);
    // One that fails posts why. Not the state of the pipeline, which may wait for these elements.
    gst_element_set_state(each, GST_STATE_PLAYING);
  }
}

// Where the element nearest to Elf makes pads, so that those behind see it that keep time.
void Source::shiftTo(GstClockTime time) {
  const MutexLock lock(mutex_);
  const auto nearest =
      std::ranges::find_if(elements_, [this](GstElement* each) ELF_REQUIRES(mutex_) {
        return std::ranges::find(links_, each, &Link::element) != links_.end();
      });
  for (const Link& link : links_)
    if (link.element == *nearest) gst_pad_set_offset(link.sink.get(), static_cast<gint64>(time));
}

void Source::seek() {
  const GstClockTime from = flow_.lastEnd;
  GstEvent* const event = gst_event_new_seek(
      1, GST_FORMAT_TIME, static_cast<GstSeekFlags>(GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE),
      GST_SEEK_TYPE_SET, static_cast<gint64>(from), GST_SEEK_TYPE_NONE, -1);
  const bool sought = gst_pad_push_event(entry_.get(), event);
  flow_.dropsFlushes = false;
  if (sought) return;
  stop();
  state_ = State::Lost;
  timer_.reset();
  listener_.givenUp("the source can't go on where it was");
}

bool Source::end() {
  flow_.keepsEos = false;
  timer_.reset();
  check_.reset();
  if (state_ != State::Lost && state_ != State::Starts) return true;
  stop();
  state_ = State::Lost;
  using Pads = std::vector<Pad>;
  // In another thread: they may be busy.
  gst_element_call_async(
      GST_ELEMENT(pipeline_),
      [](GstElement*, gpointer pads) {
        for (const Pad& each : *static_cast<Pads*>(pads))
          gst_pad_send_event(each.get(), gst_event_new_eos());
      },
      new Pads(std::move(behind_)), [](gpointer pads) { delete static_cast<Pads*>(pads); });
  return false;
}

}  // namespace elf::program
