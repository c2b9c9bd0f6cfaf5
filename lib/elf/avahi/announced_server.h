// SPDX-License-Identifier: LGPL-2.1-or-later
// Servers that announce themselves on the local network, as the service _elf._tcp of DNS-SD.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace elf {

/** A server as it announces itself. Anybody on the network may announce anything. */
struct AnnouncedServer {
  /** Its host name, such as "gpu1.local", and an address of it. */
  std::string host;
  std::string address;
  std::uint16_t port = 0;
  /** It speaks HTTPS only. */
  bool tls = false;
  /** The names of its models, as in the TXT record. */
  std::set<std::string> models = {};

  bool operator==(const AnnouncedServer&) const = default;
  bool serves(const std::string& model) const;
  /** Its base URL, with the address. */
  std::string url() const;
};

/** What is announced at the moment. */
struct Announced {
  std::vector<AnnouncedServer> servers = {};
  /** Why nothing is known about that; empty if it is. */
  std::string fault = {};
};

/**
 * The strings of a TXT record (RFC 6763): `proto=v2`, `tls=1` with TLS, and the escaped names of
 * the models, separated by commas, in `models=`, and in `models2=` and so on where a string would
 * exceed 255 bytes. Throws elf::Error naming a model whose name alone does.
 */
std::vector<std::string> encodeTxt(const std::vector<std::string>& models, bool tls);

/**
 * Reads what was announced. Unset if no server can be asked there: another protocol, no port, a
 * host that is not a name, an address that is not one of another machine, or one of IPv6 that
 * means nothing without an interface.
 */
std::optional<AnnouncedServer> readAnnouncement(const std::string& host, const std::string& address,
                                                std::uint16_t port,
                                                const std::vector<std::string>& txt);

/**
 * The announcements that a browser has seen. A service is seen in several places, and is one server
 * all the same: at an address of IPv4 if it has one.
 */
class AnnouncedServers {
 public:
  /** Further ones are ignored, so that nobody can flood a client. */
  static constexpr std::size_t kMostPlaces = 256;
  static constexpr std::size_t kMostServers = 64;

  struct Place {
    /** As Avahi numbers them: the interface of the network, and 0 for IPv4, 1 for IPv6. */
    std::int32_t interface = 0;
    std::int32_t protocol = 0;
    /** The name of the service. */
    std::string name;

    auto operator<=>(const Place&) const = default;
  };

  /** False if it is known, or there are too many. */
  bool add(const Place& place);
  /** What the service is there; unset: nothing that can be used. Ignores an unknown place. */
  void set(const Place& place, std::optional<AnnouncedServer> server);
  void remove(const Place& place) { places_.erase(place); }
  void clear() { places_.clear(); }
  bool contains(const Place& place) const { return places_.contains(place); }
  /** Each server once. */
  std::vector<AnnouncedServer> servers() const;

 private:
  std::map<Place, std::optional<AnnouncedServer>> places_;
};

}  // namespace elf
