// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/offload/server_set.h"

#include <algorithm>
#include <map>
#include <utility>

#include "elf/base/network_address.h"
#include "elf/base/printable.h"
#include "elf/base/seconds.h"
#include "elf/offload/reading.h"
#include "elf/offload/remote_network.h"
#include "elf/offload/server_url.h"
#include "elf/wire/metadata.h"

namespace elf {

namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

std::string probeId(std::size_t number) {
  return "probe." + std::to_string(number);
}

constexpr const char* kTrialId = "probe.trial";

/** Whether a server has taken a request for none, and would another one. */
bool isRefusal(int status) {
  constexpr int kUnauthorized = 401, kForbidden = 403, kNotFound = 404, kTooMany = 429,
                kUnavailable = 503;
  return status >= 400 && status != kUnauthorized && status != kForbidden && status != kNotFound &&
         status != kTooMany && status != kUnavailable;
}

/** Of an answer about health or a model, in bytes. */
constexpr std::size_t kLongestDescription = std::size_t{1} << 20;

bool isIpv6(const std::string& address) {
  return address.find(':') != std::string::npos;
}

}  // namespace

SentImage::SentImage(wire::Tensor image, const std::string& name) {
  image.name = name;
  add(std::move(image));
}

SentImage::SentImage(wire::Tensor prepared, Size sent, RemoteNetworkPtr network)
    : network_(std::move(network)) {
  add(std::move(prepared));
  for (wire::Tensor& other : network_->others(sent)) add(std::move(other));
}

void SentImage::add(wire::Tensor tensor) {
  tensors_.push_back(std::make_shared<const wire::Tensor>(std::move(tensor)));
  binary_.push_back(wire::encode(tensors_.back(), true));
}

void SentImage::addJson() {
  for (const auto& tensor : tensors_) json_.push_back(wire::encode(tensor, false));
}

std::size_t SentImage::bytes(bool binary) const {
  std::size_t bytes = 0;
  if (binary)
    for (const auto& tensor : tensors_) bytes += tensor->data.size();
  else
    for (const wire::EncodedTensor& tensor : json_) bytes += tensor.json->size();
  return bytes;
}

bool ServerSet::Endpoint::takesKind(const SentImage& image) const {
  if (untried) return false;
  if (network || image.network())
    return network && image.network() && network->takesSame(*image.network());
  return image.isRaw() ? takesRaw : takesEncoded;
}

// Of the two kinds of picture either may be sent to whoever takes pictures.
bool ServerSet::Endpoint::takesForm(const SentImage& image) const {
  if (!takesBinary && !image.hasJson()) return false;
  const bool isPicture = !untried && !network && (takesRaw || takesEncoded);
  return isPicture && !image.network() ? true : takesKind(image);
}

ServerSet::ServerSet(const OffloadSettings& settings, ServerPool& pool, Transport& transport,
                     OffloadListener& listener, std::mutex& mutex, Lost lost)
    : settings_(settings),
      model_(settings.model + (settings.version.empty() ? "" : "/versions/" + settings.version)),
      pool_(pool),
      transport_(transport),
      listener_(listener),
      mutex_(mutex),
      lost_(std::move(lost)),
      random_(settings.seed) {}

ServerSet::~ServerSet() {
  for (Name& name : names_) cancel(name);
  for (Endpoint& endpoint : endpoints_) remove(endpoint);
}

template <typename Body>
void ServerSet::withLock(Body&& body) {
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    body(calls);
  }
  run(calls);
}

// --- which servers there are

void ServerSet::set(std::vector<std::string> urls, Calls& calls) {
  urls_ = std::move(urls);
  std::erase_if(names_, [this](Name& name) {
    const bool gone = std::ranges::find(urls_, name.url) == urls_.end();
    if (gone) cancel(name);
    return gone;
  });
  std::vector<std::string> added;
  for (const std::string& url : urls_) {
    if (isAddress(hostOf(url)) || std::ranges::find(names_, url, &Name::url) != names_.end())
      continue;
    names_.push_back({.url = url});
    added.push_back(url);
  }
  matchWanted(calls);
  for (const std::string& url : added) lookUp(url);
}

void ServerSet::cancel(Name& name) {
  transport_.cancel(std::exchange(name.lookUp, 0));
  transport_.cancel(std::exchange(name.timer, 0));
}

