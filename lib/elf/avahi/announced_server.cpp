// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/avahi/announced_server.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/base/network_address.h"

namespace elf {

namespace {

constexpr std::string_view kProtocol = "proto=v2";
constexpr std::string_view kTls = "tls=1";
constexpr std::string_view kModels = "models";
/** Of a string in a TXT record. */
constexpr std::size_t kLongestString = 255;
constexpr std::size_t kLongestHost = 253;

/** Without commas, and in ASCII. */
std::string escaped(const std::string& model) {
  return takeText(g_uri_escape_string(model.c_str(), nullptr, FALSE));
}

bool isHostName(const std::string& host) {
  const auto isPlain = [](char c) {
    return g_ascii_isalnum(c) || c == '-' || c == '.' || c == '_';
  };
  return !host.empty() && host.size() <= kLongestHost && g_ascii_isalnum(host.front()) &&
         std::ranges::all_of(host, isPlain) && !isAddress(host);
}

bool isOtherMachine(const std::string& address) {
  const Ref<GInetAddress> parsed(g_inet_address_new_from_string(address.c_str()));
  GInetAddress* one = parsed.get();
  return one && !g_inet_address_get_is_any(one) && !g_inet_address_get_is_loopback(one) &&
         !g_inet_address_get_is_multicast(one) &&
         !(g_inet_address_get_family(one) == G_SOCKET_FAMILY_IPV6 &&
           g_inet_address_get_is_link_local(one));
}

/** The value of a string `models=...` or `models2=...`; unset for any other. */
std::optional<std::string_view> modelsIn(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (!text.starts_with(kModels) || equals == text.npos) return std::nullopt;
  const std::string_view number = text.substr(kModels.size(), equals - kModels.size());
  const auto isDigit = [](char c) { return g_ascii_isdigit(c); };
  if (!std::ranges::all_of(number, isDigit)) return std::nullopt;
  return text.substr(equals + 1);
}

}  // namespace

bool AnnouncedServer::serves(const std::string& model) const {
  return models.contains(escaped(model));
}

std::string AnnouncedServer::url() const {
  const bool brackets = address.find(':') != std::string::npos;
  return std::string(tls ? "https://" : "http://") + (brackets ? "[" + address + "]" : address) +
         ":" + std::to_string(port);
}

std::vector<std::string> encodeTxt(const std::vector<std::string>& models, bool tls) {
  std::vector<std::string> strings{std::string(kProtocol)};
  if (tls) strings.emplace_back(kTls);
  int number = 1;
  std::string text;
  for (const std::string& model : models) {
    const std::string name = escaped(model);
    if (!text.empty() && text.size() + 1 + name.size() > kLongestString)
      strings.push_back(std::exchange(text, ""));
    if (!text.empty()) {
      text += ',' + name;
      continue;
    }
    text = std::string(kModels) + (number > 1 ? std::to_string(number) : "") + '=' + name;
    ++number;
    if (text.size() > kLongestString) throw Error(model, "the name is too long to be announced");
  }
  if (!text.empty()) strings.push_back(std::move(text));
  return strings;
}

std::optional<AnnouncedServer> readAnnouncement(const std::string& host, const std::string& address,
                                                std::uint16_t port,
                                                const std::vector<std::string>& txt) {
  const auto has = [&txt](std::string_view text) {
    return std::ranges::find(txt, text) != txt.end();
  };
  if (port == 0 || !has(kProtocol) || !isHostName(host) || !isOtherMachine(address))
    return std::nullopt;
  AnnouncedServer server{.host = host, .address = address, .port = port, .tls = has(kTls)};
  for (const std::string& text : txt) {
    std::string_view names = modelsIn(text).value_or("");
    while (!names.empty()) {
      const std::size_t end = std::min(names.find(','), names.size());
      server.models.emplace(names.substr(0, end));
      names.remove_prefix(std::min(end + 1, names.size()));
    }
  }
  return server;
}

bool AnnouncedServers::add(const Place& place) {
  return (places_.size() < kMostPlaces || places_.contains(place)) &&
         places_.emplace(place, std::nullopt).second;
}

void AnnouncedServers::set(const Place& place, std::optional<AnnouncedServer> server) {
  const auto known = places_.find(place);
  if (known != places_.end()) known->second = std::move(server);
}

std::vector<AnnouncedServer> AnnouncedServers::servers() const {
  std::map<std::string, std::pair<std::int32_t, const AnnouncedServer*>> best;
  for (const auto& [place, server] : places_) {
    if (!server) continue;
    // Places are in the order of their interfaces: the first one wins.
    const auto [known, isNew] = best.try_emplace(place.name, place.protocol, &*server);
    if (!isNew && place.protocol < known->second.first) known->second = {place.protocol, &*server};
  }
  std::vector<AnnouncedServer> servers;
  for (const auto& [name, found] : best) {
    if (servers.size() == kMostServers) break;
    if (std::ranges::find(servers, *found.second) == servers.end())
      servers.push_back(*found.second);
  }
  return servers;
}

}  // namespace elf
