// SPDX-License-Identifier: LGPL-2.1-or-later
// What peers may cost before their requests are served: connections, time, bytes. Not installed.
#pragma once

#include <libsoup/soup.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "elf/server/server.h"

namespace elf {

/** What became of a request's body. */
enum class BodyState { Whole, TooLarge, NoRoom };

/** Of the network thread alone, but for hungUp(). Outlives the SoupServer that it watches. */
class Connections {
 public:
  /** `options` outlives this. */
  explicit Connections(const ServerOptions& options) : options_(options) {}
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  /** Every connection of `server` is held to the limits from its first byte on. */
  void watch(SoupServer* server);

  static BodyState bodyState(SoupServerMessage* message);
  /** Bytes of the body that were received. */
  static std::size_t received(SoupServerMessage* message);
  /** What has come of it; empty where it was forgotten. Counts as held until it is answered. */
  static std::vector<std::uint8_t> takeBody(SoupServerMessage* message);
  /** What still comes of the body is read and forgotten. */
  void forgetBody(SoupServerMessage* message);
  /** Whether a body of so many bytes is not even worth reading to its end, to answer afterwards. */
  bool hopeless(std::uint64_t bytes) const { return bytes / 2 > options_.maxBody; }

  /** The peer is waited for no longer, or again. */
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

  const ServerOptions& options_;
  std::size_t open_ = 0;
  /** Bytes of bodies that are held. */
  std::size_t buffered_ = 0;
};

/** Whether the peer has closed its connection, or closed it for writing. Any thread. */
bool hungUp(GSocket* socket);

}  // namespace elf
