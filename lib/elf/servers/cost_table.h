// SPDX-License-Identifier: LGPL-2.1-or-later
// What a part costs at each server, and which one would be first to finish it.
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
 * model computes. Not thread-safe, but for what SharedServer says of itself.
 */
class CostTable {
 public:
  /** The number stands for another server from now on. */
  void set(int server, std::shared_ptr<SharedServer> shared);

  SharedServer& shared(int server) const { return *at(server).shared; }
  /** How much later than expected its answers come. */
  const Lateness& lateness(int server) const { return at(server).lateness; }

  struct Candidate {
    int server = 0;
    /** Of the part, as this server takes it. */
    double bytes = 0;
    /** Time until it wants to be asked again. */
    double heldBack = 0;
    /** Its endpoint had the part already. */
    bool tried = false;
  };
  /** A server that would finish a part, and in how many seconds from now. */
  struct Choice {
    int server = -1;  ///< none
    double seconds = 0;
  };
  /** Which will have finished the part first; one that was not tried goes before any other. */
  Choice fastest(std::span<const Candidate> candidates, double pixels) const;
  /** Until a part that is sent now, and is taken, is finished. */
  double seconds(int server, double pixels, double bytes) const;

  /** A JPEG file was made for the server. */
  void countFile(int server, double bytes, double pixels);
  /** Pixels as they are were sent to it. */
  void countRaw(int server) { at(server).raw = true; }
  /** What a pixel of a picture takes lately. */
  double bytesPerPixel(int server) const;
  /** A part was answered well after `taken`, where `expected` was expected. */
  void countAnswer(int server, double expected, double taken);

 private:
  struct Server {
    std::shared_ptr<SharedServer> shared;
    Lateness lateness;
    /** Of the files made for it so far, an old one counting less. */
    double fileBytes = 0, filePixels = 0;
    /** What was made for it last was no file. */
    bool raw = false;
  };

  const Server& at(int server) const { return servers_[static_cast<std::size_t>(server)]; }
  Server& at(int server) { return servers_[static_cast<std::size_t>(server)]; }

  std::vector<Server> servers_;
};

}  // namespace elf
