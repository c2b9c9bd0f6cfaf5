// SPDX-License-Identifier: LGPL-2.1-or-later
// A network and a server that fail as the test says: an HTTP proxy on loopback.
#pragma once

#include <gio/gio.h>

#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace elf::testing {

enum class Fault {
  None,            ///< the request and its answer pass
  Refuse,          ///< open connections end, new ones are refused
  ResetRequest,    ///< a reset in the middle of the request's body
  ResetReply,      ///< a reset in the middle of the answer's body
  BlackHole,       ///< the request is read, and never answered
  Trickle,         ///< the answer comes at one byte a second
  ServerError,     ///< 500
  Unavailable,     ///< 503 with Retry-After
  LengthTooLong,   ///< Content-Length is more than follows until the end of the connection
  LengthTooShort,  ///< Content-Length is half of what follows
  // What an answer to an inference request says; other requests pass.
  GarbageJson,     ///< 200, and a body that is no JSON
  WrongShapes,     ///< boxes of two numbers
  NanBoxes,        ///< a box of numbers that are none
  ClaimedBillion,  ///< the shapes say a billion boxes, the body holds one
  ManyBoxes,       ///< as many boxes as an answer of the largest size has room for
  OtherId          ///< the answer to another request
};

/** Its name as written above. */
const char* nameOf(Fault fault);
/** All but None. */
const std::vector<Fault>& everyFault();
/** Those that a client hears of at once. */
std::vector<Fault> promptFaults();
/** True for those after which no whole answer ever comes, and no error either. */
inline bool neverAnswers(Fault fault) {
  return fault == Fault::BlackHole || fault == Fault::Trickle;
}

/**
 * Between clients and one server on loopback, with keep-alive to both. Requests and answers
 * are read whole before they go on, and must tell their Content-Length. A thread accepts, and each
 * connection has a thread; all of them end with the object. Any thread may call.
 */
class FaultProxy {
 public:
  /** `server` is a URL as elf-server prints it: http://ADDRESS:PORT. */
  explicit FaultProxy(const std::string& server);
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;
  ~FaultProxy();

  /** Port and all; the port stays the proxy's own while it refuses. */
  const std::string& url() const { return url_; }

  /** What requests that are read from now on meet. Refuse holds when it returns. */
  void set(Fault fault);
  /** Each inference request meets one of `faults`, drawn from `seed`; others pass. Not Refuse. */
  void choose(std::vector<Fault> faults, unsigned seed);
  /** The same, one fault after the other and then the first again. */
  void rotate(std::vector<Fault> faults);
  /** A link of that speed in each direction, shared by all connections; 0: no limit. */
  void throttle(double megabitsPerSecond);

  /** Requests of any kind whose head has come. */
  int requests();
  /** Waits until there were so many; false where `patience` ends first. */
  bool awaitRequests(int count, std::chrono::milliseconds patience = std::chrono::seconds(20));

 private:
  using Clock = std::chrono::steady_clock;
  struct Message;
  struct Peer;
  struct Connection {
    GSocket* socket = nullptr;
    std::thread thread;
    /** Nothing is done with `socket` any more. */
    bool ended = false;
  };

  void bind();
  void acceptAll();
  void accept(GSocket* listener);
  void reap(bool all);
  bool serveOne(Peer& client, Peer& server);
  Fault decide(const Message& request);
  std::optional<Message> ask(const Message& request, Peer& server);
  bool take(Clock::time_point& linkFree, std::size_t bytes);
  bool pause(Clock::time_point until);

  GSocketAddress* server_ = nullptr;
  GSocketAddress* address_ = nullptr;
  /** Ends every wait for a socket. */
  GCancellable* stop_ = nullptr;
  /** Bound and never listening, so that the port is nobody else's while it is refused. */
  GSocket* placeholder_ = nullptr;
  std::string url_;
  std::thread accepting_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  /** Wakes the accepting thread, which makes `listening_` what `fault_` wants. */
  GCancellable* wake_ = nullptr;
  bool listening_ = false;
  Fault fault_ = Fault::None;
  std::vector<Fault> choices_;
  /** Unset: in turn. */
  std::optional<std::minstd_rand> random_;
  std::size_t turn_ = 0;
  double bytesPerSecond_ = 0;
  /** When each direction of the link has carried what it was given. */
  Clock::time_point upFree_{}, downFree_{};
  int requests_ = 0;
  std::list<Connection> connections_;
};

}  // namespace elf::testing