void ServerSet::lookUp(const std::string& url) {
  const auto name = std::ranges::find(names_, url, &Name::url);
  if (name == names_.end()) return;
  const auto settled = [this, url](std::vector<std::string> addresses) {
    withLock([&](Calls& calls) { onAddresses(url, std::move(addresses), calls); });
  };
  name->lookUp = transport_.lookUp(hostOf(url), settled);
  // A slow name server must not hold up the rest: the transport tries the name as it is.
  name->timer = transport_.at(transport_.now() + kQuestionTimeout, [settled] { settled({}); });
}

void ServerSet::onAddresses(const std::string& url, std::vector<std::string> addresses,
                            Calls& calls) {
  const auto name = std::ranges::find(names_, url, &Name::url);
  if (name == names_.end() || name->lookUp == 0) return;  // reply and time-out met
  cancel(*name);
  name->lookedUp = true;
  if (!std::ranges::all_of(addresses, isIpv6)) std::erase_if(addresses, isIpv6);
  std::ranges::sort(addresses);
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  const auto before = std::ranges::find_if(endpoints_, [&](const Endpoint& endpoint) {
    return !endpoint.removed && endpoint.target == Target{.url = url};
  });
  // From one address to several: as long as nothing else is known, they are what the one was.
  const bool divides = name->addresses.empty() && addresses.size() > 1 &&
                       before != endpoints_.end() && before->known;
  const Endpoint one = divides ? *before : Endpoint{};
  if (addresses.size() > 1 || (!addresses.empty() && !name->addresses.empty()))
    name->addresses = std::move(addresses);
  name->timer = transport_.at(transport_.now() + kLookUpAgain, [this, url] {
    const std::lock_guard lock(mutex_);
    lookUp(url);
  });
  matchWanted(calls);
  if (!divides) return;
  for (Endpoint& endpoint : endpoints_) {
    if (endpoint.removed || endpoint.known || endpoint.target.host != hostOf(url)) continue;
    endpoint.health = one.health;
    endpoint.rules = one.rules;
    endpoint.takesRaw = one.takesRaw;
    endpoint.takesEncoded = one.takesEncoded;
    endpoint.takesBinary = one.takesBinary;
    endpoint.network = one.network;
    endpoint.bytesPerPixel = one.bytesPerPixel;
  }
}

std::vector<ServerSet::Target> ServerSet::wanted() const {
  std::vector<Target> targets;
  for (const std::string& url : urls_) {
    const auto name = std::ranges::find(names_, url, &Name::url);
    if (name == names_.end() || name->addresses.empty()) {
      targets.push_back({.url = url});
      continue;
    }
    for (const std::string& address : name->addresses)
      targets.push_back({.url = withHost(url, address), .host = hostOf(url)});
  }
  return targets;
}

// Removes and adds servers until they are those that are wanted.
void ServerSet::matchWanted(Calls& calls) {
  const std::vector<Target> targets = wanted();
  std::map<std::string, int> counts, mentions;
  for (const Target& target : targets) ++counts[target.key()];
  for (Server& server : servers_)
    if (!server.removed && server.mention >= counts[endpoints_[server.endpoint].target.key()])
      server.removed = transport_.now();
  for (Endpoint& endpoint : endpoints_)
    if (!endpoint.removed && counts[endpoint.target.key()] == 0) remove(endpoint);
  for (const Target& target : targets) add(target, mentions[target.key()]++);

  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    const Endpoint& endpoint = endpoints_[i];
    const auto name = std::ranges::find(names_, endpoint.target.url, &Name::url);
    const bool found = name == names_.end() || name->lookedUp;
    if (!endpoint.removed && !endpoint.begun && found) begin(i);
  }
  hurryIfNoneIsUp();
  checkReady(calls);
}

void ServerSet::add(const Target& target, int mention) {
  const std::size_t endpoint = endpointFor(target);
  const auto is = [&](const Server& server) {
    return server.endpoint == endpoint && server.mention == mention;
  };
  const auto free = [&](const Server& server) {
    return server.removed && transport_.now() - *server.removed >= kKeptPlace &&
           endpoints_[server.endpoint].outstanding == 0;
  };
  auto place = std::ranges::find_if(servers_, is);
  if (place != servers_.end() && !place->removed) return;
  if (place == servers_.end()) place = std::ranges::find_if(servers_, free);
  if (place == servers_.end()) place = servers_.emplace(servers_.end());
  *place = {.endpoint = endpoint,
            .mention = mention,
            .shared = pool_.server(target.key(), model_, mention)};
}

