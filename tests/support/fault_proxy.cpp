// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/support/fault_proxy.h"

#include <glib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <string_view>
#include <utility>

#include "elf/client/transport.h"
#include "elf/wire/infer.h"

namespace elf::testing {

namespace {

constexpr std::size_t kChunk = 16U << 10;
constexpr std::string_view kEndOfHead = "\r\n\r\n";

constexpr std::array<const char*, 16> kNames = {
    "None",          "Refuse",         "ResetRequest", "ResetReply",
    "BlackHole",     "Trickle",        "ServerError",  "Unavailable",
    "LengthTooLong", "LengthTooShort", "GarbageJson",  "WrongShapes",
    "NanBoxes",      "ClaimedBillion", "ManyBoxes",    "OtherId"};

/** The next close() of `socket` is a reset. */
void resetOnClose(GSocket* socket) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  setsockopt(g_socket_get_fd(socket), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/** Heads and bodies go one after the other: none waits until the one before it is acknowledged. */
void sendAtOnce(GSocket* socket) {
  g_socket_set_option(socket, IPPROTO_TCP, TCP_NODELAY, TRUE, nullptr);
}

GSocket* newSocket() {
  return g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, nullptr);
}

/** The value of a header, its name in lower case; empty without one. */
std::string headerOf(const std::string& head, const std::string& name) {
  gchar* lower = g_ascii_strdown(head.data(), static_cast<gssize>(head.size()));
  const std::string text = lower;
  g_free(lower);
  const auto found = text.find("\r\n" + name + ":");
  if (found == std::string::npos) return {};
  const auto begin = text.find_first_not_of(' ', found + name.size() + 3);
  return text.substr(begin, text.find("\r\n", begin) - begin);
}

}  // namespace

const char* nameOf(Fault fault) {
  return kNames.at(static_cast<std::size_t>(fault));
}

const std::vector<Fault>& everyFault() {
  static const std::vector<Fault> all = [] {
    std::vector<Fault> made;
    for (std::size_t i = 1; i < kNames.size(); ++i) made.push_back(static_cast<Fault>(i));
    return made;
  }();
  return all;
}

std::vector<Fault> promptFaults() {
  std::vector<Fault> prompt;
  std::ranges::copy_if(everyFault(), std::back_inserter(prompt),
                       [](Fault fault) { return !neverAnswers(fault); });
  return prompt;
}

/** A request or an answer: what is before the body, the blank line included, and the body. */
struct FaultProxy::Message {
  std::string head, body;

  bool isInference() const { return head.find("/infer HTTP/") != std::string::npos; }

