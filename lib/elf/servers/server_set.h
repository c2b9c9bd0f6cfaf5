// SPDX-License-Identifier: LGPL-2.1-or-later
// The inference servers of one offloader: which ones, whether they are usable, and what they cost.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "elf/base/deferring_mutex.h"
#include "elf/base/random.h"
#include "elf/base/trace_id.h"
#include "elf/capacity/server_pool.h"
#include "elf/client/inference_client.h"
#include "elf/image/jpeg_encoder.h"
#include "elf/servers/circuit_breaker.h"
#include "elf/servers/cost_table.h"
#include "elf/servers/introduction.h"
#include "elf/servers/offload_listener.h"
#include "elf/servers/offload_settings.h"
#include "elf/servers/part_image.h"
#include "elf/servers/part_reply.h"
#include "elf/servers/probe.h"
#include "elf/servers/server_directory.h"
#include "elf/servers/server_profile.h"
#include "elf/servers/silence.h"
#include "elf/types/capacity.h"

namespace elf {

/** A server and the state of its circuit breaker, for metrics. */
struct ServerReport {
  ServerState state;
  CircuitBreaker::State circuit = CircuitBreaker::State::Closed;
};

/**
 * Acts on what its pieces decide: ServerDirectory (which servers there are), CircuitBreaker
 * (whether an endpoint gets parts), Introduction (what it takes) and CostTable (which is fastest).
 *
 * - At the start all endpoints are closed until something else is known about them. One that is
 *   added later begins half open, and is left out if it does not have the model yet.
 * - A host name is looked up at the start and every kLookUpAgain after that.
 * - Servers that announce themselves are taken if they announce the model: at the start within
 *   kQuestionTimeout, later at most once in kAnnouncedAgain. What they say proves nothing: one that
 *   lacks the model all the same is left out.
 * - After its introduction an endpoint is probed (elf/servers/probe.h), unless an offloader of the
 *   pool has done so and it is closed. A failed probe is an error like that of a part, and is
 *   repeated once after a pause, and then when the endpoint is back after it was left out.
 * - Every kDescribedAgain a closed endpoint is asked for its model's metadata. If it is not the
 * same as before, it is introduced again. An error does not count.
 * - kErrorsInARow errors in a row leave an endpoint out. A late part is an error if nothing was
 *   answered since it was sent. longestSilence() leaves an endpoint out too, if another one is
 *   closed. The only one is left out if it has been silent for kFirstSilence and is not ready.
 *   Being busy (`Retry-After`) is not an error.
 * - An endpoint that was left out is asked for its health after a pause
 *   (CircuitBreaker::nextPause()). It is then introduced again, as its model may be another one,
 *   and probed. While no endpoint at all is closed, all pauses are short, so that the first one to
 *   come back is used soon.
 * - Parts are cut for the first network that is tried.
 *
 * A part of Offloader, whose lock it shares: all functions are called with it held, unless they say
 * otherwise.
 */
class ServerSet {
 public:
  using Clock = EventLoop::Clock;
  using Choice = CostTable::Choice;

  static constexpr int kErrorsInARow = CircuitBreaker::kErrorsInARow;
  static constexpr std::chrono::milliseconds kFirstPause = CircuitBreaker::kFirstPause;
  static constexpr std::chrono::milliseconds kKeptPlace = ServerDirectory::kKeptPlace;
  /** For a question about metadata, and for a probe of a server that is not known to be slow. */
  static constexpr std::chrono::milliseconds kQuestionTimeout{2000};
  /** For the trial of a network, which its server may have to load first. */
  static constexpr std::chrono::milliseconds kTrialTimeout{10000};
  /** For a question about health, and for one while no endpoint is closed. */
  static constexpr std::chrono::milliseconds kHealthTimeout{1000};
  static constexpr std::chrono::milliseconds kUrgentTimeout{400};
  /** Interval of checks whether the probe of another offloader is over. */
  static constexpr std::chrono::milliseconds kProbePoll{10};
  static constexpr std::chrono::milliseconds kSilence{500};
  static constexpr std::chrono::milliseconds kFirstSilence{5000};
  static constexpr std::chrono::milliseconds kLookUpAgain{5000};
  static constexpr std::chrono::milliseconds kDescribedAgain{5000};
  static constexpr std::chrono::milliseconds kAnnouncedAgain{1000};

  /** Called with no lock held: `endpoint` has been left out, and its requests are lost. */
  using Lost = std::function<void(std::size_t endpoint)>;

  /** All but `settings` and `lost` outlive the set. */
  ServerSet(const OffloadSettings& settings, ServerPool& pool, InferenceClient& client,
            OffloadListener& listener, DeferringMutex& mutex, Lost lost);
  ServerSet(const ServerSet&) = delete;
  ServerSet& operator=(const ServerSet&) = delete;
  /** With the lock held, or when no other thread is left. */
  ~ServerSet();

  /** Replaces the servers; the first ones are those of the start. Requests under way to others may
   * still be answered. */
  void set(std::vector<std::string> urls);