// The endpoint of that URL, in its old place where it had one.
std::size_t ServerSet::endpointFor(const Target& target) {
  const auto is = [&](const Endpoint& endpoint) { return endpoint.target == target; };
  const auto free = [&](const Endpoint& endpoint) {
    return endpoint.removed && endpoint.outstanding == 0 &&
           (!endpoint.begun || transport_.now() - *endpoint.removed >= kKeptPlace);
  };
  auto place = std::ranges::find_if(endpoints_, is);
  if (place != endpoints_.end() && !place->removed)
    return static_cast<std::size_t>(place - endpoints_.begin());
  if (place == endpoints_.end()) place = std::ranges::find_if(endpoints_, free);
  if (place == endpoints_.end()) place = endpoints_.emplace(endpoints_.end());
  const std::uint64_t questions = place->questions + 1;
  const int outstanding = place->outstanding;
  const Clock::time_point since = place->outstandingSince;
  *place = {.target = target,
            .health = ready_ ? Health::Trial : Health::Up,
            .initial = !ready_,
            .away = ready_,
            .takesEncoded = !settings_.network.sendsTensor,
            .outstanding = outstanding,
            .outstandingSince = since,
            .questions = questions};
  return static_cast<std::size_t>(place - endpoints_.begin());
}

void ServerSet::remove(Endpoint& endpoint) {
  transport_.cancel(std::exchange(endpoint.question, 0));
  transport_.cancel(std::exchange(endpoint.timer, 0));
  ++endpoint.questions;
  if (std::exchange(endpoint.probing, false))
    sharedOf(static_cast<std::size_t>(&endpoint - endpoints_.data())).endProbe(false);
  endpoint.health = Health::Out;
  endpoint.removed = transport_.now();
}

void ServerSet::begin(std::size_t index) {
  endpoints_[index].begun = true;
  askMetadata(index);
}

// --- what they can do

bool ServerSet::usable(int number) const {
  return !at(number).removed && endpointAt(number).health == Health::Up;
}

bool ServerSet::hasIdle() const {
  return std::ranges::any_of(endpoints_, [](const Endpoint& endpoint) {
    return endpoint.health == Health::Up && endpoint.outstanding == 0;
  });
}

int ServerSet::usableEndpoints() const {
  return static_cast<int>(std::ranges::count(endpoints_, Health::Up, &Endpoint::health));
}

Capacity ServerSet::capacity() const {
  Capacity capacity;
  for (int i = 0; i < count(); ++i) {
    const Endpoint& endpoint = endpointAt(i);
    const SharedServer::Standing standing = shared(i).standing();
    capacity.servers.push_back({.url = endpoint.target.url,
                                .healthy = usable(i),
                                .removed = at(i).removed.has_value(),
                                .takesRaw = endpoint.takesRaw,
                                .takesEncoded = endpoint.takesEncoded,
                                .network = endpoint.network,
                                .cost = standing.cost,
                                .bytesPerPixel = bytesPerPixel(at(i)),
                                .busy = standing.outstanding + heldBack(i),
                                .answers = standing.answers});
  }
  capacity.rules = rules();
  return capacity;
}

const ModelRules& ServerSet::rules() const {
  const ModelRules* told = &settings_.localRules;
  for (const Endpoint& endpoint : endpoints_) {
    if (!endpoint.rules) continue;
    told = &*endpoint.rules;
    if (!endpoint.removed) break;
  }
  return *told;
}

double ServerSet::bytesPerPixel(const Server& server) const {
  constexpr double kRaw = 3;
  const Endpoint& endpoint = endpoints_[server.endpoint];
  if (endpoint.network) return endpoint.bytesPerPixel;
  if (server.raw || !endpoint.takesEncoded) return kRaw;
  return server.recentPixels > 0 ? server.recentBytes / server.recentPixels
                                 : ServerState().bytesPerPixel;
}

double ServerSet::expectedBytes(int server, Size sent) const {
  return (endpointAt(server).network ? computed(sent) : sent.area()) * bytesPerPixel(at(server));
}

double ServerSet::secondsFor(int server, Size sent, double bytes) const {
  const SharedServer::Standing standing = shared(server).standing();
  return standing.outstanding + standing.cost.seconds(computed(sent), bytes);
}

double ServerSet::heldBack(int server) const {
  return std::max(0.0, secondsOf(endpointAt(server).notBefore - transport_.now()));
}

bool ServerSet::wantsJson(const SentImage& image) const {
  return std::ranges::any_of(endpoints_, [&](const Endpoint& endpoint) {
    return !endpoint.removed && !endpoint.takesBinary && endpoint.takesKind(image);
  });
}

