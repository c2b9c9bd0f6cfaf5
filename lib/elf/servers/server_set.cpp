// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/server_set.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "elf/base/printable.h"
#include "elf/base/seconds.h"
#include "elf/servers/remote_network.h"
#include "elf/servers/server_url.h"

namespace elf {

using std::chrono::duration_cast;

ServerSet::ServerSet(const OffloadSettings& settings, ServerPool& pool, InferenceClient& client,
                     OffloadListener& listener, DeferringMutex& mutex, Lost lost)
    : settings_(settings),
      model_{settings.model, settings.version},
      pool_(pool),
      client_(client),
      loop_(client.loop()),
      listener_(listener),
      mutex_(mutex),
      lost_(std::move(lost)),
      random_(settings.seed) {}

ServerSet::~ServerSet() {
  for (auto& [url, lookUp] : lookUps_) cancel(lookUp);
  for (auto& [url, browsing] : browsings_) cancel(browsing);
  for (std::size_t i = 0; i < endpoints_.size(); ++i) removeEndpoint(i);
}

// --- which servers there are

void ServerSet::set(std::vector<std::string> urls) {
  const auto change = directory_.setUrls(std::move(urls), loop_.now(), inUse());
  const auto forget = [this](auto& asked) {
    for (auto entry = asked.begin(); entry != asked.end();) {
      const bool gone = !directory_.isName(entry->first);
      if (gone) cancel(entry->second);
      entry = gone ? asked.erase(entry) : std::next(entry);
    }
  };
  forget(lookUps_);
  forget(browsings_);
  apply(change);
  for (const std::string& url : change.lookUp) isAnnounced(url) ? browse(url) : lookUp(url);
}

ServerDirectory::InUse ServerSet::inUse() const {
  return [this](std::size_t endpoint) { return endpoints_[endpoint].silence.outstanding() > 0; };
}

void ServerSet::cancel(Repeated& asked) {
  loop_.cancel(std::exchange(asked.request, 0));
  loop_.cancel(std::exchange(asked.timer, 0));
}

void ServerSet::lookUp(const std::string& url) {
  const auto settled = [this, url](std::vector<std::string> addresses) {
    const DeferringMutex::Lock lock(mutex_);
    const auto asked = lookUps_.find(url);
    if (asked == lookUps_.end() || asked->second.request == 0) return;  // reply and time-out met
    cancel(asked->second);
    asked->second.timer = loop_.at(loop_.now() + kLookUpAgain, [this, url] {
      const DeferringMutex::Lock again(mutex_);
      if (lookUps_.contains(url)) lookUp(url);
    });
    apply(directory_.setAddresses(url, std::move(addresses), loop_.now(), inUse()));
  };
  Repeated& lookUp = lookUps_[url];
  lookUp.request = loop_.lookUp(hostOf(url), settled);
  // A slow name server must not hold up the rest. The transport tries the name itself.
  lookUp.timer = loop_.at(loop_.now() + kQuestionTimeout, [settled] { settled({}); });
}

void ServerSet::browse(const std::string& url) {
  Browsing& browsing = browsings_[url];
  browsing.browser = loop_.browse([this, url](Announced announced) {
    const DeferringMutex::Lock lock(mutex_);
    const auto asked = browsings_.find(url);
    if (asked == browsings_.end()) return;
    asked->second.next = std::move(announced);
    if (!asked->second.begun || asked->second.timer == 0) takeAnnounced(url);
  });
  // A slow network must not hold up the rest.
  takeAnnouncedAfter(url, kQuestionTimeout);
}

void ServerSet::cancel(Browsing& browsing) {
  loop_.cancel(std::exchange(browsing.browser, 0));
  loop_.cancel(std::exchange(browsing.timer, 0));
}

bool ServerSet::isPlaceholder(std::size_t endpoint) const {
  return isAnnounced(urlOf(endpoint));
}

// Nobody can make this class work without a pause by changes of what is announced.
void ServerSet::takeAnnouncedAfter(const std::string& url, Clock::duration pause) {
  Browsing& browsing = browsings_[url];
  loop_.cancel(browsing.timer);
  browsing.timer = loop_.at(loop_.now() + pause, [this, url] {
    const DeferringMutex::Lock lock(mutex_);
    const auto asked = browsings_.find(url);
    if (asked == browsings_.end()) return;
    asked->second.timer = 0;
    if (asked->second.next || !asked->second.begun) takeAnnounced(url);
  });
}

void ServerSet::takeAnnounced(const std::string& url) {
  Browsing& browsing = browsings_[url];
  const Announced announced = std::exchange(browsing.next, std::nullopt).value_or(Announced{});
  browsing.begun = true;
  takeAnnouncedAfter(url, kAnnouncedAgain);
  std::vector<ServerAddress> servers;
  std::string ignored;
  for (const AnnouncedServer& server : announced.servers) {
    if (!server.serves(model_.name)) continue;
    const ServerAddress address{.url = server.url(), .host = server.host};
    if (!server.tls && url == kAnnounced)
      ignored += (ignored.empty() ? "" : ", ") + server.host + ":" + std::to_string(server.port);
    else if (std::ranges::find(servers, address) == servers.end())
      servers.push_back(address);
  }
  browsing.fault = url + " " +
                   (announced.fault.empty()
                        ? "no server that can be used announces the model '" + model_.name + "'"
                        : "finds no server: " + announced.fault);
  if (!ignored.empty() && !std::exchange(browsing.saidIgnored, true))
    defer([this, what = url + " ignores what is announced without TLS: " + printable(ignored) +
                        " (avahi+http: takes it)"] { listener_.onServersIgnored(what); });
  apply(directory_.setAnnounced(url, std::move(servers), loop_.now(), inUse()));
}

void ServerSet::apply(const ServerDirectory::Change& change) {
  // Until more is known, the addresses of a name have the profile of the whole name.
  std::optional<Endpoint> whole;
  if (change.divided && endpoints_[*change.divided].introduction.known())
    whole = endpoints_[*change.divided];
  for (const std::size_t endpoint : change.removed) removeEndpoint(endpoint);
  for (const std::size_t endpoint : change.added) {
    addEndpoint(endpoint);
    if (!whole) continue;
    Endpoint& one = endpoints_[endpoint];
    one.breaker = CircuitBreaker(whole->breaker.state(), ready_);
    one.introduction.assume(whole->introduction.profile());
    one.networkBytesPerPixel = whole->networkBytesPerPixel;
  }
  for (const int number : change.servers) {
    const ServerDirectory::Server& server = directory_.servers()[static_cast<std::size_t>(number)];
    costs_.set(number, pool_.server(address(number).key(), model_.path(), server.mention));
  }
  for (const std::size_t endpoint : change.ready) introduce(endpoint);
  hurryIfNoneIsUp();
  checkReady();
}

void ServerSet::addEndpoint(std::size_t index) {
  endpoints_.resize(std::max(endpoints_.size(), index + 1));
  Endpoint& endpoint = endpoints_[index];
  // Answers for the endpoint that had the number before may still arrive.
  const Silence silence = endpoint.silence;
  const std::uint64_t questions = endpoint.question.number + 1;
  endpoint.breaker.open();
  // That the last announced server has gone is reported like the loss of a last server.
  const bool reported = !isPlaceholder(index) || closedEndpoints() > 0;
  endpoint = Endpoint();
  if (ready_) endpoint.breaker = CircuitBreaker(CircuitBreaker::State::HalfOpen, reported);
  endpoint.introduction = Introduction(settings_);
  endpoint.silence = silence;
  endpoint.question.number = questions;
}

void ServerSet::removeEndpoint(std::size_t index) {
  Endpoint& endpoint = endpoints_[index];
  loop_.cancel(std::exchange(endpoint.question.request, 0));
  loop_.cancel(std::exchange(endpoint.question.timer, 0));
  cancel(endpoint.description);
  ++endpoint.question.number;
  if (endpoint.probing.turn) endProbe(index, false);
  endpoint.breaker.open();
}

void ServerSet::settle(std::size_t index) {
  endpoints_[index].settled = true;
  checkReady();
}

void ServerSet::checkReady() {
  if (ready_ || !directory_.lookedUp()) return;
  for (std::size_t i = 0; i < endpoints_.size(); ++i)
    if (!removed(i) && !endpoints_[i].settled) return;
  ready_ = true;
  defer([this] { listener_.onReady(); });
}

// --- what they can do

bool ServerSet::usable(int server) const {
  return !directory_.servers()[static_cast<std::size_t>(server)].removed &&
         at(server).breaker.closed();
}

bool ServerSet::hasIdle() const {
  return std::ranges::any_of(endpoints_, [](const Endpoint& endpoint) {
    return endpoint.breaker.closed() && endpoint.silence.outstanding() == 0;
  });
}

int ServerSet::closedEndpoints() const {
  return static_cast<int>(std::ranges::count_if(
      endpoints_, [](const Endpoint& endpoint) { return endpoint.breaker.closed(); }));
}

Capacity ServerSet::capacity() const {
  Capacity capacity;
  for (int i = 0; i < count(); ++i) {
    const ServerProfile& profile = this->profile(i);
    const SharedServer::State state = costs_.shared(i).state();
    capacity.servers.push_back(
        {.url = address(i).url,
         .healthy = usable(i),
         .removed = directory_.servers()[static_cast<std::size_t>(i)].removed.has_value(),
         .takesRaw = profile.takesRaw,
         .takesEncoded = profile.takesEncoded,
         .network = profile.network,
         .cost = state.cost,
         .bytesPerPixel = bytesPerPixel(i),
         .mostBytes = at(i).limited ? static_cast<double>(at(i).answeredBytes)
                                    : std::numeric_limits<double>::infinity(),
         .busy = state.outstanding + heldBack(i),
         .answers = state.answers});
  }
  capacity.rules = rules();
  return capacity;
}

std::vector<ServerReport> ServerSet::reports() const {
  std::vector<ServerReport> reports;
  const Capacity now = capacity();
  for (int i = 0; i < count(); ++i)
    if (const ServerState& state = now.servers[static_cast<std::size_t>(i)]; !state.removed)
      reports.push_back({.state = state, .circuit = at(i).breaker.state()});
  return reports;
}

const ModelRules& ServerSet::rules() const {
  const ModelRules* told = &settings_.localRules;
  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    const ServerProfile& profile = endpoints_[i].introduction.profile();
    if (!profile.rules) continue;
    told = &*profile.rules;
    if (!removed(i)) break;
  }
  return *told;
}