  bool ready() const { return ready_; }
  /** As it is now. The user's own setting is left at its default. */
  Capacity capacity() const;
  /** The servers that are not removed. */
  std::vector<ServerReport> reports() const;
  /** The rules that an endpoint sent, else the local ones. */
  const ModelRules& rules() const;
  int count() const { return static_cast<int>(directory_.servers().size()); }
  const ServerAddress& address(int server) const { return addressOf(endpointOf(server)); }
  std::size_t endpointOf(int server) const {
    return directory_.servers()[static_cast<std::size_t>(server)].endpoint;
  }
  bool usable(int server) const;
  /** Whether a usable endpoint has nothing to do for this offloader. */
  bool hasIdle() const;
  const ServerProfile& profile(int server) const { return at(server).introduction.profile(); }
  /** How much later than expected its answers arrive. */
  const Lateness& lateness(int server) const { return costs_.lateness(server); }

  /**
   * Of the usable servers that take `image` as it is encoded and are not in `tried`, the one that
   * would first finish a part of that size. One of an endpoint that is not in `tried` goes before
   * any other. `image` is null if the part is not encoded yet.
   */
  Choice pick(Size sent, const PartImage* image, std::span<const int> tried) const;
  /** Whether a server takes such a picture in JSON only. */
  bool wantsJson(const PartImage& image) const;
  /** Seconds until a server would finish a part that is sent now, and is taken. */
  double secondsFor(int server, Size sent, double bytes) const {
    return costs_.seconds(server, computed(sent), bytes);
  }

  /** A picture was made for a server. */
  void noteImage(int server, const PartImage& image, Size sent);
  /** Sends a request with `image`, which the server takes, and calls `done` as InferenceClient
   * does. Encodes only a few bytes. */
  InferenceClient::Handle infer(int server, wire::InferRequest request, const PartImage& image,
                                const std::string& traceparent,
                                InferenceClient::Done<InferenceReply> done) const;
  /** A part is sent. Returns the seconds that it costs, for endRequest(). */
  double beginRequest(int server, Size sent, double bytes);
  /** The part was answered or given up. */
  void endRequest(int server, double cost);
  /** A part was answered well, after `taken` seconds where `expected` were expected. */
  void countAnswer(int server, double expected, double taken);
  /** A part has got `reply`; `why` describes its error and begins with the URL. */
  void countFailedPart(std::size_t endpoint, const std::string& why, const ServerReply& reply);
  /** A picture was too large for an endpoint. */
  void noteTooLarge(std::size_t endpoint) { endpoints_[endpoint].limited = true; }
  /** A part that was sent at `sent` was not answered by the deadline. */
  void countLate(int server, Clock::time_point sent);
  void learn(int server, CostSample sample, Clock::time_point sent);

  /** How long it has had parts to answer and has answered none. */
  Clock::duration silence(std::size_t endpoint) const;
  /** The silence() after which it is to be left out: three times the expected time of a part, at
   * least kSilence, and kFirstSilence before its first answer. */
  Clock::duration longestSilence(int server, double expected) const;
  /** This program was suspended: no silence so far counts. */
  void forgiveSilence();
  /** Leaves a silent endpoint out. The last one is asked for its health first, at most every
   * kFirstSilence, and left out if it is not ready. The requests of a removed one are lost. True if
   * its requests are lost now. */
  bool giveUpSilent(std::size_t endpoint);

 private:
  /** To an endpoint; one is under way at most. */
  struct Question {
    /** 0: none. */
    EventLoop::Handle request = 0;
    /** Runs until the time limit of this question, or until the next one. */
    EventLoop::Handle timer = 0;
    /** Questions and waits so far: a reply or timer of an older one is ignored. */
    std::uint64_t number = 0;
  };

  /** Something that is asked again and again. One of the two is set. */
  struct Repeated {
    EventLoop::Handle request = 0;
    EventLoop::Handle timer = 0;
  };

  struct Probing {
    /** For a network. Other endpoints share theirs. */
    std::vector<Probe> probes;
    /** It is this offloader's turn. */
    bool turn = false;
    /** The probe under way, its bytes, and when it was sent. */
    std::size_t next = 0;
    std::size_t bytes = 0;
    Clock::time_point sent{};
    /** It has failed once. */
    bool again = false;
  };

  struct Endpoint {
    CircuitBreaker breaker;
    Introduction introduction;
    Probing probing;
    /** The first introduction and probes are over, or have failed. */
    bool settled = false;
    Silence silence;
    /** When a part was last answered well. */
    Clock::time_point answered{};
    /** When the only endpoint was last asked for its health because it was silent, and whether the
     * listener knows of this silence. */
    Clock::time_point askedWhySilent{};
    bool saidSilent = false;
    Question question;
    Repeated description;
    /** Of the last picture made for its network: bytes for each pixel that the network computes. */
    double networkBytesPerPixel = 0;
    /** Bytes of the largest picture that was answered, and whether a larger one was too large. */
    std::size_t answeredBytes = 0;
    bool limited = false;
  };

