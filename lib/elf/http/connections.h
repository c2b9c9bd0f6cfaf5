// SPDX-License-Identifier: LGPL-2.1-or-later
// Limits the connections, time and bytes that peers use before they are served. Not installed.
#pragma once

#include <libsoup/soup.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace elf {

struct ConnectionLimits {
  /** Open connections; one more is closed. */
  std::size_t maxConnections = 0;
  /** Bytes of a request's body. */
  std::size_t maxBody = 0;
  /** Bytes of all held bodies. */
  std::size_t maxBuffered = 0;
  /** How long each wait for a peer may take. */
  std::chrono::milliseconds idle{};
};

/** The state of a request's body. */
enum class BodyState { Whole, TooLarge, NoRoom };

/** Belongs to the network thread, except hungUp(). Outlives the SoupServer that it watches. */
class Connections {
 public:
  explicit Connections(const ConnectionLimits& limits) : limits_(limits) {}
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  /** Applies the limits to every connection of `server` from its first byte on. */
  void watch(SoupServer* server);

  static BodyState bodyState(SoupServerMessage* message);
  /** Bytes of the body that were received. */
  static std::size_t received(SoupServerMessage* message);
  /** Takes the received body. Empty if it was discarded. Its bytes count as held until it is
   * answered. */
  static std::vector<std::uint8_t> takeBody(SoupServerMessage* message);
  /** Discards the body, and the rest of it as it arrives. */
  void forgetBody(SoupServerMessage* message);
  /** Whether a body of this size is too large to read to its end before it is refused. */
  bool hopeless(std::uint64_t bytes) const { return bytes / 2 > limits_.maxBody; }

  /** Stops or starts the time limit for the peer. */
  static void stopWaiting(SoupServerMessage* message);
  static void awaitPeer(SoupServerMessage* message);

 private:
  struct Connection;
  struct Upload;

  static Upload& uploadOf(SoupServerMessage* message);
  static Connection* connectionOf(SoupServerMessage* message);
  static void onStarted(SoupServer*, SoupServerMessage* message, gpointer self);
  static void onChunk(SoupServerMessage* message, GBytes* chunk, gpointer self);
  static void onFinished(SoupServerMessage* message, gpointer);

  const ConnectionLimits limits_;
  std::size_t open_ = 0;
  /** Bytes of all held bodies. */
  std::size_t buffered_ = 0;
};

/** Whether the peer has closed its connection, or closed it for writing. Any thread. */
bool hungUp(GSocket* socket);

}  // namespace elf