double ServerSet::bytesPerPixel(int server) const {
  constexpr double kRaw = 3;
  if (profile(server).network) return at(server).networkBytesPerPixel;
  return profile(server).takesEncoded ? costs_.bytesPerPixel(server) : kRaw;
}

double ServerSet::expectedBytes(int server, Size sent) const {
  return (profile(server).network ? computed(sent) : sent.area()) * bytesPerPixel(server);
}

double ServerSet::heldBack(int server) const {
  return std::max(0.0, secondsOf(at(server).breaker.heldBack(loop_.now())));
}

bool ServerSet::wantsJson(const PartImage& image) const {
  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    const ServerProfile& profile = endpoints_[i].introduction.profile();
    if (!removed(i) && !profile.takesBinary && profile.takesKind(image)) return true;
  }
  return false;
}

ServerSet::Choice ServerSet::pick(Size sent, const PartImage* image,
                                  std::span<const int> tried) const {
  std::vector<CostTable::Candidate> candidates;
  for (int i = 0; i < count(); ++i) {
    if (!usable(i) || std::ranges::find(tried, i) != tried.end()) continue;
    if (image && !profile(i).takes(*image)) continue;
    candidates.push_back(
        {.server = i,
         .bytes = image ? static_cast<double>(profile(i).bytes(*image)) : expectedBytes(i, sent),
         .heldBack = heldBack(i),
         .tried = std::ranges::any_of(
             tried, [&](int each) { return endpointOf(each) == endpointOf(i); })});
  }
  return costs_.fastest(candidates, computed(sent));
}

