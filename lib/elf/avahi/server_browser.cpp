// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/avahi/server_browser.h"

#include <optional>
#include <utility>
#include <vector>

#include "elf/avahi/service.h"
#include "elf/base/glib.h"

namespace elf {

namespace {

/** Each string of a TXT record, which may hold any bytes. */
std::vector<std::string> stringsOf(GVariant* array) {
  std::vector<std::string> strings;
  for (gsize i = 0; i < g_variant_n_children(array); ++i) {
    const Ref<GVariant> text(g_variant_get_child_value(array, i));
    gsize size = 0;
    const void* bytes = g_variant_get_fixed_array(text.get(), &size, 1);
    strings.emplace_back(static_cast<const char*>(bytes), size);
  }
  return strings;
}

}  // namespace

ServerBrowser::ServerBrowser(Changed changed, std::shared_ptr<void> held)
    : changed_(std::move(changed)),
      daemon_({.up = [this] { browse(); },
               .down =
                   [this](const std::string& why) {
                     servers_.clear();
                     resolvers_.clear();
                     // What was known before holds.
                     if (!std::exchange(complete_, false)) changed_({.fault = why});
                   },
               .signal = [this](const std::string&, const std::string& name,
                                GVariant* parameters) { onSignal(name, parameters); }},
              std::move(held)) {}

void ServerBrowser::browse() {
  daemon_.call("/", "Server", "ServiceBrowserNew",
               g_variant_new("(iissu)", avahi::kAny, avahi::kAny, avahi::kType, avahi::kDomain, 0U),
               "(o)", [this](GVariant*, const GError* error) {
                 if (error) changed_({.fault = avahi::reasonOf(error)});
               });
}

void ServerBrowser::onSignal(const std::string& name, GVariant* parameters) {
  if (name == "Found") return onFound(parameters);
  if (name == "AllForNow") {
    complete_ = true;
    return report();
  }
  if ((name != "ItemNew" && name != "ItemRemove") ||
      !g_variant_is_of_type(parameters, G_VARIANT_TYPE("(iisssu)")))
    return;
  AnnouncedServers::Place place;
  const char* service = nullptr;
  g_variant_get(parameters, "(ii&s&s&su)", &place.interface, &place.protocol, &service, nullptr,
                nullptr, nullptr);
  place.name = service;
  name == "ItemNew" ? add(place) : remove(place);
}

void ServerBrowser::add(const AnnouncedServers::Place& place) {
  if (!servers_.add(place)) return;
  // An IPv4 address from those who announce over IPv4, and so on.
  daemon_.call("/", "Server", "ServiceResolverNew",
               g_variant_new("(iisssiu)", place.interface, place.protocol, place.name.c_str(),
                             avahi::kType, avahi::kDomain, place.protocol, 0U),
               "(o)", [this, place](GVariant* reply, const GError*) {
                 if (!reply) return;
                 const char* path = nullptr;
                 g_variant_get(reply, "(&o)", &path);
                 if (!servers_.contains(place) || !resolvers_.try_emplace(place, path).second)
                   daemon_.call(path, "ServiceResolver", "Free", nullptr, "()");
               });
}

void ServerBrowser::remove(const AnnouncedServers::Place& place) {
  servers_.remove(place);
  if (const auto resolver = resolvers_.extract(place))
    daemon_.call(resolver.mapped(), "ServiceResolver", "Free", nullptr, "()");
  report();
}

void ServerBrowser::onFound(GVariant* parameters) {
  if (!g_variant_is_of_type(parameters, G_VARIANT_TYPE("(iissssisqaayu)"))) return;
  AnnouncedServers::Place place;
  const char *service = nullptr, *host = nullptr, *address = nullptr;
  guint16 port = 0;
  GVariant* txt = nullptr;
  g_variant_get(parameters, "(ii&s&s&s&si&sq@aayu)", &place.interface, &place.protocol, &service,
                nullptr, nullptr, &host, nullptr, &address, &port, &txt, nullptr);
  const Ref<GVariant> owner(txt);
  place.name = service;
  servers_.set(place, readAnnouncement(host, address, port, stringsOf(txt)));
  report();
}

void ServerBrowser::report() {
  if (complete_) changed_({.servers = servers_.servers()});
}

}  // namespace elf
