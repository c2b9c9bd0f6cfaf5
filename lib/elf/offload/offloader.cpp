// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/offload/offloader.h"

#include <algorithm>
#include <utility>

#include "elf/base/printable.h"
#include "elf/base/seconds.h"
#include "elf/base/trace_id.h"
#include "elf/wire/metadata.h"

namespace elf {

namespace {

using std::chrono::duration_cast;

std::optional<Microseconds> microseconds(const wire::Parameters& parameters, const char* name) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return std::nullopt;
  double value = 0;
  if (const auto* whole = std::get_if<std::int64_t>(&found->second))
    value = static_cast<double>(*whole);
  else if (const auto* real = std::get_if<double>(&found->second))
    value = *real;
  // An hour is more than any deadline; NaN becomes 0.
  return Microseconds{value > 0 ? static_cast<std::int64_t>(std::min(value, 3.6e9)) : 0};
}

/** What an HTTP reply other than 200 says, short enough for a message. */
std::string reason(const HttpReply& reply) {
  if (reply.status == 0) return reply.error;
  const std::string text = "HTTP status " + std::to_string(reply.status);
  const std::string body =
      printable({reinterpret_cast<const char*>(reply.body.data()), reply.body.size()});
  return body.empty() ? text : text + ", " + body;
}

/** Of an answer about health or a model, in bytes. */
constexpr std::size_t kLongestDescription = std::size_t{1} << 20;

void setTimeout(wire::InferRequest& request, Microseconds timeout) {
  request.parameters["timeout"] = std::int64_t{timeout.count()};
}

std::string probeId(std::size_t number) {
  return "probe." + std::to_string(number);
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\n") - first + 1));
}

bool isServerUrl(std::string_view url) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!url.starts_with(scheme)) continue;
    const std::string_view rest = url.substr(scheme.size());
    const std::string_view authority = rest.substr(0, rest.find('/'));
    if (url.find_first_of(" \t\n?#\"<>\\") != std::string_view::npos) return false;
    // The port is what follows the last colon outside of the brackets of an IPv6 address.
    const auto bracket = authority.rfind(']');
    const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (authority.substr(0, colon).empty()) return false;
    if (colon == std::string_view::npos) return true;
    const std::string_view port = authority.substr(colon + 1);
    return !port.empty() && port.size() <= 5 &&
           std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; }) &&
           std::stoi(std::string(port)) <= 65535;
  }
  return false;
}

}  // namespace

std::vector<std::string> parseServers(std::string_view list) {
  std::vector<std::string> servers;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    std::string url = trimmed(list.substr(begin, end - begin));
    begin = end + 1;
    if (url.empty()) continue;
    if (!isServerUrl(url)) throw Error("servers", "'" + url + "' is no http:// or https:// URL");
    while (url.ends_with('/')) url.pop_back();
    servers.push_back(std::move(url));
  }
  if (servers.empty())
    throw Error("servers", "is empty; name at least one, such as http://127.0.0.1:8000");
  return servers;
}

/** What a reply to an inference request turned out to be. */
struct Offloader::Reading {
  /** Empty where the reply is good. */
  std::string error;
  std::vector<Detection> detections;
  /** The server's own account; unset where it gave none. */
  std::optional<Microseconds> queue, decode, infer;

  Reading(const HttpReply& reply, const std::string& id, const ModelRules& rules, Size sent);
};

Offloader::Offloader(OffloadSettings settings, ServerPool& pool, Transport& transport,
                     Listener& listener)
    : settings_(std::move(settings)), transport_(transport), listener_(listener) {
  std::map<std::string, int> mentions;
  for (const std::string& url : settings_.servers) {
    auto found = std::ranges::find(endpoints_, url, &Endpoint::url);
    if (found == endpoints_.end()) {
      endpoints_.push_back({.url = url});
      found = endpoints_.end() - 1;
    }
    servers_.push_back({.endpoint = static_cast<std::size_t>(found - endpoints_.begin()),
                        .shared = pool.server(url, settings_.model, mentions[url]++)});
  }
}