void ServerSet::noteImage(int server, const PartImage& image, Size sent) {
  if (!profile(server).takesForm(image)) return;
  const auto bytes = static_cast<double>(profile(server).bytes(image));
  if (image.network())
    endpoints_[endpointOf(server)].networkBytesPerPixel =
        bytes / image.network()->rules().inputSize(sent).area();
  else if (image.isRaw())
    costs_.countRaw(server);
  else
    costs_.countFile(server, bytes, sent.area());
}

double ServerSet::beginRequest(int server, Size sent, double bytes) {
  endpoints_[endpointOf(server)].silence.begin(loop_.now());
  return costs_.shared(server).begin(computed(sent), bytes);
}

void ServerSet::endRequest(int server, double cost) {
  endpoints_[endpointOf(server)].silence.end(loop_.now());
  costs_.shared(server).end(cost);
}

void ServerSet::countAnswer(int server, double expected, double taken) {
  costs_.countAnswer(server, expected, taken);
  Endpoint& endpoint = endpoints_[endpointOf(server)];
  endpoint.breaker.countAnswer();
  endpoint.answered = loop_.now();
  endpoint.silence.reset(endpoint.answered);
  endpoint.saidSilent = false;
  if (endpoint.breaker.reportClosed())
    defer([this, url = address(server).url] { listener_.onServerUp(url); });
}