ServerSet::Choice ServerSet::pick(Size sent, const SentImage* image,
                                  std::span<const int> tried) const {
  Choice best;
  bool bestKnown = false;
  for (int i = 0; i < count(); ++i) {
    if (!usable(i) || std::ranges::find(tried, i) != tried.end()) continue;
    if (image && !endpointAt(i).takes(*image)) continue;
    const bool known =
        std::ranges::any_of(tried, [&](int each) { return endpointOf(each) == endpointOf(i); });
    const double bytes =
        image ? static_cast<double>(this->bytes(i, *image)) : expectedBytes(i, sent);
    const double seconds = secondsFor(i, sent, bytes) + heldBack(i);
    if (best.server >= 0 && std::pair(known, seconds) >= std::pair(bestKnown, best.seconds))
      continue;
    best = {i, seconds};
    bestKnown = known;
  }
  return best;
}

void ServerSet::noteImage(int number, const SentImage& image, Size sent) {
  Server& server = servers_[static_cast<std::size_t>(number)];
  Endpoint& endpoint = endpoints_[server.endpoint];
  if (!endpoint.takesForm(image)) return;
  const auto bytes = static_cast<double>(image.bytes(endpoint.takesBinary));
  if (image.network()) {
    endpoint.bytesPerPixel = bytes / image.network()->rules().inputSize(sent).area();
    return;
  }
  server.raw = image.isRaw();
  if (server.raw) return;
  constexpr double kForget = 0.97;
  server.recentBytes = server.recentBytes * kForget + bytes;
  server.recentPixels = server.recentPixels * kForget + sent.area();
}

double ServerSet::beginRequest(int number, Size sent, double bytes) {
  Endpoint& endpoint = endpoints_[endpointOf(number)];
  if (endpoint.outstanding++ == 0) endpoint.outstandingSince = transport_.now();
  return shared(number).begin(computed(sent), bytes);
}

void ServerSet::endRequest(int number, double cost) {
  Endpoint& endpoint = endpoints_[endpointOf(number)];
  if (--endpoint.outstanding == 0) endpoint.silence += transport_.now() - endpoint.outstandingSince;
  shared(number).end(cost);
}

ServerSet::Clock::duration ServerSet::silence(std::size_t index) const {
  const Endpoint& endpoint = endpoints_[index];
  if (endpoint.outstanding == 0) return endpoint.silence;
  return endpoint.silence + (transport_.now() - endpoint.outstandingSince);
}

ServerSet::Clock::duration ServerSet::longestSilence(int server, double expected) const {
  constexpr double kTimes = 3;
  const auto least = lateness(server).known() ? kSilence : kFirstSilence;
  return std::max<Clock::duration>(least, durationOf(kTimes * expected));
}

void ServerSet::forgiveSilence() {
  for (Endpoint& endpoint : endpoints_) endpoint.endSilence(transport_.now());
}

void ServerSet::giveUpSilent(std::size_t index, Calls& calls) {
  const Endpoint& endpoint = endpoints_[index];
  if (endpoint.removed && usableEndpoints() > 0)
    calls.emplace_back([this, index] { lost_(index); });
  else if (endpoint.health == Health::Up && usableEndpoints() > 1)
    lose(index, endpoint.target.url + ": does not answer", calls);
}

void ServerSet::countAnswer(int number, double expected, double taken, Calls& calls) {
  Server& server = servers_[static_cast<std::size_t>(number)];
  if (expected > 0) server.lateness.add(expected, taken);
  Endpoint& endpoint = endpoints_[server.endpoint];
  endpoint.errors = 0;
  endpoint.pause = kFirstPause;
  endpoint.answered = transport_.now();
  endpoint.endSilence(endpoint.answered);
  if (!std::exchange(endpoint.away, false)) return;
  endpoint.failedParts = 0;
  calls.emplace_back([this, url = endpoint.target.url] { listener_.onServerBack(url); });
}

void ServerSet::learn(int number, Lesson lesson, Clock::time_point sent, Calls& calls) {
  const Clock::time_point now = transport_.now();
  lesson.url = target(number).url;
  lesson.roundTrip = duration_cast<Microseconds>(now - sent);
  RequestTimes times{.pixels = computed(lesson.sent),
                     .bytes = static_cast<double>(lesson.bytes),
                     .sent = sent,
                     .answered = now,
                     .late = lesson.late,
                     .queue = lesson.queue,
                     .work = lesson.infer};
  if (times.work) *times.work += lesson.decode.value_or(Microseconds{0});
  lesson.changed = shared(number).learn(times);
  lesson.cost = shared(number).standing().cost;
  calls.emplace_back([this, lesson = std::move(lesson)] { listener_.onLearned(lesson); });
}