Offloader::~Offloader() {
  abandonAll();
  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    transport_.cancel(endpoints_[i].question);
    transport_.cancel(endpoints_[i].timer);
    if (endpoints_[i].probing) endProbe(i, false);
  }
}

void Offloader::start() {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < endpoints_.size(); ++i) askMetadata(i);
}

bool Offloader::ready() const {
  const std::lock_guard lock(mutex_);
  return ready_;
}

Capacity Offloader::capacity() const {
  const std::lock_guard lock(mutex_);
  Capacity capacity;
  for (const Server& server : servers_) {
    const Endpoint& endpoint = endpoints_[server.endpoint];
    const SharedServer::Standing standing = server.shared->standing();
    capacity.servers.push_back({.url = endpoint.url,
                                .healthy = endpoint.healthy,
                                .takesRaw = endpoint.takesRaw,
                                .takesEncoded = endpoint.takesEncoded,
                                .cost = standing.cost,
                                .bytesPerPixel = bytesPerPixel(server),
                                .busy = standing.outstanding,
                                .answers = standing.answers});
  }
  capacity.rules = rules();
  return capacity;
}

OffloadStats Offloader::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

int Offloader::bestServer(Size sent) const {
  const std::lock_guard lock(mutex_);
  return std::max(0, pick(sent, nullptr, -1));
}

const std::string& Offloader::url(int server) const {
  return settings_.servers[static_cast<std::size_t>(server)];
}

double Offloader::bytesPerPixel(const Server& server) const {
  constexpr double kRaw = 3;
  if (server.raw || !endpoints_[server.endpoint].takesEncoded) return kRaw;
  return server.recentPixels > 0 ? server.recentBytes / server.recentPixels
                                 : ServerState().bytesPerPixel;
}

// Of the healthy servers except `except` that take `image`, the one that will have finished a part
// of that size first; another endpoint than that of `except` goes before one that is first. `image`
// is null where the part is not encoded yet. -1 where there is none.
int Offloader::pick(Size sent, const wire::Tensor* image, int except) const {
  const double pixels = computed(sent);
  int best = -1;
  std::pair<bool, double> bestFinish{};
  for (int i = 0; i < static_cast<int>(servers_.size()); ++i) {
    const Server& server = servers_[static_cast<std::size_t>(i)];
    const Endpoint& endpoint = endpoints_[server.endpoint];
    if (i == except || !endpoint.healthy || (image && !endpoint.takes(*image))) continue;
    const bool same =
        except >= 0 && servers_[static_cast<std::size_t>(except)].endpoint == server.endpoint;
    const SharedServer::Standing standing = server.shared->standing();
    const double bytes =
        image ? static_cast<double>(image->data.size()) : sent.area() * bytesPerPixel(server);
    const std::pair finish{same, standing.outstanding + standing.cost.seconds(pixels, bytes)};
    if (best < 0 || finish < bestFinish) {
      best = i;
      bestFinish = finish;
    }
  }
  return best;
}

Offloader::Ticket Offloader::begin(std::uint64_t frameId, std::uint32_t generation, Size size,
                                   std::span<const Part> parts,
                                   std::optional<Clock::time_point> deadline, Done done,
                                   std::string trace) {
  const std::lock_guard lock(mutex_);
  const Ticket ticket = nextTicket_++;
  Frame& frame = frames_[ticket];
  frame.name = std::to_string(generation) + "." + std::to_string(frameId);
  frame.trace = std::move(trace);
  frame.open = parts.size();
  frame.deadline = deadline;
  frame.done = std::move(done);
  for (const Part& part : parts) {
    PartState state;
    state.sent = part.sentSize();
    if (rules().placed && state.sent == part.rect.size())
      state.placement = {part.rect.x, part.rect.y, size};
    state.answer.server = std::clamp(part.server, 0, static_cast<int>(servers_.size()) - 1);
    frame.parts.push_back(std::move(state));
  }
  if (deadline) frame.timer = transport_.at(*deadline, [this, ticket] { onDeadline(ticket); });
  return ticket;
}

