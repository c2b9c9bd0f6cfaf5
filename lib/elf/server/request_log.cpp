// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/request_log.h"

#include <gio/gio.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "elf/base/glib.h"
#include "elf/base/printable.h"
#include "elf/http/connections.h"

namespace elf {

namespace {

using Json = nlohmann::json;

/** Key of a request's record, on its message. */
constexpr const char* kRecord = "elf-record";

/** The peer's address. Empty if the peer has gone already. */
std::string peerOf(GSocket* socket) {
  const Ref<GSocketAddress> address(g_socket_get_remote_address(socket, nullptr));
  if (!address || !G_IS_INET_SOCKET_ADDRESS(address.get())) return {};
  return takeText(g_inet_address_to_string(
      g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(address.get()))));
}

std::string timeNow() {
  const Ref<GDateTime> now(g_date_time_new_now_utc());
  return takeText(g_date_time_format(now.get(), "%Y-%m-%dT%H:%M:%S.%fZ"));
}

}  // namespace

RequestRecord& recordOf(SoupServerMessage* message) {
  auto* record = static_cast<RequestRecord*>(g_object_get_data(G_OBJECT(message), kRecord));
  if (!record) {
    record = new RequestRecord;
    attach(message, kRecord, record);
  }
  return *record;
}

void startRecord(SoupServerMessage* message) {
  // Unknown once the peer has hung up.
  recordOf(message).peer = peerOf(soup_server_message_get_socket(message));
  const auto onWritten = [](SoupServerMessage* written, gpointer) {
    recordOf(written).answered = true;
  };
  g_signal_connect(message, "wrote-body", G_CALLBACK(+onWritten), nullptr);
}

std::string logLine(SoupServerMessage* message) {
  const RequestRecord& record = recordOf(message);
  GUri* uri = soup_server_message_get_uri(message);
  Json line = {{"time", timeNow()},
               {"peer", record.peer},
               {"method", printable(soup_server_message_get_method(message))},
               {"path", uri ? printable(g_uri_get_path(uri)) : ""},
               {"bytes_in", Connections::received(message)}};
  if (record.answered) {
    line["status"] = soup_server_message_get_status(message);
    line["bytes_out"] = soup_server_message_get_response_body(message)->length;
  } else {
    line["aborted"] = true;
  }
  if (!record.model.empty()) line["model"] = record.model;
  if (!record.id.empty()) line["id"] = printable(record.id);
  if (!record.stream.empty()) line["stream"] = printable(record.stream);
  if (!record.trace.empty()) line["trace"] = record.trace;
  if (record.times) {
    line["queue_us"] = record.times->queue.count();
    line["decode_us"] = record.times->decode.count();
    line["infer_us"] = record.times->infer.count();
  }
  return line.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace elf