// --- whether they are up

void ServerSet::countError(std::size_t index, const std::string& why,
                           std::chrono::seconds retryAfter, Calls& calls) {
  Endpoint& endpoint = endpoints_[index];
  heed(endpoint, retryAfter);
  if (++endpoint.errors >= kErrorsInARow && endpoint.health == Health::Up) lose(index, why, calls);
}

// Where all fail it is lost, which is told; where others are answered in between, this is.
void ServerSet::countFailedPart(std::size_t index, const std::string& why, const HttpReply& reply,
                                Calls& calls) {
  Endpoint& endpoint = endpoints_[index];
  if (reply.status == 503 && reply.retryAfter.count() > 0) {
    heed(endpoint, reply.retryAfter);
    endpoint.endSilence(transport_.now());
  } else {
    countError(index, why, reply.retryAfter, calls);
  }
  if (++endpoint.failedParts == kErrorsInARow && endpoint.health == Health::Up)
    calls.emplace_back([this, why] { listener_.onPartsFail(why); });
}

void ServerSet::countLate(int server, Clock::time_point sent, Calls& calls) {
  if (endpointAt(server).answered < sent)
    countError(endpointOf(server), target(server).url + ": did not answer by the deadline", {},
               calls);
}

// Leaves an endpoint out, and asks for its health after a pause, unless it is being asked already.
void ServerSet::lose(std::size_t index, const std::string& why, Calls& calls) {
  Endpoint& endpoint = endpoints_[index];
  const bool wasUp = endpoint.health == Health::Up;
  endpoint.health = Health::Out;
  const int left = usableEndpoints();
  if (!std::exchange(endpoint.away, true))
    calls.emplace_back([this, loss = Loss{endpoint.target.url, why, endpoint.known, left}] {
      listener_.onServerLost(loss);
    });
  if (endpoint.question == 0) {
    askAgainLater(index);
    markAsked(index, calls);
  }
  if (!wasUp) return;
  hurryIfNoneIsUp();
  calls.emplace_back([this, index] { lost_(index); });
}

// With the last one gone, nobody is waited for as long as before.
void ServerSet::hurryIfNoneIsUp() {
  if (usableEndpoints() > 0) return;
  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    const Endpoint& endpoint = endpoints_[i];
    if (!endpoint.removed && endpoint.health == Health::Out && endpoint.question == 0)
      askAgainLater(i);
  }
}

void ServerSet::heed(Endpoint& endpoint, std::chrono::seconds retryAfter) const {
  if (retryAfter.count() > 0)
    endpoint.notBefore = transport_.now() + std::min<milliseconds>(retryAfter, kLongestPause);
}

void ServerSet::askAgainLater(std::size_t index) {
  Endpoint& endpoint = endpoints_[index];
  milliseconds pause = kFirstPause;
  if (usableEndpoints() > 0) {
    pause = endpoint.pause;
    endpoint.pause = std::min(2 * endpoint.pause, kLongestPause);
  }
  const double jitter = random_.uniform(0.5, 1);
  wait(index,
       std::max(endpoint.notBefore - transport_.now(), durationOf(secondsOf(pause) * jitter)),
       &ServerSet::askHealth);
}

// It infers: it gets parts again.
void ServerSet::takeBack(Endpoint& endpoint) {
  endpoint.health = Health::Up;
  endpoint.errors = endpoint.failedParts = 0;
  endpoint.endSilence(transport_.now());
}

// In the place of whatever the endpoint's timer was for.
void ServerSet::wait(std::size_t index, Clock::duration time,
                     void (ServerSet::*then)(std::size_t, Calls&)) {
  Endpoint& endpoint = endpoints_[index];
  const std::uint64_t number = ++endpoint.questions;
  transport_.cancel(endpoint.timer);
  endpoint.timer = transport_.at(transport_.now() + time, [this, index, then, number] {
    withLock([&](Calls& calls) {
      if (endpoints_[index].questions == number) (this->*then)(index, calls);
    });
  });
}

void ServerSet::ask(std::size_t index, HttpRequest question, Clock::duration limit,
                    std::function<Then(const HttpReply&)> read) {
  Endpoint& endpoint = endpoints_[index];
  const std::uint64_t number = ++endpoint.questions;
  const auto settled = [this, index, number, read = std::move(read)](const HttpReply& reply) {
    const Then then = read(reply);
    withLock([&](Calls& calls) {
      Endpoint& asked = endpoints_[index];
      if (asked.question == 0 || asked.questions != number) return;  // reply and time-out met
      transport_.cancel(std::exchange(asked.question, 0));
      transport_.cancel(std::exchange(asked.timer, 0));
      then(calls);
    });
  };
  endpoint.question = transport_.send(std::move(question), settled);
  endpoint.timer =
      transport_.at(transport_.now() + limit, [settled] { settled({.error = "does not answer"}); });
}

