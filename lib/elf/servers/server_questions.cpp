// SPDX-License-Identifier: LGPL-2.1-or-later
// ServerSet's questions to its endpoints: health, introductions and probes.
#include <algorithm>
#include <optional>
#include <utility>

#include "elf/base/seconds.h"
#include "elf/servers/remote_network.h"
#include "elf/servers/server_set.h"

namespace elf {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

namespace {

std::string probeId(std::size_t number) {
  return "probe." + std::to_string(number);
}

constexpr const char* kTrialId = "probe.trial";

/** Reads the answer to a trial. */
TrialReply trialReply(const InferenceReply& reply, const RemoteNetwork& network,
                      const std::string& url) {
  TrialReply trial{static_cast<const ServerReply&>(reply)};
  if (!reply.ok()) return trial;
  auto known = network.tried(url, reply.response);
  if (known) {
    trial.network = std::move(known.value());
    trial.probes = makeNetworkProbes(*trial.network);
  } else {
    trial.status = ServerReply::Status::Failed;
    trial.error = known.error().substr(url.size() + 2);  // without "URL: "
  }
  return trial;
}

}  // namespace

struct ServerSet::ProbeReply : ServerReply {
  std::optional<PartReply> read = std::nullopt;
};

// Replaces the endpoint's timer. After `time` calls `make` with no lock held, and then `use` with
// the result and the lock held, unless another question or wait has begun.
template <typename Make, typename Use>
void ServerSet::make(std::size_t index, Clock::duration time, Make make, Use use) {
  Question& question = endpoints_[index].question;
  const std::uint64_t number = ++question.number;
  loop_.cancel(question.timer);
  question.timer = loop_.at(loop_.now() + time, [this, index, number, make, use] {
    const auto made = make();
    const DeferringMutex::Lock lock(mutex_);
    Question& asked = endpoints_[index].question;
    if (asked.number != number) return;
    asked.timer = 0;
    use(made);
  });
}

void ServerSet::wait(std::size_t index, Clock::duration time, std::function<void()> then) {
  make(
      index, time, [] { return nullptr; }, [then = std::move(then)](std::nullptr_t) { then(); });
}

// `send` takes the callback for the reply, and returns the handle of the request.
template <typename Reply, typename Send, typename Then>
void ServerSet::ask(std::size_t index, Clock::duration limit, Send send, Then then) {
  const std::uint64_t number = ++endpoints_[index].question.number;
  const auto settled = [this, index, number, then](const Reply& reply) {
    const DeferringMutex::Lock lock(mutex_);
    Question& question = endpoints_[index].question;
    if (question.request == 0 || question.number != number) return;  // reply and time-out met
    loop_.cancel(std::exchange(question.request, 0));
    loop_.cancel(std::exchange(question.timer, 0));
    then(reply);
  };
  Question& question = endpoints_[index].question;
  question.request = send(settled);
  question.timer = loop_.at(loop_.now() + limit, [settled] {
    Reply none;
    none.status = ServerReply::Status::Unreachable;
    none.error = "does not answer";
    settled(none);
  });
}

InferenceClient::Handle ServerSet::infer(std::size_t index, wire::InferRequest request,
                                         const PartImage& image, bool binary,
                                         const std::string& traceparent,
                                         InferenceClient::Done<InferenceReply> done) const {
  const ServerProfile& profile = endpoints_[index].introduction.profile();
  const RemoteNetwork* reads = profile.network ? profile.network.get() : image.network().get();
  request.binaryOutputs = binary;
  if (reads)
    request.outputs = reads->outputs(binary);
  else
    for (const std::string& name : profile.outputs) request.outputs.push_back({name, binary});
  const std::vector<wire::EncodedTensor> tensors = image.tensors(binary, profile.batched);
  return client_.infer(addressOf(index), model_,
                       {.request = std::move(request),
                        .inputs = tensors,
                        .rawOutputs = image.network() != nullptr,
                        .stream = stream_,
                        .traceparent = traceparent},
                       std::move(done));
}

InferenceClient::Handle ServerSet::infer(int server, wire::InferRequest request,
                                         const PartImage& image, const std::string& traceparent,
                                         InferenceClient::Done<InferenceReply> done) const {
  return infer(endpointOf(server), std::move(request), image, profile(server).takesBinary,
               traceparent, std::move(done));
}

// The endpoint may have another model than before, so it is introduced each time.
void ServerSet::askHealth(std::size_t index) {
  ask<ServerReply>(
      index, closedEndpoints() > 0 ? kHealthTimeout : kUrgentTimeout,
      [&](auto done) { return client_.askReadiness(addressOf(index), done); },
      [this, index](const ServerReply& reply) {
        if (reply.ok()) return introduce(index);
        endpoints_[index].breaker.holdBack(loop_.now(), reply.retryAfter);
        lose(index, urlOf(index) + ": " + reply.error);
      });
}

// The only endpoint may be slow or gone. No other one can show which.
void ServerSet::askWhySilent(std::size_t index) {
  Endpoint& endpoint = endpoints_[index];
  const bool asked = endpoint.question.request != 0 || endpoint.question.timer != 0 ||
                     loop_.now() - endpoint.askedWhySilent < kFirstSilence;
  if (!endpoint.breaker.closed() || asked || silence(index) < kFirstSilence) return;
  endpoint.askedWhySilent = loop_.now();
  ask<ServerReply>(
      index, kHealthTimeout,
      [&](auto done) { return client_.askReadiness(addressOf(index), done); },
      [this, index](const ServerReply& reply) {
        Endpoint& silent = endpoints_[index];
        if (silence(index) < kFirstSilence) return;  // it has answered a part meanwhile
        if (!reply.ok()) return lose(index, urlOf(index) + ": " + reply.error);
        if (std::exchange(silent.saidSilent, true)) return;
        defer([this, url = urlOf(index),
               time = std::chrono::round<std::chrono::seconds>(silence(index))] {
          listener_.onServerSilent(url, time);
        });
      });
}

void ServerSet::introduce(std::size_t index) {
  if (isPlaceholder(index)) return lose(index, browsings_.at(urlOf(index)).fault);
  ask<ModelMetadataReply>(
      index, kQuestionTimeout,
      [&](auto done) {
        return client_.askModelMetadata(addressOf(index), model_, tensors().image, done);
      },
      [this, index](const ModelMetadataReply& reply) {
        endpoints_[index].breaker.holdBack(loop_.now(), reply.retryAfter);
        take(index, endpoints_[index].introduction.onModelMetadata(
                        reply, !ready_ && !directory_.announced(index)));
      });
}

// A server may load another model under the same name at any time.
void ServerSet::askForChanges(std::size_t index) {
  Repeated& asked = endpoints_[index].description;
  cancel(asked);
  asked.timer = loop_.at(loop_.now() + kDescribedAgain, [this, index] {
    const DeferringMutex::Lock lock(mutex_);
    Repeated& asks = endpoints_[index].description;
    if (std::exchange(asks.timer, 0) == 0) return;
    asks.request = client_.askModelMetadata(
        addressOf(index), model_, tensors().image, [this, index](const ModelMetadataReply& reply) {
          const DeferringMutex::Lock replied(mutex_);
          Endpoint& endpoint = endpoints_[index];
          if (std::exchange(endpoint.description.request, 0) == 0) return;
          const bool busy = endpoint.question.request != 0 || endpoint.question.timer != 0;
          const bool same = !reply.ok() || reply.metadata == endpoint.introduction.metadata();
          if (same || busy) return askForChanges(index);
          take(index, endpoint.introduction.onModelMetadata(reply, false));
        });
  });
}

void ServerSet::take(std::size_t index, const Introduction::Step& step) {
  Endpoint& endpoint = endpoints_[index];
  switch (step.kind) {
    case Introduction::Step::Kind::AskVersions:
      return askVersions(index, step.why);
    case Introduction::Step::Kind::AskServer:
      return askServer(index);
    case Introduction::Step::Kind::TryNetwork:
      endpoint.breaker.tryAgain();
      return makeTrial(index, step.binary);
    case Introduction::Step::Kind::Done:
      askForChanges(index);
      endpoint.breaker.tryAgain();
      return probe(index);
    case Introduction::Step::Kind::Missing:
      endpoint.breaker.open();
      defer([this, what = urlOf(index) + " " + step.what, why = step.why] {
        listener_.onModelMissing(what, why);
      });
      return settle(index);
    case Introduction::Step::Kind::Failed:
      return lose(index, urlOf(index) + ": " + step.why);
  }
}

void ServerSet::askVersions(std::size_t index, const std::string& why) {
  ask<ModelMetadataReply>(
      index, kQuestionTimeout,
      [&](auto done) {
        return client_.askModelMetadata(addressOf(index), {model_.name}, tensors().image, done);
      },
      [this, index, why](const ModelMetadataReply& reply) {
        take(index, endpoints_[index].introduction.onVersions(reply, why));
      });
}

void ServerSet::askServer(std::size_t index) {
  ask<ServerMetadataReply>(
      index, kQuestionTimeout,
      [&](auto done) { return client_.askServerMetadata(addressOf(index), done); },
      [this, index](const ServerMetadataReply& reply) {
        take(index, endpoints_[index].introduction.onServerMetadata(reply));
      });
}

void ServerSet::makeTrial(std::size_t index, bool binary) {
  make(
      index, {},
      [binary, network = endpoints_[index].introduction.untried()] {
        PartImage image(network->trial(), network->trialSize(), network);
        if (!binary) image.addJson();
        return image;
      },
      [this, index, binary](const PartImage& image) { sendTrial(index, image, binary); });
}

void ServerSet::sendTrial(std::size_t index, const PartImage& image, bool binary) {
  wire::InferRequest request;
  request.id = kTrialId;
  wire::setTimeout(request.parameters, kTrialTimeout);
  ask<TrialReply>(
      index, kTrialTimeout,
      [&](auto done) {
        return infer(index, std::move(request), image, binary, {},
                     [done, network = image.network(), url = urlOf(index)](
                         const InferenceReply& reply) { done(trialReply(reply, *network, url)); });
      },
      [this, index, image, binary](const TrialReply& reply) {
        onTrial(index, reply, image, binary);
      });
}

void ServerSet::onTrial(std::size_t index, const TrialReply& reply, const PartImage& image,
                        bool binary) {
  Endpoint& endpoint = endpoints_[index];
  endpoint.breaker.holdBack(loop_.now(), reply.retryAfter);
  const Introduction::Step step = endpoint.introduction.onTrial(reply, binary);
  if (step.kind == Introduction::Step::Kind::Done) {
    const RemoteNetwork& network = *endpoint.introduction.profile().network;
    endpoint.probing.probes = reply.probes;
    endpoint.networkBytesPerPixel = static_cast<double>(image.bytes(binary)) /
                                    network.rules().inputSize(network.trialSize()).area();
    if (!endpoint.breaker.closed()) close(index);
  }
  take(index, step);
}

// --- probes

std::vector<Probe>& ServerSet::probesFor(Endpoint& endpoint) {
  const ServerProfile& profile = endpoint.introduction.profile();
  if (profile.network) return endpoint.probing.probes;
  std::vector<Probe>& probes = profile.takesEncoded ? probes_ : rawProbes_;
  if (probes.empty())
    probes = profile.takesEncoded ? makeProbes(rules(), encoder_) : makeRawProbes(rules());
  return probes;
}

// Begins to probe an endpoint, unless it was probed and is closed. While another offloader probes
// it, waits for that.
void ServerSet::probe(std::size_t index) {
  Endpoint& endpoint = endpoints_[index];
  const bool halfOpen = endpoint.breaker.state() == CircuitBreaker::State::HalfOpen;
  if (probesFor(endpoint).empty()) {
    if (halfOpen) {
      endpoint.silence.reset(loop_.now());
      endpoint.breaker.closeUnprobed();
    }
    return settle(index);
  }
  switch (sharedOf(index).takeProbe()) {
    case SharedServer::ProbeTurn::Yours:
      endpoint.probing.turn = true;
      break;
    case SharedServer::ProbeTurn::Another:
      return wait(index, kProbePoll, [this, index] { probe(index); });
    case SharedServer::ProbeTurn::Done:
      if (!halfOpen) return settle(index);
  }
  endpoint.probing.next = 0;
  makeProbe(index);
}

void ServerSet::makeProbe(std::size_t index) {
  Endpoint& endpoint = endpoints_[index];
  const ServerProfile& profile = endpoint.introduction.profile();
  const Probe& probe = probesFor(endpoint)[endpoint.probing.next];
  const PartImage image = profile.network ? PartImage(probe.image, probe.size, profile.network)
                                          : PartImage(probe.image, tensors().image);
  if (profile.takesBinary) return sendProbe(index, probe.size, image);
  make(
      index, {},
      [image] {
        PartImage made = image;
        made.addJson();
        return made;
      },
      [this, index, size = probe.size](const PartImage& made) { sendProbe(index, size, made); });
}

void ServerSet::sendProbe(std::size_t index, Size size, const PartImage& image) {
  Endpoint& endpoint = endpoints_[index];
  const ServerProfile& profile = endpoint.introduction.profile();
  endpoint.probing.bytes = profile.bytes(image);
  endpoint.probing.sent = loop_.now();
  // A server that is known to be slow has more time.
  constexpr double kPatience = 2;
  const CostModel cost = sharedOf(index).state().cost;
  const double expected = cost.seconds(computed(size), static_cast<double>(endpoint.probing.bytes));
  const auto limit =
      std::max(kQuestionTimeout, duration_cast<milliseconds>(durationOf(kPatience * expected)));
  wire::InferRequest request;
  request.id = probeId(endpoint.probing.next);
  wire::setTimeout(request.parameters, limit);
  ask<ProbeReply>(
      index, limit,
      [&](auto done) {
        return infer(index, std::move(request), image, profile.takesBinary, {},
                     [this, done, rules = rules(), network = profile.network,
                      size](const InferenceReply& reply) {
                       done({static_cast<const ServerReply&>(reply),
                             PartReply(reply, rules, tensors(), size, network.get())});
                     });
      },
      [this, index](const ProbeReply& reply) { onProbe(index, reply); });
}

void ServerSet::onProbe(std::size_t index, const ProbeReply& reply) {
  if (!reply.ok() || !reply.read->error.empty()) return onFailedProbe(index, reply);
  close(index);
  Endpoint& endpoint = endpoints_[index];
  Probing& probing = endpoint.probing;
  if (!probing.turn) return settle(index);
  const std::vector<Probe>& probes = probesFor(endpoint);
  if (probing.next >= kWarmUpProbes)
    for (int i = 0; i < count(); ++i)
      if (endpointOf(i) == index && usable(i))
        learn(i,
              {.probe = true,
               .sent = probes[probing.next].size,
               .bytes = probing.bytes,
               .queue = reply.read->queue,
               .decode = reply.read->decode,
               .infer = reply.read->infer},
              probing.sent);
  const double perByte = sharedOf(index).state().cost.c;
  if (++probing.next < probes.size() &&
      perByte * static_cast<double>(probes[probing.next].image.data.size()) < kLongestUpload)
    return makeProbe(index);
  endProbe(index, true);
  settle(index);
}

void ServerSet::onFailedProbe(std::size_t index, const ProbeReply& reply) {
  Endpoint& endpoint = endpoints_[index];
  const std::string why = urlOf(index) + ": " + (reply.ok() ? reply.read->error : reply.error);
  defer([this, why] { listener_.onProbeFailed(why); });
  if (endpoint.probing.turn) endProbe(index, false);
  // It may have been left out meanwhile, with no question about its health pending.
  if (endpoint.breaker.closed())
    countError(index, why, reply.retryAfter);
  else
    lose(index, why);
  if (endpoint.breaker.closed() && !std::exchange(endpoint.probing.again, true))
    wait(index, kFirstPause, [this, index] { probe(index); });
  settle(index);
}

void ServerSet::endProbe(std::size_t index, bool complete) {
  endpoints_[index].probing.turn = false;
  sharedOf(index).endProbe(complete);
}

}  // namespace elf