void Offloader::send(Ticket ticket, std::size_t part, wire::Tensor image) {
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    const auto frame = frames_.find(ticket);
    if (frame == frames_.end()) return;
    PartState& state = frame->second.parts[part];
    state.image = std::move(image);
    int server = state.answer.server;
    Server& planned = servers_[static_cast<std::size_t>(server)];
    planned.raw = state.image.type == wire::DataType::Uint8;
    if (!planned.raw) {
      constexpr double kForget = 0.97;
      planned.recentBytes = planned.recentBytes * kForget + state.bytes();
      planned.recentPixels = planned.recentPixels * kForget + state.sent.area();
    }
    if (!endpoints_[planned.endpoint].healthy) server = pick(state.sent, &state.image, -1);
    if (server < 0) {
      state.answer.error = url(state.answer.server) +
                           ": is left out, and no other server that takes such a part is up";
      ++stats_.partsFailed;
      settle(ticket, frame->second, part, calls);
    } else {
      dispatch(ticket, frame->second, part, server, calls);
    }
  }
  for (const auto& call : calls) call();
}

void Offloader::fail(Ticket ticket, std::size_t part, const std::string& why) {
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    const auto frame = frames_.find(ticket);
    if (frame == frames_.end()) return;
    frame->second.parts[part].answer.error = why;
    ++stats_.partsFailed;
    settle(ticket, frame->second, part, calls);
  }
  for (const auto& call : calls) call();
}

void Offloader::dispatch(Ticket ticket, Frame& frame, std::size_t index, int server, Calls& calls) {
  PartState& part = frame.parts[index];
  const Clock::time_point now = transport_.now();
  if (frame.deadline && now >= *frame.deadline) {
    part.answer.state = AnswerState::Late;
    part.answer.error = url(server) + ": the deadline had passed before the part was sent";
    ++stats_.partsLate;
    return settle(ticket, frame, index, calls);
  }
  const int attempt = ++part.answer.attempts;
  part.answer.server = server;
  part.answer.bytesSent += part.image.data.size();
  part.sentAt = now;

  wire::InferRequest request;
  request.id = frame.name + "." + std::to_string(index) + "." + std::to_string(attempt);
  if (frame.deadline) setTimeout(request, duration_cast<Microseconds>(*frame.deadline - now));
  if (part.placement) wire::setPlacement(request.parameters, *part.placement);
  request.inputs.push_back(part.image);
  part.expected =
      servers_[static_cast<std::size_t>(server)].shared->begin(computed(part.sent), part.bytes());
  ++stats_.partsSent;
  stats_.bytesSent += part.image.data.size();
  stats_.pixelsSent += part.sent.area();
  HttpRequest post = toHttp(url(server), request);
  if (!frame.trace.empty()) {
    part.answer.span = newSpanId();
    post.headers.emplace_back("traceparent", traceparent(frame.trace, part.answer.span));
  }
  part.request = transport_.send(
      std::move(post),
      [this, ticket, index, attempt, id = request.id, sent = part.sent, from = url(server)](
          const HttpReply& reply) { onReply(ticket, index, attempt, id, sent, from, reply); });
}

HttpRequest Offloader::toHttp(const std::string& url, wire::InferRequest& request) const {
  request.binaryOutputs = true;
  wire::Message message = wire::encode(request);
  HttpRequest post;
  post.method = "POST";
  post.url = url + "/v2/models/" + settings_.model + "/infer";
  post.body = std::move(message.body);
  if (message.jsonLength)
    post.headers.emplace_back("Inference-Header-Content-Length",
                              std::to_string(*message.jsonLength));
  return post;
}

