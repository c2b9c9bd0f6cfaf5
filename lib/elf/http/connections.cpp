// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/http/connections.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <poll.h>

#include <utility>

#include "elf/base/glib.h"

namespace elf {

namespace {

// Keys of the data that is attached to a connection's socket, and to a request's message.
constexpr const char* kConnection = "elf-connection";
constexpr const char* kUpload = "elf-upload";

}  // namespace

struct Connections::Connection {
  Connections* all;
  GSocket* socket;
  /** Hangs up at the time limit. Set while the peer is awaited. */
  Ref<GSource> timer;
  // libsoup 3.2 does not notice that a peer closes a kept connection between two requests, and
  // would keep its socket for ever. So both are set from the end of a request to the peer's next
  // sign of life, or to the end of a connection that libsoup does not keep. Only through the last
  // request does libsoup let go of a connection. `watch` looks for the sign of life.
  Ref<SoupServerMessage> last;
  Ref<GSource> watch;

  Connection(Connections* its, GSocket* of) : all(its), socket(of) { ++all->open_; }
  ~Connection() { --all->open_; }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /** Closes the connection and deletes this. */
  void hangUp() {
    const Ref<GSocket> held = shared(socket);
    // A stopping server closes kept connections.
    if (g_socket_is_closed(socket)) return forget(held.get());
    const Ref<SoupServerMessage> message = std::move(last);
    if (message) {
      const Ref<GIOStream> stream(soup_server_message_steal_connection(message.get()));
      g_socket_close(held.get(), nullptr);
    } else {
      // libsoup is reading or writing and notices.
      g_socket_shutdown(held.get(), TRUE, TRUE, nullptr);
    }
    forget(held.get());
  }

  /** Deletes the Connection of the socket, if any. libsoup has closed the connection or will. */
  static void forget(GSocket* socket) { g_object_set_data(G_OBJECT(socket), kConnection, nullptr); }

  void startTimer() {
    const auto idle = static_cast<guint>(all->limits_.idle.count());
    timer = schedule(g_main_context_get_thread_default(), g_timeout_source_new(idle),
                     [this] { hangUp(); });
  }

  void wake() {
    watch.reset();
    last.reset();
  }

  /** For "finished", after which libsoup closes a connection that is not kept. */
  void awaitNext(SoupServerMessage* message) {
    last = shared(message);
    const GSourceFunc decided = [](gpointer self) -> gboolean {
      auto* connection = static_cast<Connection*>(self);
      if (const Ref<GSocket> held = shared(connection->socket); g_socket_is_closed(held.get()))
        forget(held.get());
      else
        connection->lookForPeer();
      return G_SOURCE_REMOVE;
    };
    setWatch(g_idle_source_new(), decided);
  }

  void lookForPeer() {
    const GUnixFDSourceFunc signOfLife = [](gint, GIOCondition, gpointer self) -> gboolean {
      auto* connection = static_cast<Connection*>(self);
      if (elf::hungUp(connection->socket))
        connection->hangUp();
      else
        connection->wake();
      return G_SOURCE_REMOVE;
    };
    setWatch(g_unix_fd_source_new(g_socket_get_fd(socket), G_IO_IN), G_SOURCE_FUNC(signOfLife));
  }

  /** Takes `source`, which runs before libsoup reads and before it accepts another connection. */
  void setWatch(GSource* source, GSourceFunc callback) {
    watch.reset(source);
    g_source_set_priority(source, G_PRIORITY_HIGH);
    g_source_set_callback(source, callback, this, nullptr);
    g_source_attach(source, g_main_context_get_thread_default());
  }
};

struct Connections::Upload {
  Connections* all;
  std::size_t received = 0;
  /** Collected here: libsoup would keep each chunk separately, with a hundred bytes of overhead. */
  std::vector<std::uint8_t> body;
  /** Its bytes in Connections::buffered_, even after takeBody(). */
  std::size_t buffered = 0;
  bool noRoom = false;
  bool forgotten = false;

