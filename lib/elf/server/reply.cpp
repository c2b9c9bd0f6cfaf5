// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/reply.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "elf/base/glib.h"
#include "elf/base/printable.h"

namespace elf {

namespace {

constexpr const char* kRetrySeconds = "1";
/** Bytes. A smaller body fits into one or two packets anyway. */
constexpr std::size_t kWorthCompressing = 2048;

}  // namespace

Reply jsonReply(const std::string& text, guint status) {
  return {.status = status, .body = {text.begin(), text.end()}};
}

Reply errorReply(guint status, const std::string& why) {
  return jsonReply(nlohmann::json{{"error", printable(why)}}.dump(), status);
}

void compress(Reply& reply, ContentCoding accepted) {
  if (accepted == ContentCoding::Plain || reply.body.size() < kWorthCompressing) return;
  reply.body = deflate(reply.body, accepted);
  reply.coding = accepted;
}

void send(SoupServerMessage* message, Reply reply) {
  SoupMessageHeaders* headers = soup_server_message_get_response_headers(message);
  if (reply.jsonLength)
    soup_message_headers_replace(headers, "Inference-Header-Content-Length",
                                 std::to_string(*reply.jsonLength).c_str());
  if (reply.status == SOUP_STATUS_SERVICE_UNAVAILABLE)
    soup_message_headers_replace(headers, "Retry-After", kRetrySeconds);
  if (const char* coding = toString(reply.coding)) {
    soup_message_headers_replace(headers, "Content-Encoding", coding);
    soup_message_headers_replace(headers, "Vary", "Accept-Encoding");
  }
  soup_message_headers_replace(headers, "Content-Type", reply.type.c_str());
  for (const auto& [name, value] : reply.headers)
    soup_message_headers_replace(headers, name, value.c_str());
  soup_server_message_set_status(message, reply.status, nullptr);
  auto* body = new std::vector<std::uint8_t>(std::move(reply.body));
  const Ref<GBytes> bytes(g_bytes_new_with_free_func(
      body->data(), body->size(),
      [](gpointer freed) { delete static_cast<std::vector<std::uint8_t>*>(freed); }, body));
  soup_message_body_append_bytes(soup_server_message_get_response_body(message), bytes.get());
}

}  // namespace elf