void Offloader::endRequest(PartState& part) {
  if (part.request == 0) return;
  part.request = 0;
  servers_[static_cast<std::size_t>(part.answer.server)].shared->end(part.expected);
}

void Offloader::settle(Ticket ticket, Frame& frame, std::size_t index, Calls& calls) {
  PartState& part = frame.parts[index];
  if (std::exchange(part.settled, true)) return;
  if (--frame.open > 0) return;
  transport_.cancel(frame.timer);
  std::vector<PartAnswer> answers;
  for (PartState& each : frame.parts) answers.push_back(std::move(each.answer));
  calls.emplace_back([done = std::move(frame.done), answers = std::move(answers)]() mutable {
    done(std::move(answers));
  });
  frames_.erase(ticket);
}

Offloader::Reading::Reading(const HttpReply& reply, const std::string& id, const ModelRules& rules,
                            Size sent) {
  if (reply.status != 200) {
    error = reason(reply);
    return;
  }
  std::optional<std::size_t> jsonLength;
  if (!reply.jsonLength.empty()) {
    const bool digits =
        std::ranges::all_of(reply.jsonLength, [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || reply.jsonLength.size() > 12) {
      error = "Inference-Header-Content-Length is no number";
      return;
    }
    jsonLength = std::stoull(reply.jsonLength);
  }
  const auto response = wire::parseResponse(reply.body, jsonLength);
  if (!response) {
    error = response.error();
    return;
  }
  if (response.value().id != id) {
    error =
        "answers request '" + printable(response.value().id, 64) + "' where '" + id + "' was asked";
    return;
  }
  auto decoded = wire::decodeDetections(response.value(), rules, sent);
  if (!decoded) {
    error = decoded.error();
    return;
  }
  detections = std::move(decoded.value());
  const wire::Parameters& parameters = response.value().parameters;
  queue = microseconds(parameters, "queue_us");
  decode = microseconds(parameters, "decode_us");
  infer = microseconds(parameters, "infer_us");
}

void Offloader::onReply(Ticket ticket, std::size_t index, int attempt, const std::string& id,
                        Size sent, const std::string& from, const HttpReply& reply) {
  const ModelRules rules = [this] {
    const std::lock_guard lock(mutex_);
    return this->rules();
  }();
  Reading reading(reply, id, rules, sent);
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    const auto found = frames_.find(ticket);
    if (found == frames_.end()) return;
    Frame& frame = found->second;
    PartState& part = frame.parts[index];
    if (part.settled || part.answer.attempts != attempt) return;
    endRequest(part);
    PartAnswer& answer = part.answer;
    const Clock::time_point now = transport_.now();
    const int number = answer.server;
    const std::size_t at = servers_[static_cast<std::size_t>(number)].endpoint;
    answer.roundTrip = duration_cast<Microseconds>(now - part.sentAt);
    if (reading.error.empty()) {
      answer.state = AnswerState::Answered;
      answer.error.clear();
      answer.detections = std::move(reading.detections);
      for (Detection& detection : answer.detections) detection.server = number;
      answer.queue = reading.queue.value_or(Microseconds{0});
      answer.decode = reading.decode.value_or(Microseconds{0});
      answer.infer = reading.infer.value_or(Microseconds{0});
      learn(static_cast<std::size_t>(number),
            {.sent = sent,
             .bytes = part.image.data.size(),
             .queue = reading.queue,
             .decode = reading.decode,
             .infer = reading.infer},
            part.sentAt, calls);
      Endpoint& endpoint = endpoints_[at];
      endpoint.errors = 0;
      endpoint.pause = kFirstPause;
      settle(ticket, frame, index, calls);
    } else {
      answer.error = from + ": " + reading.error;
      countError(at, answer.error, calls);
      const double pixels = computed(part.sent), bytes = part.bytes();
      const int other = attempt == 1 ? pick(part.sent, &part.image, number) : -1;
      bool inTime = other >= 0;
      if (inTime && frame.deadline) {
        const auto next = servers_[static_cast<std::size_t>(other)].shared->standing();
        inTime =
            next.outstanding + next.cost.seconds(pixels, bytes) < secondsOf(*frame.deadline - now);
      }
      if (inTime) {
        ++stats_.partsRetried;
        dispatch(ticket, frame, index, other, calls);
      } else {
        ++stats_.partsFailed;
        settle(ticket, frame, index, calls);
      }
    }
  }
  for (const auto& call : calls) call();
}

