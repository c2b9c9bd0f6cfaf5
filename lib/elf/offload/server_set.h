// SPDX-License-Identifier: LGPL-2.1-or-later
// The inference servers of one stream: which there are, whether they can be used, what they cost.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "elf/base/random.h"
#include "elf/capacity/server_pool.h"
#include "elf/client/transport.h"
#include "elf/image/jpeg_encoder.h"
#include "elf/model/model_file.h"
#include "elf/model/tensor_names.h"
#include "elf/offload/hedging.h"
#include "elf/offload/probe.h"
#include "elf/types/capacity.h"
#include "elf/types/frame_record.h"
#include "elf/types/model_rules.h"
#include "elf/wire/infer.h"

namespace elf {

class RemoteNetwork;

struct OffloadSettings {
  /** Base URLs; one may stand here several times and is then several servers on one endpoint. */
  std::vector<std::string> servers;
  std::string model;
  /** What holds while no server has told the rules of its model. */
  ModelRules localRules;
  /** Which version of the model; empty: the servers choose. */
  std::string version = {};
  TensorNames tensors = {};
  /**
   * Says of a network that a server of others runs what the server does not (elf/model/model_file.h
   * `sendsTensor`); one of backend `hog` says nothing, and all servers get pictures.
   */
  ModelFile network = {};
  /** Extra requests that parts which are late are worth, as a share of all; 0: none. */
  double hedging = 0.05;
  /** Of the jitter of pauses. */
  std::uint64_t seed = 1;
};

using RemoteNetworkPtr = std::shared_ptr<const RemoteNetwork>;

/** The picture of a part as its requests carry it: encoded once, whatever it is sent to. */
class SentImage {
 public:
  SentImage() = default;
  /** `name` is what the servers call the tensor. */
  SentImage(wire::Tensor image, const std::string& name);
  /** A picture of size `sent` that was prepared for a network. */
  SentImage(wire::Tensor prepared, Size sent, RemoteNetworkPtr network);

  /** Makes the tensors as JSON, which for pixels takes a while: not with a lock held. */
  void addJson();
  bool hasJson() const { return !json_.empty(); }

  bool isRaw() const { return tensors_[0]->type == wire::DataType::Uint8; }
  /** The network that it is for; null where it is a picture. */
  const RemoteNetworkPtr& network() const { return network_; }
  /** As a server is sent them that takes tensors behind the JSON, or inside it. */
  std::span<const wire::EncodedTensor> tensors(bool binary) const {
    return binary ? binary_ : json_;
  }
  /** Of these; inside the JSON with their names and shapes. */
  std::size_t bytes(bool binary) const;

 private:
  void add(wire::Tensor tensor);

