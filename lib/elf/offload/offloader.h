// SPDX-License-Identifier: LGPL-2.1-or-later
// Sends the parts of frames to the servers and brings their answers back.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "elf/capacity/capacity.h"
#include "elf/capacity/server_pool.h"
#include "elf/client/transport.h"
#include "elf/image/jpeg_encoder.h"
#include "elf/model/model_rules.h"
#include "elf/offload/probe.h"
#include "elf/partition/plan.h"
#include "elf/record/frame_record.h"
#include "elf/wire/infer.h"

namespace elf {

/**
 * The URLs in a comma-separated list, in its order, without blanks around them. Throws elf::Error
 * naming `servers` for an empty list, and for an entry that is no http:// or https:// URL.
 */
std::vector<std::string> parseServers(std::string_view list);

struct OffloadSettings {
  /** Base URLs; one may stand here several times and is then several servers on one endpoint. */
  std::vector<std::string> servers;
  std::string model;
  /** What holds while no server has told the rules of its model. */
  ModelRules localRules;
};

/** Counts since the start, probes left out. */
struct OffloadStats {
  std::uint64_t partsSent = 0;
  std::uint64_t partsFailed = 0;
  std::uint64_t partsLate = 0;
  std::uint64_t partsRetried = 0;
  std::uint64_t bytesSent = 0;
  double pixelsSent = 0;
};

/**
 * Every frame gets exactly one call back, with one answer for each part: when all parts are settled
 * or its deadline has come, whichever is first. A part that failed is sent once more, to another
 * healthy server that takes its encoding, where that server is expected to answer in time. An
 * endpoint that fails kErrorsInARow times in a row is left out and asked for its health with a
 * growing pause until it is back; parts meant for it go to the healthy server that takes their
 * encoding and will have finished first.
 *
 * What servers cost and have to do is shared with the other offloaders of the pool. An endpoint
 * that has told about its model and was not probed by any of them is probed (elf/offload/probe.h).
 * A failed probe is an error like that of a part, and is made once more after a pause; where that
 * fails too, when the endpoint is back after it was left out.
 *
 * All functions may be called from any thread. The listener and the `done` of frames are called
 * with no lock held, from the transport's thread or from inside the function that caused them.
 * Stop the transport before destroying the offloader.
 */
class Offloader {
 public:
  using Clock = Transport::Clock;
  using Ticket = std::uint64_t;
  using Done = std::function<void(std::vector<PartAnswer>)>;

  static constexpr int kErrorsInARow = 3;
  static constexpr std::chrono::milliseconds kFirstPause{500};
  static constexpr std::chrono::milliseconds kLongestPause{30000};
  /** For a question about health or metadata, and for the answer to a probe. */
  static constexpr std::chrono::milliseconds kQuestionTimeout{2000};
  /** How often it is looked whether the probe of another offloader is over. */
  static constexpr std::chrono::milliseconds kProbePoll{10};

  /** What was learned from an answer, or from there being none. */
  struct Lesson {
    /** Base URL of the server. */
    std::string url;
    bool probe = false;
    /** No answer came by the deadline: it takes more than `roundTrip`. */
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

  class Listener {
   public:
    virtual ~Listener() = default;
    /** Each endpoint has told about its model and was probed, or failed to. Once. */
    virtual void onReady() = 0;
    /** For each good answer to a part, and to a probe, and for each part that is late. */
    virtual void onLearned(const Lesson& lesson) = 0;
    /** `why` is one sentence that begins with the endpoint's URL. */
    virtual void onProbeFailed(const std::string& why) = 0;
    /** The endpoint is left out from now on. `why` is one sentence that begins with its URL. */
    virtual void onServerLost(const std::string& url, const std::string& why) = 0;
    /** The endpoint runs, but has no such model. */
    virtual void onModelMissing(const std::string& url, const std::string& why) = 0;
  };

  /**
   * The transport and the listener outlive the offloader, and the transport's clock is that of the
   * pool's other users. Throws elf::Error where JPEG files can't be made.
   */
  Offloader(OffloadSettings settings, ServerPool& pool, Transport& transport, Listener& listener);
  Offloader(const Offloader&) = delete;
  Offloader& operator=(const Offloader&) = delete;
  ~Offloader();

  /** Asks each endpoint for its model's metadata, and then probes it. */
  void start();
  bool ready() const;
  /** As it is now; what is the user's to say (maxInFlight, deadline) is left at its default. */
  Capacity capacity() const;
  OffloadStats stats() const;
  /** The server that would be first to finish a part of so many pixels, after what it already has;
   * of the healthy ones, if there are any. */
  int bestServer(Size sent) const;

  /**
   * Opens a frame of size `size`; `parts` is not empty. Each part must then be given to send() or
   * fail(). The frame id and generation only serve to name requests. Each request has a span of
   * its own in `trace` (elf/base/trace_id.h), where that is not empty.
   */
  Ticket begin(std::uint64_t frame, std::uint32_t generation, Size size,
               std::span<const Part> parts, std::optional<Clock::time_point> deadline, Done done,
               std::string trace = {});
  /** `image` is the part as an input tensor. A ticket that is settled already is ignored. */
  void send(Ticket ticket, std::size_t part, wire::Tensor image);
  /** The part could not be encoded. */
  void fail(Ticket ticket, std::size_t part, const std::string& why);
  /** Cancels all requests of all frames; their `done` is not called any more. */
  void abandonAll();

