// SPDX-License-Identifier: LGPL-2.1-or-later
// Start and stop, changes of properties, and the streams whose frames are sent.
#include <algorithm>
#include <utility>

#include "elf/servers/server_url.h"
#include "plugins/elfoffload/offload.h"
#include "plugins/elfoffload/session.h"
#include "plugins/elfoffload/statistics.h"

namespace elf::offloading {

namespace {

/** How long to wait for the servers' metadata, trials and probes without a deadline. */
constexpr milliseconds kReadyWait = 2 * ServerSet::kQuestionTimeout + ServerSet::kTrialTimeout;

}  // namespace

Offload::Offload(GstElement* element, GstPad* sinkpad, GstPad* srcpad)
    : element_(element), sinkpad_(sinkpad), srcpad_(srcpad), entry_(element) {
  gst_video_info_init(&info_);
  gst_segment_init(&segment_, GST_FORMAT_UNDEFINED);
}

void Offload::start() {
  const Settings settings = this->settings();
  OffloadSettings offload = offloadSettings(settings);
  entry_.start();
  gst_segment_init(&segment_, GST_FORMAT_UNDEFINED);
  gst_video_info_init(&info_);
  live_ = false;
  latencyUnknown_ = true;
  frameBytes_ = 0;
  frameTime_ = 0;
  stamps_ = {};
  warnedOfOther_ = false;
  GST_INFO_OBJECT(
      element_,
      "servers %s, model %s, deadline %d ms, %d in flight, encoding %s, JPEG quality "
      "%d, bandwidth %d kbit/s, qos %d, leaky %d, hedging %.1f %%",
      settings.servers.c_str(), settings.model.c_str(), settings.deadline, settings.maxInFlight,
      encodingChoices()[static_cast<std::size_t>(settings.encoding)].name, settings.jpegQuality,
      settings.bandwidth, settings.qos, settings.leaky, settings.hedging);
  warnOfClearToken(offload.servers, settings);
  tally_.reset();
  {
    const MutexLock lock(stateMutex_);
    state_.frames = 0;
    state_.lastWork = {};
  }
  // This may fail, so it comes before anything has started.
  std::unique_ptr<ClientSeries> series;
  if (settings.metricsPort != 0)
    series = openClientSeries(
        MetricsPlace{settings.metricsAddress, static_cast<std::uint16_t>(settings.metricsPort)},
        labelsOf(element_), [this] { return work(); });
  const auto session = std::make_shared<Session>(*this, element_, std::move(offload), settings);
  {
    const MutexLock lock(stateMutex_);
    state_.session = session;
    state_.usedServers = settings.servers;
    state_.ready = false;
    state_.readyBy = Clock::now() + settings.timeLimit(false).value_or(kReadyWait);
    state_.latencyRefused = false;
    state_.pipelineLatency = 0;
  }
  series_ = std::move(series);
  session->offloader().start();
  // They may have changed since `settings` were read.
  if (this->settings().servers != settings.servers) setServers();
}

void Offload::stop() {
  series_.reset();
  std::vector<StreamPtr> streams;
  std::shared_ptr<Session> session;
  {
    const MutexLock lock(stateMutex_);
    streams = aliveStreams();
    session = std::exchange(state_.session, nullptr);
    state_.streams.clear();
  }
  if (!session) return;
  for (const StreamPtr& stream : streams) stream->detach();
  session->stop();
  const MutexLock lock(stateMutex_);
  session->addTo(state_.lastWork);
}

std::deque<ItemPtr> Offload::setFlushing(bool flushing) {
  std::deque<ItemPtr> dropped;
  {
    const MutexLock lock(stateMutex_);
    setFlow(flushing ? GST_FLOW_FLUSHING : GST_FLOW_OK);
    state_.earliest = GST_CLOCK_TIME_NONE;
    if (flushing) dropped.swap(state_.queue);
  }
  if (flushing)
    for (const StreamPtr& stream : streams()) stream->abandon();
  return dropped;
}

// Wakes every wait for something that may not happen any more.
void Offload::setFlow(GstFlowReturn flow) {
  state_.flow = flow;
  entry_.setStopped(flow != GST_FLOW_OK);
  setLimits();
  changed_.notifyAll();
}

bool Offload::activate(GstPad* pad, bool active) {
  setFlushing(!active);
  if (pad == sinkpad_) return true;
  if (!active) return gst_pad_stop_task(pad);
  startTask();
  return true;
}

void Offload::setReady() {
  {
    const MutexLock lock(stateMutex_);
    state_.ready = true;
  }
  for (const StreamPtr& stream : streams()) stream->slots().setReady();
}

// --- changes of properties

void Offload::applySettings() {
  const std::shared_ptr<Session> session = this->session();
  const Settings now = settings();
  if (deadline_.exchange(now.deadline) != now.deadline)
    gst_element_post_message(element_, gst_message_new_latency(GST_OBJECT(element_)));
  if (!session) return;
  session->offloader().setHedging(now.hedging / 100);
  session->sender().setEncoding(now.encodingSettings());
  const MutexLock lock(stateMutex_);
  setLimits();
  changed_.notifyAll();
}

void Offload::setServers() {
  const std::shared_ptr<Session> session = this->session();
  if (!session) return;
  const Settings now = settings();
  try {
    const std::vector<std::string> urls = parseServers(now.servers);
    checkAnnounced(urls, now.security);
    warnOfClearToken(urls, now);
    session->offloader().setServers(urls);
    const MutexLock lock(stateMutex_);
    state_.usedServers = now.servers;
  } catch (const Error& error) {
    GST_ELEMENT_WARNING(element_, RESOURCE, SETTINGS, ("%s", error.what()),
                        ("the servers stay what they were"));
    std::string used;
    {
      const MutexLock lock(stateMutex_);
      used = state_.usedServers;
    }
    change([&](Settings& settings) { settings.servers = used; });
  }
}

void Offload::warnOfClearToken(const std::vector<std::string>& urls, const Settings& settings) {
  const auto inClear = std::ranges::find_if(urls, goesInClear);
  if (settings.security.tokenFile.empty() || inClear == urls.end()) return;
  GST_ELEMENT_WARNING(
      element_, RESOURCE, SETTINGS,
      ("token-file: the token goes to %s in clear; https:// would hide it.", inClear->c_str()),
      (nullptr));
}

GstStructure* Offload::stats() {
  std::uint64_t frames = 0;
  {
    const MutexLock lock(stateMutex_);
    frames = state_.frames;
  }
  return newStatistics(frames, work());
}

ClientWork Offload::work() {
  std::shared_ptr<Session> session;
  ClientWork work;
  {
    const MutexLock lock(stateMutex_);
    session = state_.session;
    work = state_.lastWork;
  }
  work.frames = tally_.counts();
  if (!session) return work;
  session->addTo(work);
  for (const StreamPtr& stream : streams()) {
    const Stream::Stats stats = stream->stats();
    work.answers.answers += stats.answers;
    work.answers.late += stats.late;
  }
  return work;
}

// --- the session, and the streams whose frames it sends

std::shared_ptr<Session> Offload::session() {
  const MutexLock lock(stateMutex_);
  return state_.session;
}

std::vector<StreamPtr> Offload::streams() {
  const MutexLock lock(stateMutex_);
  return aliveStreams();
}

std::vector<StreamPtr> Offload::aliveStreams() {
  std::vector<StreamPtr> alive;
  std::erase_if(state_.streams, [&](const std::weak_ptr<Stream>& each) {
    if (StreamPtr stream = each.lock()) alive.push_back(std::move(stream));
    return each.expired();
  });
  return alive;
}

// True if this element sends the stream's frames from now on, or did so already.
bool Offload::attach(const StreamPtr& stream, const std::shared_ptr<Session>& session) {
  const std::vector<StreamPtr> known = streams();
  if (std::ranges::find(known, stream) != known.end()) return true;
  {
    const MutexLock lock(stateMutex_);
    // An offer may arrive while the element stops: the stream would never be detached.
    if (session != state_.session) return false;
    // The sender shares ownership of the session, so that the transport outlives it.
    if (!stream->attach(std::shared_ptr<FrameSender>(session, &session->sender()), limits()))
      return false;
    state_.streams.push_back(stream);
  }
  gst::offerStream(srcpad_, stream);
  return true;
}

// A stream whose frames downstream does not take has nothing to wait for.
Slots::Limits Offload::limits() const {
  const Settings now = settings();
  return {.bounded = state_.flow == GST_FLOW_OK,
          .maxInFlight = now.maxInFlight,
          .leaky = now.leaky,
          .live = live_,
          .deadline = now.timeLimit(live_),
          .ready = state_.ready,
          .readyBy = state_.readyBy};
}

void Offload::setLimits() {
  for (const auto& each : state_.streams)
    if (const StreamPtr stream = each.lock()) stream->slots().setLimits(limits());
}

}  // namespace elf::offloading