void ServerSet::ask(std::size_t index, HttpRequest question, Clock::duration limit,
                    void (ServerSet::*then)(std::size_t, const HttpReply&, Calls&)) {
  ask(index, std::move(question), limit, [this, index, then](const HttpReply& reply) -> Then {
    return [this, index, then, &reply](Calls& calls) { (this->*then)(index, reply, calls); };
  });
}

HttpRequest ServerSet::get(std::size_t index, const std::string& path) const {
  const Target& target = endpoints_[index].target;
  return {.url = target.url + path, .host = target.host, .longestReply = kLongestDescription};
}

void ServerSet::askMetadata(std::size_t index) {
  ask(index, get(index, "/v2/models/" + model_), kQuestionTimeout, &ServerSet::onMetadata);
}

void ServerSet::askHealth(std::size_t index, Calls&) {
  ask(index, get(index, "/v2/health/ready"),
      usableEndpoints() > 0 ? kHealthTimeout : kUrgentTimeout, &ServerSet::onHealth);
}

void ServerSet::onMetadata(std::size_t index, const HttpReply& reply, Calls& calls) {
  Endpoint& endpoint = endpoints_[index];
  std::string why = reason(reply);
  if (reply.status == 200) {
    auto metadata = wire::parseMetadata(reply.body, settings_.tensors.image);
    if (metadata) {
      endpoint.rules = std::move(metadata.value().rules);
      endpoint.takesRaw = metadata.value().takesRaw;
      endpoint.takesEncoded = metadata.value().takesEncoded;
      endpoint.untried = endpoint.network = nullptr;
      // Who knows Elf's rules takes binary tensors (docs/wire.md); others are asked.
      if (endpoint.rules) return onTold(index, calls);
      const auto network = RemoteNetwork::of(settings_.network, metadata.value());
      if (!network) return lose(index, endpoint.target.url + ": " + network.error(), calls);
      endpoint.untried = network.value();
      return ask(index, get(index, "/v2"), kQuestionTimeout, &ServerSet::onServerMetadata);
    }
    why = metadata.error();
  }
  why = endpoint.target.url + ": " + why;
  heed(endpoint, reply.retryAfter);
  if (reply.status != 404 || endpoint.known || !endpoint.initial) return lose(index, why, calls);
  if (settings_.version.empty())
    return missing(index, "has no model '" + settings_.model + "'", reason(reply), calls);
  ask(index, get(index, "/v2/models/" + settings_.model), kQuestionTimeout, &ServerSet::onVersions);
}

// It does not have the version that is wanted; it may have others.
void ServerSet::onVersions(std::size_t index, const HttpReply& reply, Calls& calls) {
  if (reply.status == 404)
    return missing(index, "has no model '" + settings_.model + "'", reason(reply), calls);
  std::string versions;
  if (const auto metadata = wire::parseMetadata(reply.body, settings_.tensors.image))
    for (const std::string& version : metadata.value().versions)
      versions += (versions.empty() ? "; it has " : ", ") + version;
  missing(index,
          "has no version '" + settings_.version + "' of model '" + settings_.model + "'" +
              printable(versions),
          "HTTP status 404 for /v2/models/" + model_, calls);
}

void ServerSet::missing(std::size_t index, const std::string& what, const std::string& why,
                        Calls& calls) {
  Endpoint& endpoint = endpoints_[index];
  endpoint.health = Health::Out;
  calls.emplace_back([this, what = endpoint.target.url + " " + what, why] {
    listener_.onModelMissing(what, why);
  });
  markAsked(index, calls);
}

void ServerSet::onServerMetadata(std::size_t index, const HttpReply& reply, Calls& calls) {
  Endpoint& endpoint = endpoints_[index];
  if (reply.status == 0) return lose(index, endpoint.target.url + ": " + reason(reply), calls);
  endpoint.takesBinary = reply.status != 200 || wire::takesBinary(reply.body);
  endpoint.triesBinary = endpoint.takesBinary || wire::mayTakeBinaryNumbers(reply.body);
  onTold(index, calls);
}

void ServerSet::onTold(std::size_t index, Calls& calls) {
  Endpoint& endpoint = endpoints_[index];
  endpoint.known = true;
  if (endpoint.health == Health::Out) endpoint.health = Health::Trial;
  if (endpoint.untried) return makeTrial(index, endpoint.triesBinary);
  probe(index, calls);
}

