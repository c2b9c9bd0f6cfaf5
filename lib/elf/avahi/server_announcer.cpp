// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/avahi/server_announcer.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <memory>
#include <utility>

#include "elf/avahi/announced_server.h"
#include "elf/avahi/service.h"
#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/base/network_address.h"

namespace elf {

namespace {

constexpr const char* kGroup = "EntryGroup";
constexpr const char* kCollision = "org.freedesktop.Avahi.CollisionError";
/** Of the name of a service, without its port. */
constexpr std::size_t kLongestHost = 50;
/** States of a group. */
constexpr gint32 kEstablished = 2;
constexpr gint32 kCollided = 3;
constexpr gint32 kFailed = 4;

/** The interface with that address; avahi::kAny if there is none. */
std::int32_t interfaceOf(GInetAddress* address) {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return avahi::kAny;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(all, freeifaddrs);
  for (const ifaddrs* each = all; each; each = each->ifa_next) {
    const int family = each->ifa_addr ? each->ifa_addr->sa_family : AF_UNSPEC;
    if (family != AF_INET && family != AF_INET6) continue;
    const Ref<GSocketAddress> socket(g_socket_address_new_from_native(
        each->ifa_addr, family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6)));
    if (g_inet_address_equal(
            address, g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(socket.get()))))
      return static_cast<std::int32_t>(if_nametoindex(each->ifa_name));
  }
  return avahi::kAny;
}

/** The first bytes of `text`, without half a letter at the end. */
std::string beginning(const std::string& text, std::size_t most) {
  if (text.size() <= most) return text;
  const char* end = g_utf8_find_prev_char(text.c_str(), text.c_str() + most + 1);
  return text.substr(0, static_cast<std::size_t>(end - text.c_str()));
}

}  // namespace

ServerAnnouncer::ServerAnnouncer(const std::string& url, const std::vector<std::string>& models,
                                 Tell listener)
    : tell_(std::move(listener)),
      daemon_({.up = [this] { begin(); },
               .down =
                   [this](const std::string& why) {
                     group_.clear();
                     added_ = false;
                     tell(false, why);
                   },
               .signal = [this](const std::string& path, const std::string& name,
                                GVariant* parameters) { onSignal(path, name, parameters); }}) {
  const Ref<GUri> uri(g_uri_parse(url.c_str(), G_URI_FLAGS_NONE, nullptr));
  const std::string host = g_uri_get_host(uri.get());
  if (isLoopback(host))
    throw Error("--announce", "other machines cannot reach " + host +
                                  " (--bind 0.0.0.0 listens at all interfaces)");
  tls_ = url.starts_with("https:");
  port_ = static_cast<std::uint16_t>(g_uri_get_port(uri.get()));
  const Ref<GInetAddress> address(g_inet_address_new_from_string(host.c_str()));
  // An address of IPv6 with the name of its interface is not one to GIO.
  const bool isIpv4 = address && g_inet_address_get_family(address.get()) == G_SOCKET_FAMILY_IPV4;
  const bool isAny = !address || g_inet_address_get_is_any(address.get());
  interface_ = isAny ? avahi::kAny : interfaceOf(address.get());
  // A socket of any IPv6 address takes IPv4, too.
  protocol_ = isIpv4 ? avahi::kIpv4 : isAny ? avahi::kAny : avahi::kIpv6;
  name_ = beginning(validUtf8(g_get_host_name()), kLongestHost) + ":" + std::to_string(port_);
  txt_ = encodeTxt(models, tls_);
}

ServerAnnouncer::~ServerAnnouncer() {
  if (!group_.empty()) daemon_.callAndWait(group_, kGroup, "Free");
}

void ServerAnnouncer::tell(bool announced, const std::string& what) {
  if (told_ == std::pair(announced, what)) return;
  told_ = {announced, what};
  tell_(announced, what);
}

void ServerAnnouncer::setModels(const std::vector<std::string>& models) {
  std::vector<std::string> txt = encodeTxt(models, tls_);
  if (txt == txt_) return;
  txt_ = std::move(txt);
  if (!added_) return;
  daemon_.call(group_, kGroup, "UpdateServiceTxt",
               g_variant_new("(iiusss@aay)", interface_, protocol_, 0U, name_.c_str(), avahi::kType,
                             avahi::kDomain, this->txt()),
               "()", [this](GVariant*, const GError* error) {
                 if (error) tell(false, avahi::reasonOf(error));
               });
}

GVariant* ServerAnnouncer::txt() const {
  GVariantBuilder strings;
  g_variant_builder_init(&strings, G_VARIANT_TYPE("aay"));
  for (const std::string& text : txt_)
    g_variant_builder_add_value(
        &strings, g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, text.data(), text.size(), 1));
  return g_variant_builder_end(&strings);
}

void ServerAnnouncer::begin() {
  daemon_.call("/", "Server", "EntryGroupNew", nullptr, "(o)",
               [this](GVariant* reply, const GError* error) {
                 if (error) return tell(false, avahi::reasonOf(error));
                 const char* path = nullptr;
                 g_variant_get(reply, "(&o)", &path);
                 group_ = path;
                 add();
               });
}

void ServerAnnouncer::add() {
  daemon_.call(group_, kGroup, "AddService",
               g_variant_new("(iiussssq@aay)", interface_, protocol_, 0U, name_.c_str(),
                             avahi::kType, avahi::kDomain, "", port_, txt()),
               "()", [this, group = group_](GVariant*, const GError* error) {
                 if (group != group_) return;
                 const Ref<gchar> kind(error ? g_dbus_error_get_remote_error(error) : nullptr);
                 if (kind && kind.get() == std::string(kCollision)) return rename();
                 if (error) return tell(false, avahi::reasonOf(error));
                 added_ = true;
                 commit();
               });
}

void ServerAnnouncer::commit() {
  daemon_.call(group_, kGroup, "Commit", nullptr, "()", [this](GVariant*, const GError* error) {
    if (error) tell(false, avahi::reasonOf(error));
  });
}

// Another service has the name.
void ServerAnnouncer::rename() {
  added_ = false;
  daemon_.call(group_, kGroup, "Reset", nullptr, "()");
  daemon_.call("/", "Server", "GetAlternativeServiceName", g_variant_new("(s)", name_.c_str()),
               "(s)", [this, group = group_](GVariant* reply, const GError* error) {
                 if (group != group_) return;
                 if (error) return tell(false, avahi::reasonOf(error));
                 const char* other = nullptr;
                 g_variant_get(reply, "(&s)", &other);
                 name_ = other;
                 add();
               });
}

void ServerAnnouncer::onSignal(const std::string& path, const std::string& name,
                               GVariant* parameters) {
  gint32 state = 0;
  const char* error = nullptr;
  if (path != group_ || name != "StateChanged" ||
      !g_variant_is_of_type(parameters, G_VARIANT_TYPE("(is)")))
    return;
  g_variant_get(parameters, "(i&s)", &state, &error);
  if (state == kEstablished) tell(true, name_);
  if (state == kCollided) rename();
  if (state == kFailed) tell(false, error);
}

}  // namespace elf