void ServerSet::learn(int server, CostSample sample, Clock::time_point sent) {
  const Clock::time_point now = loop_.now();
  std::size_t& most = endpoints_[endpointOf(server)].answeredBytes;
  if (!sample.late) most = std::max(most, sample.bytes);
  sample.url = address(server).url;
  sample.roundTrip = duration_cast<Microseconds>(now - sent);
  RequestTimes times{.pixels = computed(sample.sent),
                     .bytes = static_cast<double>(sample.bytes),
                     .sent = sent,
                     .answered = now,
                     .late = sample.late,
                     .queue = sample.queue,
                     .work = sample.infer};
  if (times.work) *times.work += sample.decode.value_or(Microseconds{0});
  sample.changed = costs_.shared(server).learn(times);
  sample.cost = costs_.shared(server).state().cost;
  defer([this, sample = std::move(sample)] { listener_.onCostSample(sample); });
}

// --- whether they are up

void ServerSet::countError(std::size_t index, const std::string& why,
                           std::chrono::seconds retryAfter) {
  CircuitBreaker& breaker = endpoints_[index].breaker;
  breaker.holdBack(loop_.now(), retryAfter);
  if (breaker.countError()) lose(index, why);
}

// If all parts fail, lose() reports it; if others are answered in between, this does.
void ServerSet::countFailedPart(std::size_t index, const std::string& why,
                                const ServerReply& reply) {
  Endpoint& endpoint = endpoints_[index];
  if (reply.status == ServerReply::Status::Busy) {
    endpoint.breaker.holdBack(loop_.now(), reply.retryAfter);
    endpoint.silence.reset(loop_.now());
  } else {
    countError(index, why, reply.retryAfter);
  }
  if (endpoint.breaker.countFailedPart()) defer([this, why] { listener_.onPartsFail(why); });
}

void ServerSet::countLate(int server, Clock::time_point sent) {
  if (at(server).answered < sent)
    countError(endpointOf(server), address(server).url + ": did not answer by the deadline", {});
}

ServerSet::Clock::duration ServerSet::silence(std::size_t endpoint) const {
  return endpoints_[endpoint].silence.length(loop_.now());
}

ServerSet::Clock::duration ServerSet::longestSilence(int server, double expected) const {
  constexpr double kTimes = 3;
  const auto least = lateness(server).known() ? kSilence : kFirstSilence;
  return std::max<Clock::duration>(least, durationOf(kTimes * expected));
}

void ServerSet::forgiveSilence() {
  for (Endpoint& endpoint : endpoints_) endpoint.silence.reset(loop_.now());
}

bool ServerSet::giveUpSilent(std::size_t index) {
  if (removed(index) && closedEndpoints() > 0) {
    defer([this, index] { lost_(index); });
    return true;
  }
  if (endpoints_[index].breaker.closed() && closedEndpoints() > 1) {
    lose(index, urlOf(index) + ": does not answer");
    return true;
  }
  askWhySilent(index);
  return false;
}

// Leaves an endpoint out. Asks for its health after a pause, unless a question is under way.
void ServerSet::lose(std::size_t index, const std::string& why) {
  Endpoint& endpoint = endpoints_[index];
  const bool wasClosed = endpoint.breaker.open();
  cancel(endpoint.description);
  if (endpoint.breaker.reportOpen())
    defer([this, down = ServerDown{urlOf(index), why, endpoint.introduction.known(),
                                   closedEndpoints()}] { listener_.onServerDown(down); });
  if (endpoint.question.request == 0) {
    askAgainLater(index);
    settle(index);
  }
  if (!wasClosed) return;
  hurryIfNoneIsUp();
  defer([this, index] { lost_(index); });
}

void ServerSet::close(std::size_t index) {
  endpoints_[index].breaker.close();
  endpoints_[index].silence.reset(loop_.now());
}

// When the last one is lost, shortens the pauses of all.
void ServerSet::hurryIfNoneIsUp() {
  if (closedEndpoints() > 0) return;
  for (std::size_t i = 0; i < endpoints_.size(); ++i)
    if (!removed(i) && endpoints_[i].breaker.state() == CircuitBreaker::State::Open &&
        endpoints_[i].question.request == 0)
      askAgainLater(i);
}

void ServerSet::askAgainLater(std::size_t index) {
  if (isPlaceholder(index)) return;  // the browser reports when there is a server
  const double jitter = random_.uniform(0.5, 1);
  const auto pause =
      endpoints_[index].breaker.nextPause(loop_.now(), jitter, closedEndpoints() == 0);
  wait(index, pause, [this, index] { askHealth(index); });
}

}  // namespace elf