  std::vector<std::shared_ptr<const wire::Tensor>> tensors_;
  RemoteNetworkPtr network_;
  std::vector<wire::EncodedTensor> binary_, json_;
};

/** What was learned from an answer, or from there being none. */
struct Lesson {
  /** Base URL of the server. */
  std::string url;
  bool probe = false;
  /** No answer came while it was waited for: it takes more than `roundTrip`. */
  bool late = false;
  Size sent;
  std::size_t bytes = 0;
  Microseconds roundTrip{0};
  /** The server's own account; unset where it gave none. */
  std::optional<Microseconds> queue, decode, infer;
  /** What a part costs by now. */
  CostModel cost;
  /** The model is noticeably another one than when this was last true, in any offloader. */
  bool changed = false;
};

/** An endpoint is left out from now on. */
struct Loss {
  std::string url;
  /** One sentence that begins with the URL. */
  std::string why;
  /** It had told about its model before. */
  bool known = false;
  /** So many endpoints can still be used. */
  int left = 0;
};

/** What the user of an offloader hears. Each call comes with no lock held. */
class OffloadListener {
 public:
  virtual ~OffloadListener() = default;
  /** Each endpoint has told about its model and was probed, or failed to. Once. */
  virtual void onReady() = 0;
  /** For each good answer to a part, and to a probe, and for each part that is late. */
  virtual void onLearned(const Lesson& lesson) = 0;
  /** `why` is one sentence that begins with the endpoint's URL. */
  virtual void onProbeFailed(const std::string& why) = 0;
  virtual void onServerLost(const Loss& loss) = 0;
  /** An endpoint that was left out, or was added, has answered a part. */
  virtual void onServerBack(const std::string& url) = 0;
  /** Parts fail at an endpoint that is not left out, as it answers others. `why` is one sentence
   * that begins with its URL. Once, and again after onServerBack(). */
  virtual void onPartsFail(const std::string& why) = 0;
  /** The endpoint runs, but has no such model, or no such version: `what` is the sentence that says
   * so and begins with its URL, `why` what it answers. */
  virtual void onModelMissing(const std::string& what, const std::string& why) = 0;
};

/** What is to be called once the lock is released. */
using Calls = std::vector<std::function<void()>>;

inline void run(const Calls& calls) {
  for (const auto& call : calls) call();
}

/**
 * Servers have numbers that stay: one that is removed leaves its place, unhealthy, which another
 * may take after kKeptPlace. All servers of one URL are one endpoint: they live and die together.
 *
 * Each endpoint has a circuit breaker:
 *
 * - Up (closed): it gets parts. kErrorsInARow errors in a row leave it out; a late part is one
 *   where nothing was answered since it was sent. So does longestSilence(), where another one is
 *   up. A 503 with a `Retry-After` is none: the server has more to do than it can, and until then
 *   counts as busy.
 * - Out (open): it gets nothing, and is asked for `/v2/health/ready` after a pause that doubles
 *   from kFirstPause to kLongestPause until a part is answered well, is not over before a
 *   `Retry-After` that it has told, and is cut short at random by up to half (jitter), so that
 *   the streams of many machines do not come all at once. While no endpoint at all is up, all
 *   pauses are kFirstPause: whatever comes back first is used within that time.
 * - Trial (half open): it is ready, says so, and has told its model; one probe
 *   (elf/offload/probe.h) shows whether it infers. Where that is answered it is Up, else Out.
 *
 * At the start all endpoints are Up until something else is known of them; one that is added later
 * begins in Trial, and is left out where it has no such model yet.
 *
 * A URL with a host name is looked up at the start and every kLookUpAgain after that. Where the
 * name has several addresses, each is an endpoint of its own from then on (a headless service of
 * Kubernetes): its URL has the address, and its requests name the host. Of a name with addresses of
 * both kinds those of IPv4 count, as most such names are one machine.
 *
 * A server of others may run a network as its exporter made it, and take that one's own tensor
 * (elf/offload/remote_network.h). Then it gets no part before it has answered a trial, of which is
 * learned what its outputs are, and whether it takes tensors behind the JSON although it does not
 * say so; where it fails the endpoint is out. The first network that is tried is what parts are cut
 * for.
 *
 * An endpoint that has told about its model and was not probed by any offloader of the pool is
 * probed. A failed probe is an error like that of a part, and is made once more after a pause;
 * where that fails too, when the endpoint is back after it was left out.
 *
 * Not for use by itself: it is a part of Offloader, which holds `mutex` during each call, and lends
 * it for the callbacks of the transport.
 */
class ServerSet {
 public:
  using Clock = Transport::Clock;

  static constexpr int kErrorsInARow = 3;
  static constexpr std::chrono::milliseconds kFirstPause{500};
  static constexpr std::chrono::milliseconds kLongestPause{30000};
  /** For a question about metadata, and for the answer to a probe of a server that is not known to
   * be slow. */
  static constexpr std::chrono::milliseconds kQuestionTimeout{2000};
  /** For the answer to the trial of a network, which its server may have yet to load. */
  static constexpr std::chrono::milliseconds kTrialTimeout{10000};
  /** For a question about health, also while no endpoint is up. */
  static constexpr std::chrono::milliseconds kHealthTimeout{1000};
  static constexpr std::chrono::milliseconds kUrgentTimeout{400};
  /** How often it is looked whether the probe of another offloader is over. */
  static constexpr std::chrono::milliseconds kProbePoll{10};
  static constexpr std::chrono::milliseconds kSilence{500};
  static constexpr std::chrono::milliseconds kFirstSilence{5000};
  static constexpr std::chrono::milliseconds kLookUpAgain{5000};
  static constexpr std::chrono::milliseconds kKeptPlace{60000};