void Offloader::onDeadline(Ticket ticket) {
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    const auto found = frames_.find(ticket);
    if (found == frames_.end()) return;
    Frame& frame = found->second;
    std::vector<std::size_t> late;  // endpoints: one frame counts once against each
    for (PartState& part : frame.parts) {
      if (part.settled) continue;
      PartAnswer& answer = part.answer;
      const std::string& server = url(answer.server);
      answer.state = AnswerState::Late;
      ++stats_.partsLate;
      if (part.request == 0) {
        answer.error = server + ": the deadline came before the part was sent";
        continue;
      }
      answer.error = server + ": did not answer by the deadline";
      answer.roundTrip = duration_cast<Microseconds>(transport_.now() - part.sentAt);
      transport_.cancel(part.request);
      endRequest(part);
      const auto number = static_cast<std::size_t>(answer.server);
      // Else a server that became slow would be taken for a fast one as long as it is too slow.
      learn(number, {.late = true, .sent = part.sent, .bytes = part.image.data.size()}, part.sentAt,
            calls);
      const std::size_t endpoint = servers_[number].endpoint;
      if (std::ranges::find(late, endpoint) == late.end()) {
        late.push_back(endpoint);
        countError(endpoint, answer.error, calls);
      }
    }
    const std::size_t parts = frame.parts.size();
    for (std::size_t i = 0; i < parts && frames_.contains(ticket); ++i)
      settle(ticket, frame, i, calls);
  }
  for (const auto& call : calls) call();
}

void Offloader::abandonAll() {
  // The callbacks may hold what must not be destroyed under the lock.
  std::map<Ticket, Frame> abandoned;
  const std::lock_guard lock(mutex_);
  for (auto& [ticket, frame] : frames_) {
    transport_.cancel(frame.timer);
    for (PartState& part : frame.parts) {
      transport_.cancel(part.request);
      endRequest(part);
    }
  }
  abandoned.swap(frames_);
}

void Offloader::countError(std::size_t index, const std::string& why, Calls& calls) {
  Endpoint& endpoint = endpoints_[index];
  if (++endpoint.errors >= kErrorsInARow && endpoint.healthy) lose(index, why, calls);
}

// Leaves an endpoint out, and asks for its health after a pause, unless it is being asked already.
void Offloader::lose(std::size_t index, const std::string& why, Calls& calls) {
  Endpoint& endpoint = endpoints_[index];
  if (std::exchange(endpoint.healthy, false))
    calls.emplace_back([this, url = endpoint.url, why] { listener_.onServerLost(url, why); });
  if (endpoint.question != 0) return;
  wait(index, endpoint.pause, &Offloader::askHealth);
  endpoint.pause = std::min(2 * endpoint.pause, kLongestPause);
  markAsked(index, calls);
}

// In the place of whatever the endpoint's timer was for.
void Offloader::wait(std::size_t index, Clock::duration time,
                     void (Offloader::*then)(std::size_t, Calls&)) {
  Endpoint& endpoint = endpoints_[index];
  const std::uint64_t number = ++endpoint.questions;
  transport_.cancel(endpoint.timer);
  endpoint.timer = transport_.at(transport_.now() + time, [this, index, then, number] {
    Calls calls;
    {
      const std::lock_guard lock(mutex_);
      if (endpoints_[index].questions != number) return;
      (this->*then)(index, calls);
    }
    for (const auto& call : calls) call();
  });
}

