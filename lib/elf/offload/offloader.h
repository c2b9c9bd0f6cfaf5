// SPDX-License-Identifier: LGPL-2.1-or-later
// Sends the parts of frames to the servers and brings their answers back.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "elf/base/deferring_mutex.h"
#include "elf/capacity/server_pool.h"
#include "elf/client/inference_client.h"
#include "elf/offload/hedge_budget.h"
#include "elf/servers/server_set.h"
#include "elf/types/capacity.h"
#include "elf/types/frame_record.h"
#include "elf/types/plan.h"
#include "elf/wire/infer.h"

namespace elf {

/** Counts since the start, without probes. */
struct OffloadStats {
  /** All requests. */
  std::uint64_t partsSent = 0;
  std::uint64_t partsFailed = 0;
  /** Not answered by the deadline, even if answered later. */
  std::uint64_t partsLate = 0;
  /** Of `partsSent`: requests after another one had failed, and hedges of a late one. */
  std::uint64_t partsRetried = 0;
  std::uint64_t partsHedged = 0;
  /** Late parts that the hedge answered first. */
  std::uint64_t hedgesWon = 0;
  std::uint64_t bytesSent = 0;
  double pixelsSent = 0;
};

/**
 * Each frame gets exactly one `done`, with one answer for each part: when all parts are settled or
 * no answer is useful any more, whichever is first. An answer is useful until the frame's deadline.
 * If late answers count too (begin() was given a `late`), it is useful for
 * ServerSet::longestSilence() after its request was sent, or until the deadline if that is later.
 * `late` then reports at the deadline what is known so far, and `done` follows. Until then:
 *
 * - A part for a server that is left out goes to the usable one that takes its encoding and will
 *   finish first.
 * - A part that failed, or whose server has just been left out, goes to the next such server that
 *   it was not sent to before, if that is expected to answer while the answer is useful.
 * - A part is late when it has taken longer than nineteen of twenty do (elf/servers/lateness.h), or
 *   when another endpoint could only just answer before the deadline. A hedge is then sent to that
 *   endpoint, within the budget of `hedging`. The first good answer counts. The other request is
 *   cancelled, which the server notices.
 * - A server that is late and has been silent for too long (ServerSet::longestSilence()) is left
 *   out, if there is another one.
 * - A server that has not answered while that was useful has made an error, one for each frame.
 *
 * The cost and the outstanding work of servers are shared with the other offloaders of the pool.
 * ServerSet describes how servers are looked up, left out and taken back.
 *
 * Call start() first. All functions may be called from any thread. The listener and the callbacks
 * of frames are called with no lock held, from the client's thread or from inside the function that
 * caused them. Stop the client's loop before destroying the offloader.
 */
class Offloader {
 public:
  using Clock = EventLoop::Clock;
  using Ticket = std::uint64_t;
  /** One answer for each part, in their order. */
  using Answered = std::function<void(std::vector<PartAnswer>)>;

  /**
   * The client and the listener outlive the offloader. The pool's other users have the clock of
   * this client. Throws elf::Error if JPEG files can't be made.
   */
  Offloader(const OffloadSettings& settings, ServerPool& pool, InferenceClient& client,
            OffloadListener& listener);
  Offloader(const Offloader&) = delete;
  Offloader& operator=(const Offloader&) = delete;
  ~Offloader();

  /** Begins with the servers of the settings. */
  void start();
  /** Replaces the servers by these (base URLs, not empty). Those that stay keep what is known about
   * them. */
  void setServers(std::vector<std::string> urls);
  /** As OffloadSettings::hedging. */
  void setHedging(double share);
  bool ready() const;
  /** As it is now. The user's own setting, maxInFlight, is left at its default. */
  Capacity capacity() const;
  /** The servers that are not removed. */
  std::vector<ServerReport> reports() const;
  OffloadStats stats() const;
  /** The server that would first finish a part of that size, after its outstanding work; a healthy
   * one, if there are any. */
  int bestServer(Size sent) const;
  /** Whether a usable server has no part to answer. */
  bool hasIdleServer() const;

  /**
   * Opens a frame of size `size`; `parts` is not empty. Each part must then be given to send() or
   * fail(). The frame id and generation only serve to name requests. Each request has a span of its
   * own in `trace` (elf/base/trace_id.h), if that is not empty.
   *
   * `late`, if given, is called at most once: at the deadline, if a part is still open then. Such a
   * part is AnswerState::Late there. It may still be Answered when `done` is called, which is after
   * `late` has returned. Parts may be sent after the deadline as well.
   */
  Ticket begin(std::uint64_t frame, std::uint32_t generation, Size size,
               std::span<const Part> parts, std::optional<Clock::time_point> deadline,
               Answered done, std::string trace = {}, Answered late = {});
  /** `image` is the part as an input tensor. It is encoded here, with no lock held, once for all
   * requests. Ignores a ticket that is settled already. */
  void send(Ticket ticket, std::size_t part, wire::Tensor image);
  /** The same for a part that was prepared for a server's network (ServerState::network). */
  void send(Ticket ticket, std::size_t part, wire::Tensor prepared, Size sent,
            RemoteNetworkPtr network);
  /** The part could not be encoded. */
  void fail(Ticket ticket, std::size_t part, const std::string& why);
  /** Cancels the requests of a frame. Its callbacks are not called any more, except for one that is
   * running. Ignores a ticket that is settled already. */
  void abandon(Ticket ticket);
  /** The same for all frames, without learning from them. */
  void abandonAll();