  /** What a request to a server needs to know. */
  struct Target {
    std::string url;
    /** HttpRequest::host. */
    std::string host;

    bool operator==(const Target&) const = default;
    /** In the pool, and to tell two names of one address apart. */
    std::string key() const { return host.empty() ? url : url + "#" + host; }
  };

  /** Called with no lock held: `endpoint` has been left out, and its requests are lost. */
  using Lost = std::function<void(std::size_t endpoint)>;

  /** All but `settings` and `lost` outlive the set. */
  ServerSet(const OffloadSettings& settings, ServerPool& pool, Transport& transport,
            OffloadListener& listener, std::mutex& mutex, Lost lost);
  ServerSet(const ServerSet&) = delete;
  ServerSet& operator=(const ServerSet&) = delete;
  /** With the lock held, or where nobody else is left. */
  ~ServerSet();

  /**
   * From now on these; the first ones are those of the start. Looks names up, asks each endpoint
   * for its model's metadata, and then probes it. What is under way to others may still be
   * answered.
   */
  void set(std::vector<std::string> urls, Calls& calls);

  bool ready() const { return ready_; }
  /** As it is now; what is the user's to say is left at its default. */
  Capacity capacity() const;
  /** What an endpoint told, or else the local ones. */
  const ModelRules& rules() const;
  /** Pixels that the model makes of a picture: what its time depends on. */
  double computed(Size sent) const { return rules().inputSize(sent).area(); }
  int count() const { return static_cast<int>(servers_.size()); }
  const Target& target(int server) const { return endpointAt(server).target; }
  std::size_t endpointOf(int server) const { return at(server).endpoint; }
  bool usable(int server) const;
  /** A server can be used that has nothing to do for this offloader. */
  bool hasIdle() const;
  /** Whether it can be sent the picture as it is encoded. */
  bool takesForm(int server, const SentImage& image) const {
    return endpointAt(server).takesForm(image);
  }
  /** Whether tensors go behind the JSON, not inside it. */
  bool takesBinary(int server) const { return endpointAt(server).takesBinary; }
  /** Bytes of a picture on the way to it. */
  std::size_t bytes(int server, const SentImage& image) const {
    return image.bytes(takesBinary(server));
  }
  /** The network that it runs, if that is another one's; null where it takes pictures. */
  const RemoteNetworkPtr& network(int server) const { return endpointAt(server).network; }
  /** How much later than expected its answers come. */
  const Lateness& lateness(int server) const { return at(server).lateness; }

  /** A server that would finish a part, and in how many seconds from now. */
  struct Choice {
    int server = -1;  ///< none
    double seconds = 0;
  };
  /**
   * Of the usable servers that take `image` as it is encoded and are not of `tried`, the one that
   * will have finished a part of that size first; one of an endpoint that is not in `tried` goes
   * before any other. `image` is null where the part is not encoded yet.
   */
  Choice pick(Size sent, const SentImage* image, std::span<const int> tried) const;
  /** Whether a server takes such a picture in JSON only. */
  bool wantsJson(const SentImage& image) const;
  /** In how many seconds a server would have finished a part that is sent now, and is taken. */
  double secondsFor(int server, Size sent, double bytes) const;

  /** A picture was made for a server. */
  void noteImage(int server, const SentImage& image, Size sent);
  /** A part has got `reply`; `why` says what is wrong with that and begins with the URL. */
  void countFailedPart(std::size_t endpoint, const std::string& why, const HttpReply& reply,
                       Calls& calls);
  /** A part that was sent then was not answered by the deadline. */
  void countLate(int server, Clock::time_point sent, Calls& calls);
  /** A part goes out. Returns the seconds that it costs, for endRequest(). */
  double beginRequest(int server, Size sent, double bytes);
  /** It was answered or given up. */
  void endRequest(int server, double cost);
  /** A part was answered well: after `taken` seconds, where `expected` were expected. */
  void countAnswer(int server, double expected, double taken, Calls& calls);
  /** How long it has had parts to answer and has answered none. */
  Clock::duration silence(std::size_t endpoint) const;
  /** From how much of that on it is to be left out: three times what a part was expected to take,
   * at least kSilence, and kFirstSilence before its first answer. */
  Clock::duration longestSilence(int server, double expected) const;
  /** It was we who were away: no silence so far counts. */
  void forgiveSilence();
  /** Leaves a silent endpoint out, unless it is the last one; what a removed one has is lost. */
  void giveUpSilent(std::size_t endpoint, Calls& calls);
  void learn(int server, Lesson lesson, Clock::time_point sent, Calls& calls);

