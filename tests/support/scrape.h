// SPDX-License-Identifier: LGPL-2.1-or-later
// Asks an endpoint of this machine for its metrics, as Prometheus does.
#pragma once

#include <gio/gio.h>
#include <libsoup/soup.h>

#include <cstdint>
#include <string>

namespace elf::testing {

/** A port of this machine that is free at the moment. */
inline std::uint16_t freePort() {
  GSocketListener* listener = g_socket_listener_new();
  const std::uint16_t port = g_socket_listener_add_any_inet_port(listener, nullptr, nullptr);
  g_object_unref(listener);
  return port;
}

struct Scrape {
  /** 0 if there is no answer. */
  guint status = 0;
  std::string type;
  std::string text;
};

inline Scrape scrape(int port, const char* path = "/metrics", const char* verb = "GET") {
  SoupSession* session = soup_session_new();
  SoupMessage* message =
      soup_message_new(verb, ("http://127.0.0.1:" + std::to_string(port) + path).c_str());
  GBytes* body = soup_session_send_and_read(session, message, nullptr, nullptr);
  Scrape got;
  if (body) {
    gsize size = 0;
    const auto* data = static_cast<const char*>(g_bytes_get_data(body, &size));
    got.status = soup_message_get_status(message);
    if (size > 0) got.text.assign(data, size);
    const char* type =
        soup_message_headers_get_one(soup_message_get_response_headers(message), "Content-Type");
    got.type = type ? type : "";
    g_bytes_unref(body);
  }
  g_object_unref(message);
  g_object_unref(session);
  return got;
}

}  // namespace elf::testing