// Makes the tensor of a trial in a callback of the transport, which holds no lock.
void ServerSet::makeTrial(std::size_t index, bool binary) {
  Endpoint& endpoint = endpoints_[index];
  const std::uint64_t number = ++endpoint.questions;
  transport_.cancel(endpoint.timer);
  endpoint.timer =
      transport_.at(transport_.now(), [this, index, number, binary, network = endpoint.untried] {
        SentImage image(network->trial(), network->trialSize(), network);
        if (!binary) image.addJson();
        withLock([&](Calls&) {
          if (endpoints_[index].questions == number) sendTrial(index, image, binary);
        });
      });
}

void ServerSet::sendTrial(std::size_t index, const SentImage& image, bool binary) {
  Endpoint& endpoint = endpoints_[index];
  wire::InferRequest request;
  request.id = kTrialId;
  wire::setTimeout(request.parameters, kTrialTimeout);
  ask(index, toHttp(endpoint, std::move(request), image, binary), kTrialTimeout,
      [this, index, binary, image, url = endpoint.target.url](const HttpReply& reply) -> Then {
        const RemoteNetwork& network = *image.network();
        if (binary && isRefusal(reply.status))
          return [this, index, why = url + ": " + reason(reply)](Calls& calls) {
            if (endpoints_[index].takesBinary) return lose(index, why, calls);
            makeTrial(index, false);
          };
        const auto answer = responseTo(reply, kTrialId, true);
        auto known = answer ? network.tried(url, answer.value())
                            : Result<RemoteNetworkPtr>::failure(url + ": " + answer.error());
        if (!known)
          return [this, index, why = known.error(), retryAfter = reply.retryAfter](Calls& calls) {
            heed(endpoints_[index], retryAfter);
            lose(index, why, calls);
          };
        return [this, index, binary, image, network = known.value(),
                probes = makeNetworkProbes(*known.value())](Calls& calls) {
          onTrial(index, network, probes, image, binary, calls);
        };
      });
}

void ServerSet::onTrial(std::size_t index, RemoteNetworkPtr network, std::vector<Probe> probes,
                        const SentImage& image, bool binary, Calls& calls) {
  Endpoint& endpoint = endpoints_[index];
  endpoint.network = std::move(network);
  endpoint.untried = nullptr;
  endpoint.rules = endpoint.network->rules();
  endpoint.takesBinary = binary;
  endpoint.probes = std::move(probes);
  endpoint.bytesPerPixel =
      static_cast<double>(image.bytes(binary)) /
      endpoint.network->rules().inputSize(endpoint.network->trialSize()).area();
  if (endpoint.health != Health::Up) takeBack(endpoint);
  probe(index, calls);
}

// It may have another model than before: that is asked each time.
void ServerSet::onHealth(std::size_t index, const HttpReply& reply, Calls& calls) {
  if (reply.status == 200) return askMetadata(index);
  heed(endpoints_[index], reply.retryAfter);
  lose(index, endpoints_[index].target.url + ": " + reason(reply), calls);
}

std::vector<Probe>& ServerSet::probesFor(Endpoint& endpoint) {
  if (endpoint.network) return endpoint.probes;
  return endpoint.takesEncoded ? probes_ : rawProbes_;
}

// Begins to probe an endpoint, unless it has been and is up; while another offloader does, waits
// for that.
void ServerSet::probe(std::size_t index, Calls& calls) {
  Endpoint& endpoint = endpoints_[index];
  std::vector<Probe>& probes = probesFor(endpoint);
  if (probes.empty() && !endpoint.network)
    probes = endpoint.takesEncoded ? makeProbes(rules(), encoder_) : makeRawProbes(rules());
  if (probes.empty()) {
    if (endpoint.health == Health::Trial) {
      takeBack(endpoint);
      // Its first part is its trial.
      endpoint.errors = kErrorsInARow - 1;
    }
    return markAsked(index, calls);
  }
  switch (sharedOf(index).takeProbe()) {
    case SharedServer::ProbeTurn::Yours:
      endpoint.probing = true;
      break;
    case SharedServer::ProbeTurn::Another:
      return wait(index, kProbePoll, &ServerSet::probe);
    case SharedServer::ProbeTurn::Done:
      if (endpoint.health != Health::Trial) return markAsked(index, calls);
  }
  endpoint.probe = 0;
  sendProbe(index);
}