  /** Of the servers that announce themselves for a URL. */
  struct Browsing {
    EventLoop::Handle browser = 0;
    /** Runs until they may be taken again. */
    EventLoop::Handle timer = 0;
    /** Not taken yet. */
    std::optional<Announced> next;
    /** Some were taken. */
    bool begun = false;
    /** The listener knows of servers without TLS. */
    bool saidIgnored = false;
    /** Why there are none; one sentence that begins with the URL. */
    std::string fault;
  };

  const ServerAddress& addressOf(std::size_t endpoint) const {
    return directory_.endpoints()[endpoint].address;
  }
  const std::string& urlOf(std::size_t endpoint) const { return addressOf(endpoint).url; }
  bool removed(std::size_t endpoint) const {
    return directory_.endpoints()[endpoint].removed.has_value();
  }
  const Endpoint& at(int server) const { return endpoints_[endpointOf(server)]; }
  SharedServer& sharedOf(std::size_t endpoint) const {
    return costs_.shared(directory_.firstServer(endpoint));
  }
  /** Pixels that the model computes for a picture: its time depends on them. */
  double computed(Size sent) const { return rules().inputSize(sent).area(); }
  double bytesPerPixel(int server) const;
  double expectedBytes(int server, Size sent) const;
  /** The servers' names for their tensors. */
  const TensorNames& tensors() const { return settings_.tensors; }
  /** Seconds until it accepts requests again (`Retry-After`). */
  double heldBack(int server) const;
  int closedEndpoints() const;

  void defer(std::function<void()> call) {
    mutex_.assertHeld();  // by the offloader, or by a callback of this class
    mutex_.defer(std::move(call));
  }

  // Which servers there are.
  /** Whether requests to an endpoint are under way. */
  ServerDirectory::InUse inUse() const;
  void apply(const ServerDirectory::Change& change);
  void lookUp(const std::string& url);
  void cancel(Repeated& asked);
  void browse(const std::string& url);
  void cancel(Browsing& browsing);
  void takeAnnouncedAfter(const std::string& url, Clock::duration pause);
  void takeAnnounced(const std::string& url);
  /** Whether it means that no server is announced. */
  bool isPlaceholder(std::size_t endpoint) const;
  void addEndpoint(std::size_t endpoint);
  void removeEndpoint(std::size_t endpoint);
  void settle(std::size_t endpoint);
  void checkReady();

  // Whether they are up.
  void countError(std::size_t endpoint, const std::string& why, std::chrono::seconds retryAfter);
  void lose(std::size_t endpoint, const std::string& why);
  void close(std::size_t endpoint);
  void askAgainLater(std::size_t endpoint);
  void hurryIfNoneIsUp();

  // Questions. `then` is called with the lock held.
  template <typename Make, typename Use>
  void make(std::size_t endpoint, Clock::duration time, Make make, Use use);
  void wait(std::size_t endpoint, Clock::duration time, std::function<void()> then);
  template <typename Reply, typename Send, typename Then>
  void ask(std::size_t endpoint, Clock::duration limit, Send send, Then then);
  InferenceClient::Handle infer(std::size_t endpoint, wire::InferRequest request,
                                const PartImage& image, bool binary, const std::string& traceparent,
                                InferenceClient::Done<InferenceReply> done) const;
  void askHealth(std::size_t endpoint);
  void askWhySilent(std::size_t endpoint);
  void introduce(std::size_t endpoint);
  void askForChanges(std::size_t endpoint);
  void take(std::size_t endpoint, const Introduction::Step& step);
  void askVersions(std::size_t endpoint, const std::string& why);
  void askServer(std::size_t endpoint);
  void makeTrial(std::size_t endpoint, bool binary);
  void sendTrial(std::size_t endpoint, const PartImage& image, bool binary);
  void onTrial(std::size_t endpoint, const TrialReply& reply, const PartImage& image, bool binary);

  // Probes.
  std::vector<Probe>& probesFor(Endpoint& endpoint);
  void probe(std::size_t endpoint);
  void makeProbe(std::size_t endpoint);
  void sendProbe(std::size_t endpoint, Size size, const PartImage& image);
  struct ProbeReply;
  void onProbe(std::size_t endpoint, const ProbeReply& reply);
  void onFailedProbe(std::size_t endpoint, const ProbeReply& reply);
  void endProbe(std::size_t endpoint, bool complete);

  const OffloadSettings settings_;
  const ModelVersion model_;
  /** The name of this stream for servers, unlike that of any other. */
  const std::string stream_ = newSpanId();
  ServerPool& pool_;
  InferenceClient& client_;
  EventLoop& loop_;
  OffloadListener& listener_;
  DeferringMutex& mutex_;
  const Lost lost_;

  ServerDirectory directory_;
  std::map<std::string, Repeated> lookUps_;
  std::map<std::string, Browsing> browsings_;
  /** By number of the endpoint. */
  std::vector<Endpoint> endpoints_;
  CostTable costs_;
  bool ready_ = false;
  Random random_;
  JpegEncoder encoder_;
  /** For endpoints that take JPEG, and for those that take raw pixels; made for the first probe. */
  std::vector<Probe> probes_, rawProbes_;
};

}  // namespace elf
