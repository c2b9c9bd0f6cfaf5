// SPDX-License-Identifier: LGPL-2.1-or-later
// Finds the servers that announce themselves on the local network, by Avahi. Not installed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "elf/avahi/announced_server.h"
#include "elf/avahi/avahi_daemon.h"

namespace elf {

/**
 * Follows what is announced until it is destroyed. Knows the servers that the network has at the
 * moment some second after it was made. If Avahi goes away, the last ones count until it is back.
 * Threads and `held` are those of AvahiDaemon.
 */
class ServerBrowser {
 public:
  /** Called with all servers: first when those of the moment are known, or Avahi cannot be asked,
   * then after each change. */
  using Changed = std::function<void(const Announced&)>;

  explicit ServerBrowser(Changed changed, std::shared_ptr<void> held = nullptr);

 private:
  void browse();
  void onSignal(const std::string& name, GVariant* parameters);
  void add(const AnnouncedServers::Place& place);
  void remove(const AnnouncedServers::Place& place);
  void onFound(GVariant* parameters);
  void report();

  const Changed changed_;
  AnnouncedServers servers_;
  /** Paths of the objects that tell where a service is. */
  std::map<AnnouncedServers::Place, std::string> resolvers_;
  /** The servers of the moment are known. */
  bool complete_ = false;
  /** Last: its callbacks use the rest. */
  AvahiDaemon daemon_;
};

}  // namespace elf