  static Message reply(const std::string& status, const std::string& body,
                       const std::string& headers = {}) {
    return {"HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
                headers + "\r\n",
            body};
  }
  /** As an inference server answers. */
  static Message reply(const wire::InferResponse& response) {
    const wire::Message made = wire::encode(response);
    const std::string length = std::to_string(made.jsonLength.value_or(made.body.size()));
    return reply("200 OK", {made.body.begin(), made.body.end()},
                 "Inference-Header-Content-Length: " + length + "\r\n");
  }
  wire::InferResponse response() const {
    const std::string length = headerOf(head, "inference-header-content-length");
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(body.data());
    return wire::parseResponse(
               {bytes, body.size()},
               length.empty() ? std::nullopt : std::optional<std::size_t>(std::stoull(length)))
        .value();
  }
  /** What an answer turns into. */
  void falsify(Fault fault);
  void setLength(std::size_t length) {
    const std::string told = "Content-Length: ";
    const auto begin = head.find(told) + told.size();
    head.replace(begin, head.find("\r\n", begin) - begin, std::to_string(length));
  }
};

void FaultProxy::Message::falsify(Fault fault) {
  if (!head.starts_with("HTTP/1.1 200 ")) return;
  wire::InferResponse answer = response();
  const auto withBoxes = [&](std::vector<std::int64_t> shape, float value, std::int64_t rows,
                             std::int64_t told) {
    const auto n = static_cast<std::size_t>(rows);
    wire::Tensor boxes{.name = "boxes", .type = wire::DataType::Fp32, .shape = std::move(shape)};
    boxes.data.resize(16 * n);
    const std::vector<float> numbers(4 * n, value);
    std::copy_n(reinterpret_cast<const std::uint8_t*>(numbers.data()), boxes.data.size(),
                boxes.data.begin());
    wire::Tensor scores{.name = "scores", .type = wire::DataType::Fp32, .shape = {told}};
    scores.data.resize(4 * n);
    wire::Tensor labels{.name = "labels", .type = wire::DataType::Int64, .shape = {told}};
    labels.data.resize(8 * n);
    answer.outputs = {std::move(boxes), std::move(scores), std::move(labels)};
  };
  constexpr std::int64_t kBillion = 1'000'000'000;
  // 28 bytes each, and room for the JSON.
  constexpr std::int64_t kMost = (kLongestReply - 4096) / 28;
  switch (fault) {
    case Fault::GarbageJson:
      *this = reply("200 OK", "{\"outputs\":" + std::string(100'000, '['));
      return;
    case Fault::WrongShapes:
      withBoxes({2, 2}, 1, 1, 1);
      break;
    case Fault::NanBoxes:
      withBoxes({1, 4}, std::numeric_limits<float>::quiet_NaN(), 1, 1);
      break;
    case Fault::ClaimedBillion:
      withBoxes({kBillion, 4}, 1, 1, kBillion);
      break;
    case Fault::ManyBoxes:
      withBoxes({kMost, 4}, 1, kMost, kMost);
      break;
    case Fault::OtherId:
      answer.id += "1";
      break;
    default:
      return;
  }
  *this = reply(answer);
}

/** One end of a connection. Nothing throws; what fails returns false or nothing. */
struct FaultProxy::Peer {
  FaultProxy& proxy;
  /** Its own; null: not connected. */
  GSocket* socket = nullptr;
  /** The direction in which it sends, and in which it is sent to; null: without limit. */
  Clock::time_point* from = nullptr;
  Clock::time_point* to = nullptr;
  /** Read, and not used yet. */
  std::string buffered;

  ~Peer() { g_clear_object(&socket); }
  void open() {
    g_clear_object(&socket);
    socket = newSocket();
    sendAtOnce(socket);
    buffered.clear();
  }

  bool readMore() {
    std::array<char, kChunk> chunk;
    const gssize n = g_socket_receive(socket, chunk.data(), chunk.size(), proxy.stop_, nullptr);
    if (n <= 0) return false;
    buffered.append(chunk.data(), static_cast<std::size_t>(n));
    return !from || proxy.take(*from, static_cast<std::size_t>(n));
  }
  std::optional<std::string> read(std::size_t size) {
    while (buffered.size() < size)
      if (!readMore()) return std::nullopt;
    std::string result = buffered.substr(0, size);
    buffered.erase(0, size);
    return result;
  }
  std::optional<std::string> readHead() {
    std::size_t end = 0;
    while ((end = buffered.find(kEndOfHead)) == std::string::npos)
      if (!readMore()) return std::nullopt;
    return read(end + kEndOfHead.size());
  }
  std::optional<Message> readMessage() {
    auto head = readHead();
    if (!head) return std::nullopt;
    auto body = read(bodyOf(*head));
    if (!body) return std::nullopt;
    return Message{std::move(*head), std::move(*body)};
  }
  static std::size_t bodyOf(const std::string& head) {
    const std::string length = headerOf(head, "content-length");
    return length.empty() ? 0 : std::stoull(length);
  }
  bool write(std::string_view text) {
    while (!text.empty()) {
      const std::size_t part = std::min(text.size(), kChunk);
      if (to && !proxy.take(*to, part)) return false;
      for (std::size_t sent = 0; sent < part;) {
        const gssize n =
            g_socket_send(socket, text.data() + sent, part - sent, proxy.stop_, nullptr);
        if (n < 0) return false;
        sent += static_cast<std::size_t>(n);
      }
      text.remove_prefix(part);
    }
    return true;
  }
  bool write(const Message& message) { return write(message.head) && write(message.body); }
  /** Reads until the other side ends the connection. */
  void drain() {
    while (readMore()) buffered.clear();
  }
};

FaultProxy::FaultProxy(const std::string& server) {
  GUri* uri = g_uri_parse(server.c_str(), G_URI_FLAGS_NONE, nullptr);
  server_ = g_inet_socket_address_new_from_string(g_uri_get_host(uri),
                                                  static_cast<guint>(g_uri_get_port(uri)));
  g_uri_unref(uri);
  stop_ = g_cancellable_new();
  wake_ = g_cancellable_new();
  bind();
  accepting_ = std::thread([this] { acceptAll(); });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return listening_; });
}

FaultProxy::~FaultProxy() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  g_cancellable_cancel(stop_);
  g_cancellable_cancel(wake_);
  accepting_.join();
  reap(true);
  for (gpointer object :
       {static_cast<gpointer>(placeholder_), static_cast<gpointer>(address_),
        static_cast<gpointer>(server_), static_cast<gpointer>(stop_), static_cast<gpointer>(wake_)})
    g_object_unref(object);
}

void FaultProxy::bind() {
  placeholder_ = newSocket();
  GSocketAddress* any = g_inet_socket_address_new_from_string("127.0.0.1", 0);
  g_socket_bind(placeholder_, any, TRUE, nullptr);
  g_object_unref(any);
  address_ = g_socket_get_local_address(placeholder_, nullptr);
  url_ = "http://127.0.0.1:" +
         std::to_string(g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(address_)));
}

