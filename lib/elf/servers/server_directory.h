// SPDX-License-Identifier: LGPL-2.1-or-later
// The servers of a stream: URLs, the addresses of their names, and stable numbers.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "elf/client/inference_client.h"

namespace elf {

/**
 * Numbers servers and endpoints. All servers of one URL are one endpoint, and are up or down
 * together. A URL with a host name is one endpoint until the name has several addresses. Each
 * address is then an endpoint of its own (a headless service of Kubernetes): its URL has the
 * address, and its requests name the host. If a name has addresses of both kinds, only those of
 * IPv4 count, as most such names are one machine.
 *
 * kAnnounced and kAnnouncedInClear (server_url.h) are the servers that are announced, each an
 * endpoint of its own, or one endpoint with that URL while there are none.
 *
 * The number of a removed server is kept for kKeptPlace, and then reused. This class sends and
 * looks up nothing: the caller reports events, and makes the Change. Not thread-safe.
 */
class ServerDirectory {
 public:
  using Clock = std::chrono::steady_clock;
  /** Whether requests to an endpoint are under way: its number stays for their answers. */
  using InUse = std::function<bool(std::size_t endpoint)>;

  static constexpr std::chrono::milliseconds kKeptPlace{60000};

  struct Endpoint {
    ServerAddress address;
    /** It was in Change::ready. */
    bool begun = false;
    /** Unset while it is wanted. */
    std::optional<Clock::time_point> removed;
  };
  struct Server {
    std::size_t endpoint = 0;
    /** Its number among the servers of its endpoint. */
    int mention = 0;
    /** Unset while it is wanted. */
    std::optional<Clock::time_point> removed;
  };

  /** What the caller has to do, in this order. */
  struct Change {
    /** Endpoints that are no longer wanted. */
    std::vector<std::size_t> removed;
    /** New endpoints, perhaps with the number of an older one. */
    std::vector<std::size_t> added;
    /** The former only endpoint of a name which has several now, all of them in `added`. */
    std::optional<std::size_t> divided;
    /** New servers. */
    std::vector<int> servers;
    /** Endpoints that may be asked for the first time: their names have been looked up. */
    std::vector<std::size_t> ready;
    /** URLs whose host names are to be looked up, or which are to be browsed. */
    std::vector<std::string> lookUp;
  };

  /** Replaces the base URLs. One that is listed several times is several servers. */
  Change setUrls(std::vector<std::string> urls, Clock::time_point now, const InUse& inUse);
  /** The host name of a URL has these addresses; empty: the look-up failed. */
  Change setAddresses(const std::string& url, std::vector<std::string> addresses,
                      Clock::time_point now, const InUse& inUse);
  /** These servers are announced for kAnnounced or kAnnouncedInClear. */
  Change setAnnounced(const std::string& url, std::vector<ServerAddress> servers,
                      Clock::time_point now, const InUse& inUse);

  /** Whether this URL is looked up or browsed. */
  bool isName(const std::string& url) const { return nameOf(url) != nullptr; }
  /** Each name was looked up or browsed once. */
  bool lookedUp() const;
  /** Whether this endpoint is there only because it is announced. */
  bool announced(std::size_t endpoint) const;
  /** By number; removed ones included. */
  const std::vector<Endpoint>& endpoints() const { return endpoints_; }
  const std::vector<Server>& servers() const { return servers_; }
  /** The first server of an endpoint. */
  int firstServer(std::size_t endpoint) const;

 private:
  struct Name {
    std::string url;
    /** Empty until it has had several addresses, or while no server is announced: its URL is then
     * used as it is. */
    std::vector<ServerAddress> servers = {};
    bool lookedUp = false;
  };

  const Name* nameOf(const std::string& url) const;
  std::vector<ServerAddress> wanted() const;
  void matchWanted(Change& change, Clock::time_point now, const InUse& inUse);
  std::size_t addEndpoint(const ServerAddress& address, Change& change, Clock::time_point now,
                          const InUse& inUse);
  void addServer(const ServerAddress& address, int mention, Change& change, Clock::time_point now,
                 const InUse& inUse);

  std::vector<std::string> urls_;
  std::vector<Name> names_;
  std::vector<Endpoint> endpoints_;
  std::vector<Server> servers_;
};

}  // namespace elf