 private:
  struct Reading;
  /** What the user is told, once the lock is released. */
  using Calls = std::vector<std::function<void()>>;

  /** Several servers of one URL are one endpoint: they live and die together. */
  struct Endpoint {
    std::string url;
    bool healthy = true;
    bool asked = false;  ///< the first metadata and probe have come, or failed
    std::optional<ModelRules> rules;
    bool takesRaw = false, takesEncoded = true;
    bool known = false;  ///< metadata has come
    int errors = 0;
    std::chrono::milliseconds pause = kFirstPause;
    /** Of the question under way; 0: none. There is one at most. */
    Transport::Handle question = 0;
    /** Questions and waits so far: what belongs to an older one comes too late. */
    std::uint64_t questions = 0;
    /** Until the question has taken too long, or until the next one. */
    Transport::Handle timer = 0;
    /** It is this offloader's turn to probe; which one is under way, and since when. */
    bool probing = false;
    std::size_t probe = 0;
    bool probedAgain = false;
    Clock::time_point probeSent{};

    bool takes(const wire::Tensor& image) const {
      return image.type == wire::DataType::Uint8 ? takesRaw : takesEncoded;
    }
  };

  struct Server {
    std::size_t endpoint = 0;
    std::shared_ptr<SharedServer> shared;
    /** Of the files made for it so far, an old one counting less. */
    double recentBytes = 0, recentPixels = 0;
    /** What was made for it last was no file. */
    bool raw = false;
  };

  struct PartState {
    Size sent;
    /** Where the model wants to know it, and the part is not scaled. */
    std::optional<Placement> placement;
    wire::Tensor image;
    PartAnswer answer;
    bool settled = false;
    /** Of the request under way; 0: none. */
    Transport::Handle request = 0;
    Clock::time_point sentAt{};
    double expected = 0;

    double bytes() const { return static_cast<double>(image.data.size()); }
  };

  struct Frame {
    std::string name;
    std::string trace;
    std::vector<PartState> parts;
    std::size_t open = 0;
    std::optional<Clock::time_point> deadline;
    Transport::Handle timer = 0;
    Done done;
  };

  // With mutex_ held.
  void dispatch(Ticket ticket, Frame& frame, std::size_t index, int server, Calls& calls);
  void settle(Ticket ticket, Frame& frame, std::size_t index, Calls& calls);
  void endRequest(PartState& part);
  double bytesPerPixel(const Server& server) const;
  int pick(Size sent, const wire::Tensor* image, int except) const;
  double computed(Size sent) const;
  void countError(std::size_t endpoint, const std::string& why, Calls& calls);
  void lose(std::size_t endpoint, const std::string& why, Calls& calls);
  /** What an endpoint told, or else the local ones. */
  const ModelRules& rules() const;
  void wait(std::size_t endpoint, Clock::duration time,
            void (Offloader::*then)(std::size_t, Calls&));
  void ask(std::size_t endpoint, HttpRequest question,
           void (Offloader::*then)(std::size_t, const HttpReply&, Calls&));
  void askMetadata(std::size_t endpoint);
  void askHealth(std::size_t endpoint, Calls& calls);
  void onMetadata(std::size_t endpoint, const HttpReply& reply, Calls& calls);
  void onHealth(std::size_t endpoint, const HttpReply& reply, Calls& calls);
  std::vector<Probe>& probesFor(const Endpoint& endpoint);
  void probe(std::size_t endpoint, Calls& calls);
  void sendProbe(std::size_t endpoint);
  void onProbe(std::size_t endpoint, const HttpReply& reply, Calls& calls);
  void endProbe(std::size_t endpoint, bool complete);
  SharedServer& sharedOf(std::size_t endpoint) const;
  void markAsked(std::size_t endpoint, Calls& calls);
  HttpRequest toHttp(const std::string& url, wire::InferRequest& request) const;
  void learn(std::size_t server, Lesson lesson, Clock::time_point sent, Calls& calls);

  // Callbacks of the transport.
  void onReply(Ticket ticket, std::size_t index, int attempt, const std::string& id, Size sent,
               const std::string& url, const HttpReply& reply);
  void onDeadline(Ticket ticket);

  const std::string& url(int server) const;

  const OffloadSettings settings_;
  Transport& transport_;
  Listener& listener_;

  // The locks of the transport and of the shared servers come after this one.
  mutable std::mutex mutex_;
  std::vector<Endpoint> endpoints_;
  std::vector<Server> servers_;
  std::map<Ticket, Frame> frames_;
  Ticket nextTicket_ = 1;
  bool ready_ = false;
  OffloadStats stats_;
  JpegEncoder encoder_;
  /** For endpoints that take files, and for the others; made when the first one is probed. */
  std::vector<Probe> probes_, rawProbes_;
};

}  // namespace elf