  /** `request` with `image`, which the server takes. Encodes but a few bytes. */
  HttpRequest toHttp(int server, wire::InferRequest request, const SentImage& image) const;
  /** What the servers call their tensors. Never changes: needs no lock. */
  const TensorNames& tensors() const { return settings_.tensors; }

 private:
  enum class Health { Up, Out, Trial };

  struct Endpoint {
    Target target;
    Health health = Health::Up;
    /** It was there from the start: then it has to have the model. */
    bool initial = true;
    /** It has been asked something. */
    bool begun = false;
    /** The listener knows it as lost, or does not know it yet; until a part is answered well. */
    bool away = false;
    /** The first metadata and probe have come, or failed. */
    bool asked = false;
    std::optional<ModelRules> rules;
    bool takesRaw = false, takesEncoded = true;
    bool takesBinary = true;  ///< tensors behind the JSON, else inside it
    bool triesBinary = true;  ///< in the trial of a network, and else JSON
    /** In the place of pictures: the network that is yet to be tried, and that was. */
    RemoteNetworkPtr untried, network;
    /** Of the network, and what was last made for it: bytes for each pixel that it computes. */
    std::vector<Probe> probes;
    double bytesPerPixel = 0;
    bool known = false;  ///< metadata has come
    int errors = 0;
    /** Parts that failed since it was last back. */
    int failedParts = 0;
    std::chrono::milliseconds pause = kFirstPause;
    /** It has asked not to be asked again sooner. */
    Clock::time_point notBefore{};
    /** Parts that it has not answered, since when it has any, and the silence before that. */
    int outstanding = 0;
    Clock::time_point outstandingSince{};
    Clock::duration silence{};
    /** When a part was last answered well. */
    Clock::time_point answered{};
    /** Of the question under way; 0: none. There is one at most. */
    Transport::Handle question = 0;
    /** Questions and waits so far: what belongs to an older one comes too late. */
    std::uint64_t questions = 0;
    /** Until the question has taken too long, or until the next one. */
    Transport::Handle timer = 0;
    /** It is this offloader's turn to probe; which one is under way, and since when. */
    bool probing = false;
    std::size_t probe = 0;
    std::size_t probeBytes = 0;
    bool probedAgain = false;
    Clock::time_point probeSent{};
    /** Unset while it is wanted. */
    std::optional<Clock::time_point> removed = std::nullopt;

    /** Nothing so far counts as silence. */
    void endSilence(Clock::time_point now) {
      silence = {};
      outstandingSince = now;
    }
    /** Whatever it is encoded as. */
    bool takesKind(const SentImage& image) const;
    bool takesForm(const SentImage& image) const;
    bool takes(const SentImage& image) const { return takesKind(image) && takesForm(image); }
  };

  struct Server {
    std::size_t endpoint = 0;
    /** Its number among the servers of its endpoint. */
    int mention = 0;
    std::shared_ptr<SharedServer> shared;
    Lateness lateness;
    /** Of the files made for it so far, an old one counting less. */
    double recentBytes = 0, recentPixels = 0;
    /** What was made for it last was no file. */
    bool raw = false;
    /** Unset while it is wanted. */
    std::optional<Clock::time_point> removed;
  };

  /** One URL of the settings whose host is a name. */
  struct Name {
    std::string url;
    /** Empty as long as it has never had several: then its URL is used as it is. */
    std::vector<std::string> addresses;
    bool lookedUp = false;
    Transport::Handle lookUp = 0;
    Transport::Handle timer = 0;
  };

