// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/server_url.h"

#include <algorithm>
#include <utility>

#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/base/network_address.h"

namespace elf {

namespace {

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\n") - first + 1));
}

// A path keeps its escapes.
constexpr auto kFlags = G_URI_FLAGS_ENCODED;

Ref<GUri> parsed(std::string_view url, GError** error = nullptr) {
  return Ref<GUri>(g_uri_parse(std::string(url).c_str(), kFlags, error));
}

/** The fault of an entry of the list; empty if it has none. */
std::string faultOf(std::string_view url) {
  if (isAnnounced(url)) return "";
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    return "is not an http:// or https:// URL, avahi: or avahi+http:";
  if (url.find_first_of(" \t\n?#\"<>\\") != std::string_view::npos)
    return "has a character that no base URL has";
  GError* error = nullptr;
  const Ref<GUri> uri = parsed(url, &error);
  const Ref<GError> owner(error);
  const bool badPort = g_error_matches(error, G_URI_ERROR, G_URI_ERROR_BAD_PORT);
  if (!badPort && (!uri || !*g_uri_get_host(uri.get()))) return "has no host";
  // GLib takes a colon without a port, and 0.
  const std::string_view authority = url.substr(0, url.find('/', url.find("://") + 3));
  return badPort || g_uri_get_port(uri.get()) == 0 || authority.ends_with(':')
             ? "has a port that is not between 1 and 65535"
             : "";
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
    // Errors must not show a password, which may hold commas and slashes.
    const std::string_view rest = list.substr(entry);
    if ((!fault.empty() && rest.find('@') != rest.npos) ||
        (fault.empty() && !isAnnounced(url) && g_uri_get_userinfo(parsed(url).get())))
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

bool isAnnounced(std::string_view url) {
  return url == kAnnounced || url == kAnnouncedInClear;
}

void checkAnnounced(const std::vector<std::string>& urls, const ClientSecurity& security) {
  const auto has = [&urls](const char* url) { return std::ranges::find(urls, url) != urls.end(); };
  if (has(kAnnounced) && security.caFile.empty())
    throw Error("servers",
                "'avahi:' needs ca-file, as anybody can announce a server with a certificate that "
                "the system trusts (avahi+http: takes any server)");
  if (has(kAnnouncedInClear) && !security.tokenFile.empty())
    throw Error("servers",
                "'avahi+http:' would send the token in clear to anybody (avahi: takes servers that "
                "ca-file vouches for)");
}

std::string hostOf(std::string_view url) {
  return g_uri_get_host(parsed(url).get());
}

std::string withHost(std::string_view url, std::string_view address) {
  const Ref<GUri> uri = parsed(url);
  return takeText(g_uri_join(kFlags, g_uri_get_scheme(uri.get()), nullptr,
                             std::string(address).c_str(), g_uri_get_port(uri.get()),
                             g_uri_get_path(uri.get()), nullptr, nullptr));
}

bool goesInClear(std::string_view url) {
  return url != kAnnounced && !isHttpsOrThisMachine(std::string(url));
}

}  // namespace elf
