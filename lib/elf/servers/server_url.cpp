// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/server_url.h"

#include <algorithm>
#include <utility>

#include "elf/base/error.h"
#include "elf/base/network_address.h"

namespace elf {

namespace {

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\n") - first + 1));
}

/** Where the host of a URL begins, behind "://", and how long it is, brackets included. */
std::pair<std::size_t, std::size_t> hostRange(std::string_view url) {
  constexpr std::string_view kSeparator = "://";
  const std::size_t begin = url.find(kSeparator) + kSeparator.size();
  const std::string_view authority = url.substr(begin, url.find('/', begin) - begin);
  // The port is what follows the last colon outside of the brackets of an IPv6 address.
  const auto bracket = authority.rfind(']');
  const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  return {begin, std::min(colon, authority.size())};
}

bool isPort(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }) &&
         std::stoi(std::string(text)) >= 1 && std::stoi(std::string(text)) <= 65535;
}

/** What is wrong with an entry of the list; empty where nothing is. */
std::string faultOf(std::string_view url) {
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    return "is not an http:// or https:// URL";
  if (url.find_first_of(" \t\n?#\"<>\\") != std::string_view::npos)
    return "has a character that no base URL has";
  const auto [begin, length] = hostRange(url);
  if (length == 0) return "has no host";
  const std::string_view rest = url.substr(begin + length);
  if (!rest.starts_with(':')) return {};
  const std::string_view port = rest.substr(1, rest.find('/') - 1);
  return isPort(port) ? "" : "has a port that is not between 1 and 65535";
}

bool namesAUser(std::string_view url) {
  const std::size_t begin = url.find("://") + 3;
  return url.substr(begin, url.find('/', begin) - begin).find('@') != std::string_view::npos;
}

}  // namespace

std::vector<std::string> parseServers(std::string_view list) {
  std::vector<std::string> servers;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    std::string url = trimmed(list.substr(begin, end - begin));
    const std::size_t entry = std::exchange(begin, end + 1);
    if (url.empty()) continue;
    const std::string fault = faultOf(url);
    // A password belongs into no error, and may hold commas and slashes.
    const std::string_view rest = list.substr(entry);
    if ((!fault.empty() && rest.find('@') != rest.npos) || (fault.empty() && namesAUser(url)))
      throw Error("servers", "a user name stands before '" +
                                 trimmed(rest.substr(rest.rfind('@') + 1)) + "'; see token-file");
    if (!fault.empty()) throw Error("servers", "'" + url + "' " + fault);
    while (url.ends_with('/')) url.pop_back();
    servers.push_back(std::move(url));
  }
  if (servers.empty())
    throw Error("servers", "is empty; name at least one, such as http://127.0.0.1:8000");
  return servers;
}

std::string hostOf(std::string_view url) {
  const auto [begin, length] = hostRange(url);
  std::string_view host = url.substr(begin, length);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return std::string(host);
}

std::string withHost(std::string_view url, std::string_view address) {
  const auto [begin, length] = hostRange(url);
  const bool brackets = address.find(':') != std::string_view::npos;
  std::string made(url.substr(0, begin));
  made += brackets ? "[" + std::string(address) + "]" : std::string(address);
  made += url.substr(begin + length);
  return made;
}

bool goesInClear(std::string_view url) {
  const std::string host = hostOf(url);
  return url.starts_with("http://") && host != "localhost" && !isLoopback(host);
}

}  // namespace elf