  SharedServer& shared(int server) const { return *at(server).shared; }
  const Server& at(int server) const { return servers_[static_cast<std::size_t>(server)]; }
  const Endpoint& endpointAt(int server) const { return endpoints_[at(server).endpoint]; }
  double bytesPerPixel(const Server& server) const;
  double expectedBytes(int server, Size sent) const;
  /** Seconds until it wants to be asked again. */
  double heldBack(int server) const;

  /** Gives `body`, which a callback of the transport runs, the lock and calls for after it. */
  template <typename Body>
  void withLock(Body&& body);
  void lookUp(const std::string& url);
  void onAddresses(const std::string& url, std::vector<std::string> addresses, Calls& calls);
  void cancel(Name& name);
  std::vector<Target> wanted() const;
  void matchWanted(Calls& calls);
  void add(const Target& target, int mention);
  std::size_t endpointFor(const Target& target);
  void remove(Endpoint& endpoint);
  void begin(std::size_t endpoint);

  void countError(std::size_t endpoint, const std::string& why, std::chrono::seconds retryAfter,
                  Calls& calls);
  void missing(std::size_t endpoint, const std::string& what, const std::string& why, Calls& calls);
  void lose(std::size_t endpoint, const std::string& why, Calls& calls);
  void askAgainLater(std::size_t endpoint);
  void hurryIfNoneIsUp();
  void heed(Endpoint& endpoint, std::chrono::seconds retryAfter) const;
  void takeBack(Endpoint& endpoint);
  int usableEndpoints() const;
  void wait(std::size_t endpoint, Clock::duration time,
            void (ServerSet::*then)(std::size_t, Calls&));
  /** What is done about a reply, once the lock is taken. */
  using Then = std::function<void(Calls&)>;
  /** `read` looks at the reply with no lock held. */
  void ask(std::size_t endpoint, HttpRequest question, Clock::duration limit,
           std::function<Then(const HttpReply&)> read);
  void ask(std::size_t endpoint, HttpRequest question, Clock::duration limit,
           void (ServerSet::*then)(std::size_t, const HttpReply&, Calls&));
  HttpRequest get(std::size_t endpoint, const std::string& path) const;
  void askMetadata(std::size_t endpoint);
  void askHealth(std::size_t endpoint, Calls& calls);
  void onMetadata(std::size_t endpoint, const HttpReply& reply, Calls& calls);
  void onVersions(std::size_t endpoint, const HttpReply& reply, Calls& calls);
  void onServerMetadata(std::size_t endpoint, const HttpReply& reply, Calls& calls);
  void onTold(std::size_t endpoint, Calls& calls);
  void makeTrial(std::size_t endpoint, bool binary);
  void sendTrial(std::size_t endpoint, const SentImage& image, bool binary);
  void onTrial(std::size_t endpoint, RemoteNetworkPtr network, std::vector<Probe> probes,
               const SentImage& image, bool binary, Calls& calls);
  void onHealth(std::size_t endpoint, const HttpReply& reply, Calls& calls);

  std::vector<Probe>& probesFor(Endpoint& endpoint);
  void probe(std::size_t endpoint, Calls& calls);
  void sendProbe(std::size_t endpoint);
  void onProbe(std::size_t endpoint, const HttpReply& reply, Calls& calls);
  void endProbe(std::size_t endpoint, bool complete);
  SharedServer& sharedOf(std::size_t endpoint) const;
  void markAsked(std::size_t endpoint, Calls& calls);
  void checkReady(Calls& calls);

  HttpRequest toHttp(const Endpoint& endpoint, wire::InferRequest request, const SentImage& image,
                     bool binary) const;

  const OffloadSettings settings_;
  /** In URLs, and for the pool: NAME or NAME/versions/VERSION. */
  const std::string model_;
  ServerPool& pool_;
  Transport& transport_;
  OffloadListener& listener_;
  std::mutex& mutex_;
  const Lost lost_;

  std::vector<std::string> urls_;
  std::vector<Name> names_;
  std::vector<Endpoint> endpoints_;
  std::vector<Server> servers_;
  bool ready_ = false;
  Random random_;
  JpegEncoder encoder_;
  /** For endpoints that take files, and for the others; made when the first one is probed. */
  std::vector<Probe> probes_, rawProbes_;
};

}  // namespace elf