  explicit Upload(Connections* its) : all(its) {}
  ~Upload() { all->buffered_ -= buffered; }
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;
};

void Connections::watch(SoupServer* server) {
  g_signal_connect(server, "request-started", G_CALLBACK(onStarted), this);
}

BodyState Connections::bodyState(SoupServerMessage* message) {
  const Upload& upload = uploadOf(message);
  if (upload.received > upload.all->limits_.maxBody) return BodyState::TooLarge;
  return upload.noRoom ? BodyState::NoRoom : BodyState::Whole;
}

std::size_t Connections::received(SoupServerMessage* message) {
  return uploadOf(message).received;
}

std::vector<std::uint8_t> Connections::takeBody(SoupServerMessage* message) {
  return std::move(uploadOf(message).body);
}

void Connections::forgetBody(SoupServerMessage* message) {
  Upload& upload = uploadOf(message);
  upload.forgotten = true;
  std::vector<std::uint8_t>().swap(upload.body);
  buffered_ -= std::exchange(upload.buffered, 0);
}

void Connections::stopWaiting(SoupServerMessage* message) {
  if (Connection* connection = connectionOf(message)) connection->timer.reset();
}

void Connections::awaitPeer(SoupServerMessage* message) {
  if (Connection* connection = connectionOf(message)) connection->startTimer();
}

Connections::Upload& Connections::uploadOf(SoupServerMessage* message) {
  return *static_cast<Upload*>(g_object_get_data(G_OBJECT(message), kUpload));
}

/** Null once the message has lost its connection. */
Connections::Connection* Connections::connectionOf(SoupServerMessage* message) {
  GSocket* socket = soup_server_message_get_socket(message);
  if (!socket) return nullptr;
  return static_cast<Connection*>(g_object_get_data(G_OBJECT(socket), kConnection));
}

/** A new connection, before any handshake, or the next request of a kept one. */
void Connections::onStarted(SoupServer*, SoupServerMessage* message, gpointer self) {
  auto* all = static_cast<Connections*>(self);
  attach(message, kUpload, new Upload(all));
  soup_message_body_set_accumulate(soup_server_message_get_request_body(message), FALSE);
  g_signal_connect(message, "got-chunk", G_CALLBACK(onChunk), self);
  g_signal_connect(message, "got-headers", G_CALLBACK(awaitPeer), nullptr);
  g_signal_connect(message, "finished", G_CALLBACK(onFinished), nullptr);
  GSocket* socket = soup_server_message_get_socket(message);
  // The end of a connection without a request. libsoup keeps the socket, and tells nothing else.
  g_signal_connect_object(
      message, "disconnected",
      G_CALLBACK(+[](SoupServerMessage*, GSocket* closed) { Connection::forget(closed); }), socket,
      static_cast<GConnectFlags>(0));
  if (!g_object_get_data(G_OBJECT(socket), kConnection)) {
    auto* connection = new Connection(all, socket);
    attach(socket, kConnection, connection);
    // libsoup stores it. It would warn if the first call came after the peer has gone.
    soup_server_message_get_remote_address(message);
    if (all->open_ > all->limits_.maxConnections) return connection->hangUp();
  }
  Connection* connection = connectionOf(message);
  connection->wake();
  connection->startTimer();
}

void Connections::onChunk(SoupServerMessage* message, GBytes* chunk, gpointer self) {
  auto& all = *static_cast<Connections*>(self);
  Upload& upload = uploadOf(message);
  std::size_t size = 0;
  const auto* data = static_cast<const std::uint8_t*>(g_bytes_get_data(chunk, &size));
  upload.received += size;
  if (all.hopeless(upload.received))
    if (Connection* connection = connectionOf(message)) connection->hangUp();
  if (upload.forgotten) return;
  upload.buffered += size;
  all.buffered_ += size;
  upload.noRoom = all.buffered_ > all.limits_.maxBuffered;
  if (upload.noRoom || upload.received > all.limits_.maxBody) return all.forgetBody(message);
  upload.body.insert(upload.body.end(), data, data + size);
}

void Connections::onFinished(SoupServerMessage* message, gpointer) {
  Connection* connection = connectionOf(message);
  if (!connection) return;
  connection->all->forgetBody(message);
  connection->startTimer();
  connection->awaitNext(message);
}

bool hungUp(GSocket* socket) {
  if (g_socket_is_closed(socket)) return true;
  pollfd peer{g_socket_get_fd(socket), POLLRDHUP, 0};
  return poll(&peer, 1, 0) > 0 && (peer.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL));
}

}  // namespace elf