void FaultProxy::set(Fault fault) {
  std::unique_lock lock(mutex_);
  fault_ = fault;
  choices_.clear();
  g_cancellable_cancel(wake_);
  changed_.notify_all();
  changed_.wait(lock, [this] { return listening_ == (fault_ != Fault::Refuse); });
}

void FaultProxy::choose(std::vector<Fault> faults, unsigned seed) {
  set(Fault::None);
  const std::lock_guard lock(mutex_);
  choices_ = std::move(faults);
  random_.emplace(seed);
}

void FaultProxy::rotate(std::vector<Fault> faults) {
  set(Fault::None);
  const std::lock_guard lock(mutex_);
  choices_ = std::move(faults);
  random_.reset();
}

void FaultProxy::throttle(double megabitsPerSecond) {
  const std::lock_guard lock(mutex_);
  bytesPerSecond_ = megabitsPerSecond * 1e6 / 8;
}

int FaultProxy::requests() {
  const std::lock_guard lock(mutex_);
  return requests_;
}

bool FaultProxy::awaitRequests(int count, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [&] { return requests_ >= count; });
}

// The accepting thread.
void FaultProxy::acceptAll() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (fault_ == Fault::Refuse) {
      // Their threads are the ones to close them.
      for (const Connection& connection : connections_) {
        if (connection.ended) continue;
        resetOnClose(connection.socket);
        g_socket_shutdown(connection.socket, TRUE, TRUE, nullptr);
      }
      listening_ = false;
      changed_.notify_all();
      changed_.wait(lock, [this] { return stopping_ || fault_ != Fault::Refuse; });
      continue;
    }
    GSocket* listener = newSocket();
    g_socket_bind(listener, address_, TRUE, nullptr);
    g_socket_set_listen_backlog(listener, 128);
    g_socket_listen(listener, nullptr);
    listening_ = true;
    changed_.notify_all();
    while (!stopping_ && fault_ != Fault::Refuse) {
      g_cancellable_reset(wake_);
      lock.unlock();
      GSocket* client = g_socket_accept(listener, wake_, nullptr);
      reap(false);
      lock.lock();
      if (client) accept(client);
    }
    g_object_unref(listener);
  }
}

