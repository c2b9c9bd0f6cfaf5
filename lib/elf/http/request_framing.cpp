// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/http/request_framing.h"

#include <glib.h>

namespace elf {

const char* framingFault(SoupServerMessage* message) {
  int hosts = 0, lengths = 0, codings = 0;
  SoupMessageHeadersIter headers;
  soup_message_headers_iter_init(&headers, soup_server_message_get_request_headers(message));
  const char* name = nullptr;
  const char* value = nullptr;
  while (soup_message_headers_iter_next(&headers, &name, &value)) {
    const auto is = [name](const char* header) { return g_ascii_strcasecmp(name, header) == 0; };
    hosts += is("Host") ? 1 : 0;
    lengths += is("Content-Length") ? 1 : 0;
    codings += is("Transfer-Encoding") ? 1 : 0;
  }
  if (hosts > 1) return "Host: is there more than once";
  if (lengths > 1) return "Content-Length: is there more than once";
  if (codings > 1) return "Transfer-Encoding: is there more than once";
  if (lengths > 0 && codings > 0) return "Content-Length: is there beside Transfer-Encoding";
  return nullptr;
}

}  // namespace elf
