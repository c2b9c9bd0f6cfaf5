// SPDX-License-Identifier: LGPL-2.1-or-later
// Announces a server on the local network, by Avahi. Not installed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "elf/avahi/avahi_daemon.h"

namespace elf {

/**
 * Announces until it is destroyed, and again whenever Avahi is back. A name that another server
 * has is replaced by a similar one. Threads are those of AvahiDaemon.
 */
class ServerAnnouncer {
 public:
  /** Under which name it is announced, or one sentence without a subject why it is not. Called
   * when that changes. */
  using Tell = std::function<void(bool announced, const std::string& what)>;

  /**
   * `url` is that of the server, with the address that it listens at. Throws elf::Error naming
   * --announce if other machines can't reach that, and for models as encodeTxt()
   * (announced_server.h).
   */
  ServerAnnouncer(const std::string& url, const std::vector<std::string>& models, Tell listener);
  ServerAnnouncer(const ServerAnnouncer&) = delete;
  ServerAnnouncer& operator=(const ServerAnnouncer&) = delete;
  /** Withdraws the announcement. */
  ~ServerAnnouncer();

  /** The server has other models now. Throws as the constructor. */
  void setModels(const std::vector<std::string>& models);

 private:
  void begin();
  void add();
  void commit();
  void rename();
  void tell(bool announced, const std::string& what);
  void onSignal(const std::string& path, const std::string& name, GVariant* parameters);
  GVariant* txt() const;

  const Tell tell_;
  /** What was told last. */
  std::pair<bool, std::string> told_;
  bool tls_ = false;
  std::uint16_t port_ = 0;
  /** As Avahi numbers them: those that the server listens at. */
  std::int32_t interface_ = 0;
  std::int32_t protocol_ = 0;
  std::string name_;
  std::vector<std::string> txt_;
  /** Path of the object that announces; empty while there is none. */
  std::string group_;
  /** The service is in the group. */
  bool added_ = false;
  /** Last: its callbacks use the rest. */
  AvahiDaemon daemon_;
};

}  // namespace elf