void Offloader::ask(std::size_t index, HttpRequest question,
                    void (Offloader::*then)(std::size_t, const HttpReply&, Calls&)) {
  Endpoint& endpoint = endpoints_[index];
  const std::uint64_t number = ++endpoint.questions;
  const auto settled = [this, index, then, number](const HttpReply& reply) {
    Calls calls;
    {
      const std::lock_guard lock(mutex_);
      Endpoint& asked = endpoints_[index];
      if (asked.question == 0 || asked.questions != number) return;  // reply and time-out met
      transport_.cancel(std::exchange(asked.question, 0));
      transport_.cancel(std::exchange(asked.timer, 0));
      (this->*then)(index, reply, calls);
    }
    for (const auto& call : calls) call();
  };
  endpoint.question = transport_.send(std::move(question), settled);
  endpoint.timer = transport_.at(transport_.now() + kQuestionTimeout,
                                 [settled] { settled({.error = "does not answer"}); });
}

void Offloader::askMetadata(std::size_t index) {
  ask(index,
      {.url = endpoints_[index].url + "/v2/models/" + settings_.model,
       .longestReply = kLongestDescription},
      &Offloader::onMetadata);
}

void Offloader::askHealth(std::size_t index, Calls&) {
  ask(index,
      {.url = endpoints_[index].url + "/v2/health/ready", .longestReply = kLongestDescription},
      &Offloader::onHealth);
}

void Offloader::onMetadata(std::size_t index, const HttpReply& reply, Calls& calls) {
  Endpoint& endpoint = endpoints_[index];
  std::string why;
  if (reply.status == 200) {
    auto metadata = wire::parseMetadata(reply.body);
    if (metadata) {
      endpoint.rules = std::move(metadata.value().rules);
      endpoint.takesRaw = metadata.value().takesRaw;
      endpoint.takesEncoded = metadata.value().takesEncoded;
      endpoint.known = true;
      endpoint.healthy = true;
      endpoint.errors = 0;
    } else {
      why = metadata.error();
    }
  } else {
    why = reason(reply);
  }
  if (endpoint.known) return probe(index, calls);
  if (reply.status != 404) return lose(index, endpoint.url + ": " + why, calls);
  endpoint.healthy = false;
  calls.emplace_back([this, url = endpoint.url, text = endpoint.url + ": " + why] {
    listener_.onModelMissing(url, text);
  });
  markAsked(index, calls);
}

void Offloader::onHealth(std::size_t index, const HttpReply& reply, Calls& calls) {
  Endpoint& endpoint = endpoints_[index];
  if (reply.status != 200) return lose(index, endpoint.url + ": " + reason(reply), calls);
  if (!endpoint.known) return askMetadata(index);
  endpoint.healthy = true;
  endpoint.errors = 0;
  probe(index, calls);
}

std::vector<Probe>& Offloader::probesFor(const Endpoint& endpoint) {
  return endpoint.takesEncoded ? probes_ : rawProbes_;
}

// Begins to probe an endpoint, unless it has been; while another offloader does, waits for that.
void Offloader::probe(std::size_t index, Calls& calls) {
  Endpoint& endpoint = endpoints_[index];
  std::vector<Probe>& probes = probesFor(endpoint);
  if (probes.empty())
    probes = endpoint.takesEncoded ? makeProbes(rules(), encoder_) : makeRawProbes(rules());
  if (probes.empty()) return markAsked(index, calls);
  switch (sharedOf(index).takeProbe()) {
    case SharedServer::ProbeTurn::Yours:
      endpoint.probing = true;
      endpoint.probe = 0;
      return sendProbe(index);
    case SharedServer::ProbeTurn::Another:
      return wait(index, kProbePoll, &Offloader::probe);
    case SharedServer::ProbeTurn::Done:
      return markAsked(index, calls);
  }
}

