// SPDX-License-Identifier: LGPL-2.1-or-later
// The cost of a part at each server, and which server would finish it first.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "elf/capacity/server_pool.h"
#include "elf/servers/lateness.h"

namespace elf {

/**
 * By the number of the server (ServerDirectory). Times are in seconds, `pixels` are those that the
 * model computes. Not thread-safe, except for SharedServer.
 */
class CostTable {
 public:
  /** The number means another server from now on. */
  void set(int server, std::shared_ptr<SharedServer> shared);

  SharedServer& shared(int server) const { return *at(server).shared; }
  /** How much later than expected its answers arrive. */
  const Lateness& lateness(int server) const { return at(server).lateness; }

  struct Candidate {
    int server = 0;
    /** Bytes of the part, as this server takes it. */
    double bytes = 0;
    /** Seconds until it accepts requests again (`Retry-After`). */
    double heldBack = 0;
    /** Its endpoint was sent the part already. */
    bool tried = false;
  };
  /** A server that would finish a part, and in how many seconds from now. */
  struct Choice {
    int server = -1;  ///< no server
    double seconds = 0;
  };
  /** The server that would finish the part first. One that was not tried goes before any other. */
  Choice fastest(std::span<const Candidate> candidates, double pixels) const;
  /** Until a part that is sent now, and is taken, is finished. */
  double seconds(int server, double pixels, double bytes) const;

  /** A JPEG file was made for the server. */
  void countFile(int server, double bytes, double pixels);
  /** Raw pixels were sent to it. */
  void countRaw(int server) { at(server).raw = true; }
  /** Recent bytes of a pixel of a picture. */
  double bytesPerPixel(int server) const;
  /** A part was answered well after `taken`, where `expected` was expected. */
  void countAnswer(int server, double expected, double taken);

 private:
  struct Server {
    std::shared_ptr<SharedServer> shared;
    Lateness lateness;
    /** Of the files made for it so far, older ones counting less. */
    double fileBytes = 0, filePixels = 0;
    /** Its last picture was raw. */
    bool raw = false;
  };

  const Server& at(int server) const { return servers_[static_cast<std::size_t>(server)]; }
  Server& at(int server) { return servers_[static_cast<std::size_t>(server)]; }

  std::vector<Server> servers_;
};

}  // namespace elf