 private:
  struct Request {
    EventLoop::Handle handle = 0;
    int server = 0;
    /** Counts from 1. */
    int attempt = 0;
    /** Of this request, in the trace of its frame. */
    std::string span;
    /** Sent because another request was late. */
    bool hedge = false;
    Clock::time_point sentAt{};
    /** Its answer is useful until then, in a frame with a deadline. */
    Clock::time_point worthUntil{};
    /** Seconds: of the part by itself, and after the server's outstanding work. */
    double cost = 0, expected = 0;
    /** Size of the picture, in the form that the server takes. */
    std::size_t bytes = 0;
  };

  struct PartState {
    Size sent;
    /** Set if the model needs it and the part is not scaled. */
    std::optional<Placement> placement;
    PartImage image;
    PartAnswer answer;
    bool settled = false;
    /** Requests under way. */
    std::vector<Request> requests;
    /** Servers that it was sent to. */
    std::vector<int> tried;
    /** The latest of its requests' so far. */
    Clock::time_point worthUntil{};
    /** Runs until it is late. */
    EventLoop::Handle timer = 0;
    Clock::time_point lateAt{};
  };

  struct Frame {
    std::string name;
    std::string trace;
    std::vector<PartState> parts;
    std::size_t open = 0;
    std::optional<Clock::time_point> deadline;
    /** Runs until the deadline, and then until the next answer is no longer useful. */
    EventLoop::Handle timer = 0;
    /** When that is due. */
    Clock::time_point timerDue{};
    Answered done, late;
    /** The deadline has passed. */
    bool overdue = false;
    /** `late` is being called. */
    bool telling = false;
    /** Endpoints that were late. One frame counts once against each. */
    std::vector<std::size_t> lateEndpoints;
    /** Endpoints that refused a part: one frame counts once against each. */
    std::vector<std::size_t> refusedBy;
  };

  void send(Ticket ticket, std::size_t part, PartImage image);

  void dispatch(Ticket ticket, Frame& frame, std::size_t index, int server, bool hedge)
      ELF_REQUIRES(mutex_);
  void callWhenLate(Ticket ticket, PartState& part, std::size_t index, Clock::duration time)
      ELF_REQUIRES(mutex_);
  void waitForLateness(Ticket ticket, Frame& frame, std::size_t index) ELF_REQUIRES(mutex_);
  void waitForSilence(Ticket ticket, PartState& part, std::size_t index) ELF_REQUIRES(mutex_);
  Clock::duration untilOverdue(const Request& request) const ELF_REQUIRES(mutex_);
  Clock::duration untilSilent(const Request& request) const ELF_REQUIRES(mutex_);
  void hedge(Ticket ticket, Frame& frame, std::size_t index) ELF_REQUIRES(mutex_);
  void sendElsewhere(Ticket ticket, Frame& frame, std::size_t index) ELF_REQUIRES(mutex_);
  void cancel(const Request& request) ELF_REQUIRES(mutex_);
  void giveUp(const PartState& part, const Request& request) ELF_REQUIRES(mutex_);
  void giveUpWorthless(Frame& frame, PartState& part, bool away) ELF_REQUIRES(mutex_);
  void callAtDeadline(Ticket ticket, Frame& frame, Clock::time_point time) ELF_REQUIRES(mutex_);
  bool wasAway(Clock::time_point due) ELF_REQUIRES(mutex_);
  void waitForWorth(Ticket ticket, Frame& frame) ELF_REQUIRES(mutex_);
  PartAnswer lateAnswer(const PartState& part) const ELF_REQUIRES(mutex_);
  void tellLate(Ticket ticket, Frame& frame) ELF_REQUIRES(mutex_);
  void finish(Ticket ticket, Frame& frame) ELF_REQUIRES(mutex_);
  void settle(Ticket ticket, Frame& frame, std::size_t index) ELF_REQUIRES(mutex_);

  // Callbacks of the loop.
  void onReply(Ticket ticket, std::size_t index, int attempt, Size sent,
               const RemoteNetworkPtr& network, const InferenceReply& reply);
  void onLate(Ticket ticket, std::size_t index);
  void onDeadline(Ticket ticket);
  /** `late` has returned. */
  void onTold(Ticket ticket);
  /** An endpoint has just been left out. */
  void onLost(std::size_t endpoint);

  EventLoop& loop_;

  // Lock order: this one before those of the loop and of the shared servers.
  mutable DeferringMutex mutex_;
  ServerSet servers_ ELF_GUARDED_BY(mutex_);
  const std::vector<std::string> firstServers_;
  /** The servers' names of their tensors. */
  const TensorNames tensors_;
  std::map<Ticket, Frame> frames_ ELF_GUARDED_BY(mutex_);
  Ticket nextTicket_ ELF_GUARDED_BY(mutex_) = 1;
  HedgeBudget budget_ ELF_GUARDED_BY(mutex_);
  OffloadStats stats_ ELF_GUARDED_BY(mutex_);
};

}  // namespace elf
