// SPDX-License-Identifier: LGPL-2.1-or-later
// Which servers a stream has: URLs, the addresses of their names, and numbers that stay.
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
 * Numbers servers and endpoints. All servers of one URL are one endpoint: they live and die
 * together. A URL with a host name is one endpoint until the name has several addresses; each is an
 * endpoint of its own from then on (a headless service of Kubernetes): its URL has the address, and
 * its requests name the host. Of a name with addresses of both kinds those of IPv4 count, as most
 * such names are one machine.
 *
 * A number that is removed is kept for kKeptPlace, and is then given away. It looks nothing up and
 * asks nobody: it is told what happened, and says what is to be done. Not thread-safe.
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

  /** What is to be done, in this order. */
  struct Change {
    /** Endpoints that are not wanted any more. */
    std::vector<std::size_t> removed;
    /** Endpoints that are new, perhaps with the number of an older one. */
    std::vector<std::size_t> added;
    /** The one that was the only one of a name which has several now, all of them in `added`. */
    std::optional<std::size_t> divided;
    /** Servers that are new. */
    std::vector<int> servers;
    /** Endpoints that may be asked for the first time: their names have been looked up. */
    std::vector<std::size_t> ready;
    /** URLs whose host names are to be looked up. */
    std::vector<std::string> lookUp;
  };

  /** From now on these base URLs; one that stands here several times is several servers. */
  Change setUrls(std::vector<std::string> urls, Clock::time_point now, const InUse& inUse);
  /** The host name of a URL has these addresses; none: it can't be looked up, or not now. */
  Change setAddresses(const std::string& url, std::vector<std::string> addresses,
                      Clock::time_point now, const InUse& inUse);

  /** Whether it is a URL whose host is a name. */
  bool isName(const std::string& url) const { return nameOf(url) != nullptr; }
  /** Each name was looked up once. */
  bool lookedUp() const;
  /** By number; removed ones included. */
  const std::vector<Endpoint>& endpoints() const { return endpoints_; }
  const std::vector<Server>& servers() const { return servers_; }
  /** The first server of an endpoint. */
  int firstServer(std::size_t endpoint) const;

 private:
  struct Name {
    std::string url;
    /** Empty as long as it has never had several: then its URL is used as it is. */
    std::vector<std::string> addresses;
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