// With mutex_ held.
void FaultProxy::accept(GSocket* client) {
  Connection& connection = connections_.emplace_back();
  connection.socket = client;
  sendAtOnce(client);
  connection.thread = std::thread([this, &connection] {
    {
      Peer peer{*this, connection.socket, &upFree_, &downFree_}, server{*this};
      while (serveOne(peer, server)) {
      }
      const std::lock_guard lock(mutex_);
      connection.ended = true;
    }
  });
}

// Joins the threads of connections that have ended, or all of them.
void FaultProxy::reap(bool all) {
  std::list<Connection> ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto it = connections_.begin(); it != connections_.end();) {
      const auto next = std::next(it);
      if (all || it->ended) ended.splice(ended.end(), connections_, it);
      it = next;
    }
  }
  for (Connection& connection : ended) connection.thread.join();
}

// One request and its answer; false where the connection is over.
bool FaultProxy::serveOne(Peer& client, Peer& server) {
  auto head = client.readHead();
  if (!head) return false;
  Message request{std::move(*head), {}};
  const std::size_t length = Peer::bodyOf(request.head);
  const Fault fault = decide(request);
  if (fault == Fault::ResetRequest) {
    client.read(length / 2);
    resetOnClose(client.socket);
    return false;
  }
  auto body = client.read(length);
  if (!body) return false;
  request.body = std::move(*body);
  if (fault == Fault::BlackHole) {
    client.drain();
    return false;
  }
  if (fault == Fault::ServerError)
    return client.write(Message::reply("500 Internal Server Error", "{\"error\":\"broken\"}"));
  if (fault == Fault::Unavailable)
    return client.write(
        Message::reply("503 Service Unavailable", "{\"error\":\"busy\"}", "Retry-After: 1\r\n"));

  auto reply = ask(request, server);
  if (!reply) {
    resetOnClose(client.socket);
    return false;
  }
  if (request.isInference()) reply->falsify(fault);
  const std::size_t size = reply->body.size();
  switch (fault) {
    case Fault::ResetReply:
      client.write(reply->head);
      client.write(reply->body.substr(0, size / 2));
      resetOnClose(client.socket);
      return false;
    case Fault::Trickle:
      for (const char byte : reply->head + reply->body)
        if (!client.write(std::string_view(&byte, 1)) ||
            !pause(Clock::now() + std::chrono::seconds(1)))
          return false;
      return true;
    case Fault::LengthTooLong:
      reply->setLength(size + 100);
      client.write(*reply);
      return false;
    case Fault::LengthTooShort:
      reply->setLength(size / 2);
      return client.write(*reply);
    default:
      return client.write(*reply);
  }
}

// Counts a request, and says what it meets.
Fault FaultProxy::decide(const Message& request) {
  const std::lock_guard lock(mutex_);
  ++requests_;
  changed_.notify_all();
  if (choices_.empty()) return fault_;
  if (!request.isInference()) return Fault::None;
  return choices_[(random_ ? (*random_)() : turn_++) % choices_.size()];
}

// Passes a request on, over the connection that `server` is if it still is one; unset where the
// server gives no whole answer.
std::optional<FaultProxy::Message> FaultProxy::ask(const Message& request, Peer& server) {
  for (const bool kept : {true, false}) {
    if (kept && !server.socket) continue;
    if (!kept) {
      server.open();
      if (!g_socket_connect(server.socket, server_, stop_, nullptr)) break;
    }
    if (!server.write(request)) continue;
    if (auto reply = server.readMessage()) return reply;
  }
  return std::nullopt;
}

// Waits until the link has carried `bytes` more; false where the proxy ends.
bool FaultProxy::take(Clock::time_point& linkFree, std::size_t bytes) {
  Clock::time_point until;
  {
    const std::lock_guard lock(mutex_);
    if (bytesPerSecond_ == 0) return true;
    const std::chrono::duration<double> time(static_cast<double>(bytes) / bytesPerSecond_);
    linkFree = std::max(linkFree, Clock::now()) + std::chrono::duration_cast<Clock::duration>(time);
    until = linkFree;
  }
  return pause(until);
}

// False where the proxy ends.
bool FaultProxy::pause(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_until(lock, until, [this] { return stopping_; });
}

}  // namespace elf::testing