void ServerSet::sendProbe(std::size_t index) {
  Endpoint& endpoint = endpoints_[index];
  const Probe& probe = probesFor(endpoint)[endpoint.probe];
  // A server that is known to be slow has longer.
  constexpr double kPatience = 2;
  SentImage image = endpoint.network ? SentImage(probe.image, probe.size, endpoint.network)
                                     : SentImage(probe.image, settings_.tensors.image);
  if (!endpoint.takesBinary) image.addJson();
  endpoint.probeBytes = image.bytes(endpoint.takesBinary);
  const CostModel cost = sharedOf(index).standing().cost;
  const double expected =
      cost.seconds(computed(probe.size), static_cast<double>(endpoint.probeBytes));
  const auto limit =
      std::max(kQuestionTimeout, duration_cast<milliseconds>(durationOf(kPatience * expected)));
  wire::InferRequest request;
  request.id = probeId(endpoint.probe);
  wire::setTimeout(request.parameters, limit);
  endpoint.probeSent = transport_.now();
  ask(index, toHttp(endpoint, std::move(request), image, endpoint.takesBinary), limit,
      &ServerSet::onProbe);
}

void ServerSet::onProbe(std::size_t index, const HttpReply& reply, Calls& calls) {
  Endpoint& endpoint = endpoints_[index];
  const std::vector<Probe>& probes = probesFor(endpoint);
  const Probe& probe = probes[endpoint.probe];
  const ReadReply reading(reply, probeId(endpoint.probe), rules(), tensors(), probe.size,
                          endpoint.network.get());
  if (!reading.error.empty()) {
    const std::string why = endpoint.target.url + ": " + reading.error;
    calls.emplace_back([this, why] { listener_.onProbeFailed(why); });
    if (endpoint.probing) endProbe(index, false);
    // It may have been left out meanwhile: then nobody asks for its health yet.
    if (endpoint.health == Health::Up)
      countError(index, why, reply.retryAfter, calls);
    else
      lose(index, why, calls);
    if (endpoint.health == Health::Up && !std::exchange(endpoint.probedAgain, true))
      wait(index, endpoint.pause, &ServerSet::probe);
    return markAsked(index, calls);
  }
  takeBack(endpoint);
  if (!endpoint.probing) return markAsked(index, calls);
  if (endpoint.probe >= kWarmUpProbes)
    for (int i = 0; i < count(); ++i)
      if (endpointOf(i) == index && !at(i).removed)
        learn(i,
              {.probe = true,
               .sent = probe.size,
               .bytes = endpoint.probeBytes,
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

void ServerSet::endProbe(std::size_t index, bool complete) {
  endpoints_[index].probing = false;
  sharedOf(index).endProbe(complete);
}

// What stands for the endpoint in the pool: its first mention.
SharedServer& ServerSet::sharedOf(std::size_t index) const {
  const auto first = [&](const Server& server) {
    return server.endpoint == index && server.mention == 0;
  };
  return *std::ranges::find_if(servers_, first)->shared;
}

void ServerSet::markAsked(std::size_t index, Calls& calls) {
  endpoints_[index].asked = true;
  checkReady(calls);
}

void ServerSet::checkReady(Calls& calls) {
  const auto settled = [](const Endpoint& endpoint) { return endpoint.removed || endpoint.asked; };
  if (ready_ || !std::ranges::all_of(endpoints_, settled) ||
      !std::ranges::all_of(names_, &Name::lookedUp))
    return;
  ready_ = true;
  calls.emplace_back([this] { listener_.onReady(); });
}

HttpRequest ServerSet::toHttp(int server, wire::InferRequest request,
                              const SentImage& image) const {
  return toHttp(endpointAt(server), std::move(request), image, takesBinary(server));
}

HttpRequest ServerSet::toHttp(const Endpoint& endpoint, wire::InferRequest request,
                              const SentImage& image, bool binary) const {
  request.binaryOutputs = binary;
  if (endpoint.network)
    request.outputs = endpoint.network->outputs(binary);
  else if (image.network())
    request.outputs = image.network()->outputs(binary);
  wire::SharedMessage message = wire::encode(request, image.tensors(binary));
  HttpRequest post;
  post.method = "POST";
  post.url = endpoint.target.url + "/v2/models/" + model_ + "/infer";
  post.host = endpoint.target.host;
  post.body = std::move(message.body);
  if (image.network()) post.longestReply = kLongestNetworkReply;
  if (message.jsonLength)
    post.headers.emplace_back("Inference-Header-Content-Length",
                              std::to_string(*message.jsonLength));
  else
    post.contentType = "application/json";
  return post;
}

}  // namespace elf