void Offloader::sendProbe(std::size_t index) {
  Endpoint& endpoint = endpoints_[index];
  wire::InferRequest request;
  request.id = probeId(endpoint.probe);
  setTimeout(request, kQuestionTimeout);
  request.inputs.push_back(probesFor(endpoint)[endpoint.probe].image);
  endpoint.probeSent = transport_.now();
  ask(index, toHttp(endpoint.url, request), &Offloader::onProbe);
}

void Offloader::onProbe(std::size_t index, const HttpReply& reply, Calls& calls) {
  Endpoint& endpoint = endpoints_[index];
  const std::vector<Probe>& probes = probesFor(endpoint);
  const Probe& probe = probes[endpoint.probe];
  const Reading reading(reply, probeId(endpoint.probe), rules(), probe.size);
  if (!reading.error.empty()) {
    const std::string why = endpoint.url + ": " + reading.error;
    calls.emplace_back([this, why] { listener_.onProbeFailed(why); });
    endProbe(index, false);
    // It may have been left out meanwhile: then nobody asks for its health yet.
    endpoint.healthy ? countError(index, why, calls) : lose(index, why, calls);
    if (endpoint.healthy && !std::exchange(endpoint.probedAgain, true))
      wait(index, endpoint.pause, &Offloader::probe);
    return markAsked(index, calls);
  }
  endpoint.healthy = true;
  endpoint.errors = 0;
  if (endpoint.probe >= kWarmUpProbes)
    for (std::size_t i = 0; i < servers_.size(); ++i)
      if (servers_[i].endpoint == index)
        learn(i,
              {.probe = true,
               .sent = probe.size,
               .bytes = probe.image.data.size(),
               .queue = reading.queue,
               .decode = reading.decode,
               .infer = reading.infer},
              endpoint.probeSent, calls);
  const double perByte = sharedOf(index).standing().cost.c;
  if (++endpoint.probe < probes.size() &&
      perByte * static_cast<double>(probes[endpoint.probe].image.data.size()) < kLongestUpload)
    return sendProbe(index);
  endProbe(index, true);
  markAsked(index, calls);
}

void Offloader::endProbe(std::size_t index, bool complete) {
  endpoints_[index].probing = false;
  sharedOf(index).endProbe(complete);
}

// What stands for the endpoint in the pool: its first mention.
SharedServer& Offloader::sharedOf(std::size_t index) const {
  return *std::ranges::find(servers_, index, &Server::endpoint)->shared;
}

void Offloader::learn(std::size_t index, Lesson lesson, Clock::time_point sent, Calls& calls) {
  const Server& server = servers_[index];
  const Clock::time_point now = transport_.now();
  lesson.url = endpoints_[server.endpoint].url;
  lesson.roundTrip = duration_cast<Microseconds>(now - sent);
  RequestTimes times{.pixels = computed(lesson.sent),
                     .bytes = static_cast<double>(lesson.bytes),
                     .sent = sent,
                     .answered = now,
                     .late = lesson.late,
                     .queue = lesson.queue,
                     .work = lesson.infer};
  if (times.work) *times.work += lesson.decode.value_or(Microseconds{0});
  lesson.changed = server.shared->learn(times);
  lesson.cost = server.shared->standing().cost;
  calls.emplace_back([this, lesson = std::move(lesson)] { listener_.onLearned(lesson); });
}

void Offloader::markAsked(std::size_t index, Calls& calls) {
  endpoints_[index].asked = true;
  if (ready_ || !std::ranges::all_of(endpoints_, &Endpoint::asked)) return;
  ready_ = true;
  calls.emplace_back([this] { listener_.onReady(); });
}

// What the model makes of a picture is what its time depends on.
double Offloader::computed(Size sent) const {
  return rules().inputSize(sent).area();
}

const ModelRules& Offloader::rules() const {
  const auto told =
      std::ranges::find_if(endpoints_, [](const Endpoint& e) { return e.rules.has_value(); });
  return told != endpoints_.end() ? *told->rules : settings_.localRules;
}

}  // namespace elf
