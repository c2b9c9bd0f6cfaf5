// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/offload/offloader.h"

#include <algorithm>
#include <utility>

#include "elf/base/seconds.h"
#include "elf/base/trace_id.h"
#include "elf/partition/cutting.h"
#include "elf/servers/part_reply.h"

namespace elf {

using std::chrono::duration_cast;

namespace {

/** True unless the endpoint is already there. */
bool noteOnce(std::vector<std::size_t>& endpoints, std::size_t endpoint) {
  if (std::ranges::find(endpoints, endpoint) != endpoints.end()) return false;
  endpoints.push_back(endpoint);
  return true;
}

}  // namespace

Offloader::Offloader(const OffloadSettings& settings, ServerPool& pool, InferenceClient& client,
                     OffloadListener& listener)
    : loop_(client.loop()),
      servers_(settings, pool, client, listener, mutex_,
               [this](std::size_t endpoint) { onLost(endpoint); }),
      firstServers_(settings.servers),
      tensors_(settings.tensors) {
  budget_.setShare(settings.hedging);
}

Offloader::~Offloader() {
  abandonAll();
}

void Offloader::start() {
  setServers(firstServers_);
}

void Offloader::setServers(std::vector<std::string> urls) {
  const DeferringMutex::Lock lock(mutex_);
  servers_.set(std::move(urls));
}

void Offloader::setHedging(double share) {
  const DeferringMutex::Lock lock(mutex_);
  budget_.setShare(share);
}

bool Offloader::ready() const {
  const DeferringMutex::Lock lock(mutex_);
  return servers_.ready();
}

Capacity Offloader::capacity() const {
  const DeferringMutex::Lock lock(mutex_);
  return servers_.capacity();
}

std::vector<ServerReport> Offloader::reports() const {
  const DeferringMutex::Lock lock(mutex_);
  return servers_.reports();
}

OffloadStats Offloader::stats() const {
  const DeferringMutex::Lock lock(mutex_);
  return stats_;
}

int Offloader::bestServer(Size sent) const {
  const DeferringMutex::Lock lock(mutex_);
  return std::max(0, servers_.pick(sent, nullptr, {}).server);
}

bool Offloader::hasIdleServer() const {
  const DeferringMutex::Lock lock(mutex_);
  return servers_.hasIdle();
}

Offloader::Ticket Offloader::begin(std::uint64_t frameId, std::uint32_t generation, Size size,
                                   std::span<const Part> parts,
                                   std::optional<Clock::time_point> deadline, Answered done,
                                   std::string trace, Answered late) {
  const DeferringMutex::Lock lock(mutex_);
  const Ticket ticket = nextTicket_++;
  Frame& frame = frames_[ticket];
  frame.name = std::to_string(generation) + "." + std::to_string(frameId);
  frame.trace = std::move(trace);
  frame.open = parts.size();
  frame.deadline = deadline;
  frame.done = std::move(done);
  frame.late = std::move(late);
  for (const Part& part : parts) {
    PartState state;
    state.sent = part.sentSize();
    state.placement = placementIn(size, part, servers_.rules());
    state.answer.server = std::clamp(part.server, 0, servers_.count() - 1);
    frame.parts.push_back(std::move(state));
  }
  if (deadline) callAtDeadline(ticket, frame, *deadline);
  return ticket;
}

void Offloader::send(Ticket ticket, std::size_t part, wire::Tensor image) {
  send(ticket, part, PartImage(std::move(image), tensors_.image));
}

void Offloader::send(Ticket ticket, std::size_t part, wire::Tensor prepared, Size sent,
                     RemoteNetworkPtr network) {
  send(ticket, part, PartImage(std::move(prepared), sent, std::move(network)));
}

void Offloader::send(Ticket ticket, std::size_t index, PartImage image) {
  DeferringMutex::Lock lock(mutex_);
  // Any part may be retried or hedged at a server that only takes JSON.
  while (frames_.contains(ticket) && !image.hasJson() && servers_.wantsJson(image)) {
    lock.unlock();
    image.addJson();
    lock.lock();
  }
  const auto frame = frames_.find(ticket);
  if (frame == frames_.end()) return;
  PartState& part = frame->second.parts[index];
  part.image = std::move(image);
  int server = part.answer.server;
  servers_.noteImage(server, part.image, part.sent);
  if (!servers_.usable(server) || !servers_.profile(server).takesForm(part.image))
    server = servers_.pick(part.sent, &part.image, {}).server;
  if (server < 0) {
    part.answer.error = servers_.address(part.answer.server).url +
                        ": is left out, and no other server that takes such a part is up";
    ++stats_.partsFailed;
    settle(ticket, frame->second, index);
  } else {
    dispatch(ticket, frame->second, index, server, false);
  }
}

void Offloader::fail(Ticket ticket, std::size_t part, const std::string& why) {
  const DeferringMutex::Lock lock(mutex_);
  const auto frame = frames_.find(ticket);
  if (frame == frames_.end()) return;
  frame->second.parts[part].answer.error = why;
  ++stats_.partsFailed;
  settle(ticket, frame->second, part);
}

void Offloader::dispatch(Ticket ticket, Frame& frame, std::size_t index, int server, bool hedge) {
  PartState& part = frame.parts[index];
  const Clock::time_point now = loop_.now();
  const std::string& url = servers_.address(server).url;
  // For a part that is under way, the deadline has its own timer.
  if (!hedge && !frame.late && frame.deadline && now >= *frame.deadline) {
    part.answer.state = AnswerState::Late;
    part.answer.error = url + ": the deadline had passed before the part was sent";
    ++stats_.partsLate;
    return settle(ticket, frame, index);
  }
  part.answer.server = server;
  part.tried.push_back(server);
  ++stats_.partsSent;
  stats_.pixelsSent += part.sent.area();
  if (hedge)
    ++part.answer.hedges;
  else
    budget_.count();

  const int attempt = ++part.answer.attempts;
  wire::InferRequest request;
  request.id = frame.name + "." + std::to_string(index) + "." + std::to_string(attempt);
  if (part.placement) wire::setPlacement(request.parameters, *part.placement);
  Request sent{.server = server, .attempt = attempt, .hedge = hedge, .sentAt = now};
  sent.bytes = servers_.profile(server).bytes(part.image);
  const auto bytes = static_cast<double>(sent.bytes);
  sent.expected = servers_.secondsFor(server, part.sent, bytes);
  sent.cost = servers_.beginRequest(server, part.sent, bytes);
  if (frame.deadline) {
    sent.worthUntil = *frame.deadline;
    if (frame.late)
      sent.worthUntil =
          std::max(sent.worthUntil, now + servers_.longestSilence(server, sent.expected));
    part.worthUntil = std::max(part.worthUntil, sent.worthUntil);
    wire::setTimeout(request.parameters,
                     std::max(Microseconds{1}, duration_cast<Microseconds>(sent.worthUntil - now)));
  }
  part.answer.bytesSent += sent.bytes;
  stats_.bytesSent += sent.bytes;
  std::string trace;
  if (!frame.trace.empty()) {
    sent.span = newSpanId();
    trace = traceparent(frame.trace, sent.span);
  }
  sent.handle = servers_.infer(
      server, std::move(request), part.image, trace,
      [this, ticket, index, attempt, size = part.sent, network = servers_.profile(server).network](
          const InferenceReply& reply) { onReply(ticket, index, attempt, size, network, reply); });
  part.requests.push_back(std::move(sent));
  if (frame.overdue) waitForWorth(ticket, frame);
  waitForLateness(ticket, frame, index);
}

// Sets the time at which a part with one request is late.
void Offloader::waitForLateness(Ticket ticket, Frame& frame, std::size_t index) {
  PartState& part = frame.parts[index];
  const Request& request = part.requests.front();
  const ServerSet::Choice other = servers_.pick(part.sent, &part.image, part.tried);
  // For a server that has never answered, it is unknown what is late.
  if (part.requests.size() != 1 || other.server < 0 || !servers_.lateness(request.server).known())
    return waitForSilence(ticket, part, index);
  const Clock::time_point now = loop_.now();
  double seconds = request.expected * servers_.lateness(request.server).factor();
  if (frame.deadline) {
    const double left = secondsOf(*frame.deadline - now);
    seconds = request.expected > left
                  ? 0
                  : std::max(request.expected, std::min(seconds, left - other.seconds));
  }
  callWhenLate(ticket, part, index, durationOf(seconds));
}

// Sets the time at which the server of a late part has been silent for too long.
void Offloader::waitForSilence(Ticket ticket, PartState& part, std::size_t index) {
  // While there is no other server, this repeats until there is one.
  constexpr Clock::duration kLeast = std::chrono::milliseconds(100), kMost = std::chrono::hours(1);
  Clock::duration soonest = kMost;
  for (const Request& request : part.requests)
    soonest = std::min(soonest, std::max(untilOverdue(request), untilSilent(request)));
  callWhenLate(ticket, part, index, std::max(kLeast, soonest));
}

void Offloader::callWhenLate(Ticket ticket, PartState& part, std::size_t index,
                             Clock::duration time) {
  loop_.cancel(part.timer);
  part.lateAt = loop_.now() + time;
  part.timer = loop_.at(part.lateAt, [this, ticket, index] { onLate(ticket, index); });
}

EventLoop::Clock::duration Offloader::untilOverdue(const Request& request) const {
  const double factor = servers_.lateness(request.server).factor();
  return durationOf(request.expected * factor) - (loop_.now() - request.sentAt);
}

EventLoop::Clock::duration Offloader::untilSilent(const Request& request) const {
  return servers_.longestSilence(request.server, request.expected) -
         servers_.silence(servers_.endpointOf(request.server));
}

void Offloader::onLate(Ticket ticket, std::size_t index) {
  const DeferringMutex::Lock lock(mutex_);
  const auto found = frames_.find(ticket);
  if (found == frames_.end()) return;
  Frame& frame = found->second;
  PartState& part = frame.parts[index];
  if (part.settled || part.requests.empty()) return;
  const bool away = wasAway(part.lateAt);
  bool lost = false;
  for (const Request& request : part.requests)
    if (std::max(untilOverdue(request), untilSilent(request)) <= Clock::duration{})
      lost |= servers_.giveUpSilent(servers_.endpointOf(request.server));
  // Its requests are sent elsewhere as soon as the lock is released.
  if (!away && !lost && part.requests.size() == 1) hedge(ticket, frame, index);
  waitForSilence(ticket, part, index);
}

void Offloader::hedge(Ticket ticket, Frame& frame, std::size_t index) {
  PartState& part = frame.parts[index];
  const ServerSet::Choice other = servers_.pick(part.sent, &part.image, part.tried);
  if (other.server < 0 || !servers_.lateness(part.requests.front().server).known()) return;
  const bool same =
      servers_.endpointOf(other.server) == servers_.endpointOf(part.requests.front().server);
  const bool late = frame.deadline && other.seconds >= secondsOf(*frame.deadline - loop_.now());
  if (same || late || !budget_.take()) return;
  ++stats_.partsHedged;
  dispatch(ticket, frame, index, other.server, true);
}

void Offloader::cancel(const Request& request) {
  loop_.cancel(request.handle);
  servers_.endRequest(request.server, request.cost);
}

// Cancels a request whose answer is no longer needed, and learns from its time so far. Otherwise a
// server that became slow would seem fast while others are faster or it misses the deadline.
void Offloader::giveUp(const PartState& part, const Request& request) {
  cancel(request);
  servers_.learn(request.server, {.late = true, .sent = part.sent, .bytes = request.bytes},
                 request.sentAt);
}

// Drops the requests of a part whose answers are no longer useful.
void Offloader::giveUpWorthless(Frame& frame, PartState& part, bool away) {
  std::erase_if(part.requests, [&](const Request& request) ELF_REQUIRES(mutex_) {
    if (loop_.now() < request.worthUntil) return false;
    if (away) {
      cancel(request);
      return true;
    }
    giveUp(part, request);
    const std::size_t endpoint = servers_.endpointOf(request.server);
    if (noteOnce(frame.lateEndpoints, endpoint)) servers_.countLate(request.server, request.sentAt);
    return true;
  });
}

// For a frame whose deadline has passed.
void Offloader::waitForWorth(Ticket ticket, Frame& frame) {
  loop_.cancel(std::exchange(frame.timer, 0));
  auto next = Clock::time_point::max();
  for (const PartState& part : frame.parts)
    for (const Request& request : part.requests) next = std::min(next, request.worthUntil);
  if (next != Clock::time_point::max()) callAtDeadline(ticket, frame, next);
}

void Offloader::callAtDeadline(Ticket ticket, Frame& frame, Clock::time_point time) {
  frame.timerDue = time;
  frame.timer = loop_.at(time, [this, ticket] { onDeadline(ticket); });
}

// A computer that slept, or a stopped program, kept no server waiting: no silence until now counts.
bool Offloader::wasAway(Clock::time_point due) {
  constexpr Clock::duration kAway = std::chrono::milliseconds(200);
  if (loop_.now() - due <= kAway) return false;
  servers_.forgiveSilence();
  return true;
}

// The answer for a part that is open at the deadline.
PartAnswer Offloader::lateAnswer(const PartState& part) const {
  PartAnswer answer = part.answer;
  answer.state = AnswerState::Late;
  if (part.requests.empty()) {
    answer.error =
        servers_.address(answer.server).url + ": the deadline came before the part was sent";
    return answer;
  }
  const Request& last = part.requests.back();
  answer.server = last.server;
  answer.error = servers_.address(answer.server).url + ": did not answer by the deadline";
  answer.span = last.span;
  answer.roundTrip = duration_cast<Microseconds>(loop_.now() - last.sentAt);
  return answer;
}

void Offloader::tellLate(Ticket ticket, Frame& frame) {
  std::vector<PartAnswer> answers;
  for (const PartState& part : frame.parts)
    answers.push_back(part.settled ? part.answer : lateAnswer(part));
  frame.telling = true;
  mutex_.defer([this, ticket, late = frame.late, answers = std::move(answers)]() mutable {
    late(std::move(answers));
    onTold(ticket);
  });
}

void Offloader::onTold(Ticket ticket) {
  const DeferringMutex::Lock lock(mutex_);
  const auto found = frames_.find(ticket);
  if (found == frames_.end()) return;
  found->second.telling = false;
  if (found->second.open == 0) finish(ticket, found->second);
}

void Offloader::finish(Ticket ticket, Frame& frame) {
  loop_.cancel(frame.timer);
  std::vector<PartAnswer> answers;
  for (PartState& each : frame.parts) answers.push_back(std::move(each.answer));
  // What the callbacks hold must not be destroyed under the lock.
  mutex_.defer([done = std::move(frame.done), late = std::move(frame.late),
                answers = std::move(answers)]() mutable { done(std::move(answers)); });
  frames_.erase(ticket);
}

void Offloader::settle(Ticket ticket, Frame& frame, std::size_t index) {
  PartState& part = frame.parts[index];
  if (std::exchange(part.settled, true)) return;
  loop_.cancel(part.timer);
  for (const Request& request : std::exchange(part.requests, {})) giveUp(part, request);
  if (--frame.open == 0 && !frame.telling) finish(ticket, frame);
}

// A request of the part has failed. If no other one is under way, the part is sent to the next
// server that can answer in time.
void Offloader::sendElsewhere(Ticket ticket, Frame& frame, std::size_t index) {
  PartState& part = frame.parts[index];
  if (!part.requests.empty()) return waitForLateness(ticket, frame, index);
  const ServerSet::Choice other = servers_.pick(part.sent, &part.image, part.tried);
  if (other.server >= 0 &&
      (!frame.deadline || other.seconds < secondsOf(part.worthUntil - loop_.now()))) {
    ++stats_.partsRetried;
    return dispatch(ticket, frame, index, other.server, false);
  }
  // A part that was late already counts as late.
  if (!frame.overdue) ++stats_.partsFailed;
  settle(ticket, frame, index);
}

void Offloader::onReply(Ticket ticket, std::size_t index, int attempt, Size sent,
                        const RemoteNetworkPtr& network, const InferenceReply& reply) {
  const ModelRules rules = [this] {
    const DeferringMutex::Lock lock(mutex_);
    return servers_.rules();
  }();
  PartReply reading(reply, rules, tensors_, sent, network.get());
  const DeferringMutex::Lock lock(mutex_);
  const auto found = frames_.find(ticket);
  if (found == frames_.end()) return;
  Frame& frame = found->second;
  PartState& part = frame.parts[index];
  const auto at = std::ranges::find(part.requests, attempt, &Request::attempt);
  if (at == part.requests.end()) return;
  const Request request = *at;
  part.requests.erase(at);
  servers_.endRequest(request.server, request.cost);
  const Clock::time_point now = loop_.now();
  const int server = request.server;
  PartAnswer& answer = part.answer;
  answer.server = server;
  answer.span = request.span;
  answer.roundTrip = duration_cast<Microseconds>(now - request.sentAt);
  if (reading.error.empty()) {
    answer.state = AnswerState::Answered;
    answer.error.clear();
    answer.detections = std::move(reading.detections);
    for (Detection& detection : answer.detections) detection.server = server;
    answer.queue = reading.queue.value_or(Microseconds{0});
    answer.decode = reading.decode.value_or(Microseconds{0});
    answer.infer = reading.infer.value_or(Microseconds{0});
    servers_.learn(server,
                   {.sent = sent,
                    .bytes = request.bytes,
                    .queue = reading.queue,
                    .decode = reading.decode,
                    .infer = reading.infer},
                   request.sentAt);
    servers_.countAnswer(server, request.expected, secondsOf(now - request.sentAt));
    if (request.hedge) ++stats_.hedgesWon;
    settle(ticket, frame, index);
  } else {
    answer.error = servers_.address(server).url + ": " + reading.error;
    const std::size_t endpoint = servers_.endpointOf(server);
    const bool tooLarge = reply.status == ServerReply::Status::TooLarge;
    const bool refused = tooLarge || reply.status == ServerReply::Status::Refused;
    if (tooLarge) servers_.noteTooLarge(endpoint);
    // What an endpoint refuses it would refuse again. The request may be at fault, so the refusals
    // of one frame are one error.
    if (refused)
      for (int i = 0; i < servers_.count(); ++i)
        if (servers_.endpointOf(i) == endpoint) part.tried.push_back(i);
    if (!refused || noteOnce(frame.refusedBy, endpoint))
      servers_.countFailedPart(endpoint, answer.error, reply);
    sendElsewhere(ticket, frame, index);
  }
}

void Offloader::onDeadline(Ticket ticket) {
  const DeferringMutex::Lock lock(mutex_);
  const auto found = frames_.find(ticket);
  if (found == frames_.end()) return;
  Frame& frame = found->second;
  const bool away = wasAway(frame.timerDue);
  const bool first = !std::exchange(frame.overdue, true);
  std::vector<std::size_t> late;
  for (std::size_t i = 0; i < frame.parts.size(); ++i) {
    PartState& part = frame.parts[i];
    if (part.settled) continue;
    if (first) ++stats_.partsLate;
    if (part.requests.empty() && frame.late) continue;
    PartAnswer answer = lateAnswer(part);
    giveUpWorthless(frame, part, away);
    if (!part.requests.empty()) continue;
    part.answer = std::move(answer);
    late.push_back(i);
  }
  waitForWorth(ticket, frame);
  const bool tell = first && frame.late && late.size() < frame.open;
  for (const std::size_t index : late) settle(ticket, frame, index);
  if (tell) tellLate(ticket, frame);
}

void Offloader::onLost(std::size_t endpoint) {
  const DeferringMutex::Lock lock(mutex_);
  std::vector<std::pair<Ticket, std::size_t>> stranded;
  for (auto& [ticket, frame] : frames_) {
    for (std::size_t i = 0; i < frame.parts.size(); ++i) {
      PartState& part = frame.parts[i];
      const auto gone =
          std::erase_if(part.requests, [&](const Request& request) ELF_REQUIRES(mutex_) {
            if (servers_.endpointOf(request.server) != endpoint) return false;
            giveUp(part, request);
            part.answer.error = servers_.address(request.server).url + ": has been left out";
            return true;
          });
      if (gone > 0) stranded.emplace_back(ticket, i);
    }
  }
  for (const auto& [ticket, index] : stranded) {
    const auto found = frames_.find(ticket);
    if (found != frames_.end()) sendElsewhere(ticket, found->second, index);
  }
}

void Offloader::abandon(Ticket ticket) {
  // The callbacks may hold what must not be destroyed under the lock.
  std::map<Ticket, Frame>::node_type abandoned;
  const DeferringMutex::Lock lock(mutex_);
  abandoned = frames_.extract(ticket);
  if (!abandoned) return;
  Frame& frame = abandoned.mapped();
  loop_.cancel(frame.timer);
  for (PartState& part : frame.parts) {
    loop_.cancel(part.timer);
    for (const Request& request : part.requests) giveUp(part, request);
  }
}

void Offloader::abandonAll() {
  // The callbacks may hold what must not be destroyed under the lock.
  std::map<Ticket, Frame> abandoned;
  const DeferringMutex::Lock lock(mutex_);
  for (auto& [ticket, frame] : frames_) {
    loop_.cancel(frame.timer);
    for (PartState& part : frame.parts) {
      loop_.cancel(part.timer);
      for (const Request& request : std::exchange(part.requests, {})) cancel(request);
    }
  }
  abandoned.swap(frames_);
}

}  // namespace elf
