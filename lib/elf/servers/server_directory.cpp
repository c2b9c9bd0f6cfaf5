// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/server_directory.h"

#include <algorithm>
#include <map>
#include <utility>

#include "elf/base/network_address.h"
#include "elf/servers/server_url.h"

namespace elf {

namespace {

bool isIpv6(const std::string& address) {
  return address.find(':') != std::string::npos;
}

}  // namespace

ServerDirectory::Change ServerDirectory::setUrls(std::vector<std::string> urls,
                                                 Clock::time_point now, const InUse& inUse) {
  urls_ = std::move(urls);
  std::erase_if(names_, [this](const Name& name) {
    return std::ranges::find(urls_, name.url) == urls_.end();
  });
  Change change;
  for (const std::string& url : urls_) {
    if (isName(url) || (!isAnnounced(url) && isAddress(hostOf(url)))) continue;
    names_.push_back({.url = url});
    change.lookUp.push_back(url);
  }
  matchWanted(change, now, inUse);
  return change;
}

ServerDirectory::Change ServerDirectory::setAddresses(const std::string& url,
                                                      std::vector<std::string> addresses,
                                                      Clock::time_point now, const InUse& inUse) {
  Change change;
  const auto name = std::ranges::find(names_, url, &Name::url);
  if (name == names_.end()) return change;
  name->lookedUp = true;
  if (!std::ranges::all_of(addresses, isIpv6)) std::erase_if(addresses, isIpv6);
  std::ranges::sort(addresses);
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  if (name->servers.empty() && addresses.size() > 1)
    for (std::size_t i = 0; i < endpoints_.size(); ++i)
      if (!endpoints_[i].removed && endpoints_[i].address == ServerAddress{.url = url})
        change.divided = i;
  if (addresses.size() > 1 || (!addresses.empty() && !name->servers.empty())) {
    name->servers.clear();
    for (const std::string& address : addresses)
      name->servers.push_back({.url = withHost(url, address), .host = hostOf(url)});
  }
  matchWanted(change, now, inUse);
  return change;
}

ServerDirectory::Change ServerDirectory::setAnnounced(const std::string& url,
                                                      std::vector<ServerAddress> servers,
                                                      Clock::time_point now, const InUse& inUse) {
  Change change;
  const auto name = std::ranges::find(names_, url, &Name::url);
  if (name == names_.end()) return change;
  name->lookedUp = true;
  name->servers = std::move(servers);
  matchWanted(change, now, inUse);
  return change;
}

bool ServerDirectory::lookedUp() const {
  return std::ranges::all_of(names_, &Name::lookedUp);
}

bool ServerDirectory::announced(std::size_t endpoint) const {
  const auto has = [&](const Name& name) {
    return std::ranges::find(name.servers, endpoints_[endpoint].address) != name.servers.end();
  };
  return std::ranges::any_of(
             names_, [&](const Name& name) { return isAnnounced(name.url) && has(name); }) &&
         std::ranges::none_of(
             names_, [&](const Name& name) { return !isAnnounced(name.url) && has(name); });
}

int ServerDirectory::firstServer(std::size_t endpoint) const {
  const auto first = std::ranges::find_if(servers_, [&](const Server& server) {
    return server.endpoint == endpoint && server.mention == 0;
  });
  return static_cast<int>(first - servers_.begin());
}

const ServerDirectory::Name* ServerDirectory::nameOf(const std::string& url) const {
  const auto name = std::ranges::find(names_, url, &Name::url);
  return name == names_.end() ? nullptr : &*name;
}

std::vector<ServerAddress> ServerDirectory::wanted() const {
  std::vector<ServerAddress> wanted;
  for (const std::string& url : urls_) {
    const Name* name = nameOf(url);
    if (!name || name->servers.empty())
      wanted.push_back({.url = url});
    else
      wanted.insert(wanted.end(), name->servers.begin(), name->servers.end());
  }
  return wanted;
}

// Removes and adds servers until they match wanted().
void ServerDirectory::matchWanted(Change& change, Clock::time_point now, const InUse& inUse) {
  const std::vector<ServerAddress> addresses = wanted();
  std::map<std::string, int> counts, mentions;
  for (const ServerAddress& address : addresses) ++counts[address.key()];
  for (Server& server : servers_)
    if (!server.removed && server.mention >= counts[endpoints_[server.endpoint].address.key()])
      server.removed = now;
  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    if (endpoints_[i].removed || counts[endpoints_[i].address.key()] > 0) continue;
    endpoints_[i].removed = now;
    change.removed.push_back(i);
  }
  for (const ServerAddress& address : addresses)
    addServer(address, mentions[address.key()]++, change, now, inUse);

  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    Endpoint& endpoint = endpoints_[i];
    const Name* name = nameOf(endpoint.address.url);
    if (endpoint.removed || endpoint.begun || (name && !name->lookedUp)) continue;
    endpoint.begun = true;
    change.ready.push_back(i);
  }
}

void ServerDirectory::addServer(const ServerAddress& address, int mention, Change& change,
                                Clock::time_point now, const InUse& inUse) {
  const std::size_t endpoint = addEndpoint(address, change, now, inUse);
  const auto is = [&](const Server& server) {
    return server.endpoint == endpoint && server.mention == mention;
  };
  const auto free = [&](const Server& server) {
    return server.removed && now - *server.removed >= kKeptPlace && !inUse(server.endpoint);
  };
  auto place = std::ranges::find_if(servers_, is);
  if (place != servers_.end() && !place->removed) return;
  if (place == servers_.end()) place = std::ranges::find_if(servers_, free);
  if (place == servers_.end()) place = servers_.emplace(servers_.end());
  *place = {.endpoint = endpoint, .mention = mention, .removed = std::nullopt};
  change.servers.push_back(static_cast<int>(place - servers_.begin()));
}

// The endpoint of that address, in its old place if it had one.
std::size_t ServerDirectory::addEndpoint(const ServerAddress& address, Change& change,
                                         Clock::time_point now, const InUse& inUse) {
  const auto free = [&](const Endpoint& endpoint) {
    return endpoint.removed && (!endpoint.begun || now - *endpoint.removed >= kKeptPlace) &&
           !inUse(static_cast<std::size_t>(&endpoint - endpoints_.data()));
  };
  auto place = std::ranges::find(endpoints_, address, &Endpoint::address);
  const auto number = [&] { return static_cast<std::size_t>(place - endpoints_.begin()); };
  if (place != endpoints_.end() && !place->removed) return number();
  if (place == endpoints_.end()) place = std::ranges::find_if(endpoints_, free);
  if (place == endpoints_.end()) place = endpoints_.emplace(endpoints_.end());
  *place = {.address = address, .begun = false, .removed = std::nullopt};
  change.added.push_back(number());
  return number();
}

}  // namespace elf
