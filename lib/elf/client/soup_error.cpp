// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/client/soup_error.h"

#include <utility>

namespace elf {

std::string reasonOf(const GError* error, SoupMessage* message) {
  std::string reason = error->message;
  if (!g_error_matches(error, G_TLS_ERROR, G_TLS_ERROR_BAD_CERTIFICATE)) return reason;
  auto* flags = static_cast<GFlagsClass*>(g_type_class_ref(G_TYPE_TLS_CERTIFICATE_FLAGS));
  guint left = soup_message_get_tls_peer_certificate_errors(message);
  const char* separator = ": ";
  while (const GFlagsValue* flaw = left ? g_flags_get_first_value(flags, left) : nullptr) {
    reason += std::exchange(separator, ", ") + std::string(flaw->value_nick);
    left &= ~flaw->value;
  }
  g_type_class_unref(flags);
  return reason;
}

}  // namespace elf
