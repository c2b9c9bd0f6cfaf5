// SPDX-License-Identifier: LGPL-2.1-or-later
// A client of elf-server, for programs that measure it.
#pragma once

#include <libsoup/soup.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "elf/wire/infer.h"

namespace elf::bench {

using Clock = std::chrono::steady_clock;
using Bytes = std::vector<std::uint8_t>;
using Milliseconds = std::chrono::duration<double, std::milli>;

inline double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

/** What one request took at the client, and what the server says of it; unset where it failed. */
struct Times {
  double client = 0;
  double decode = 0;
  double infer = 0;
};

/** One connection that is kept. */
class Client {
 public:
  /** `stream`: for the header Elf-Stream; empty: none. */
  Client(const std::string& server, const Bytes& picture, const std::string& stream = "")
      : url_(server + "/v2/models/simulated/infer"), stream_(stream), session_(soup_session_new()) {
    wire::InferRequest request;
    request.inputs.push_back(wire::encodedImage(picture));
    request.binaryOutputs = true;
    const wire::Message message = wire::encode(request);
    jsonLength_ = std::to_string(*message.jsonLength);
    body_ = g_bytes_new(message.body.data(), message.body.size());
  }
  ~Client() {
    g_bytes_unref(body_);
    g_object_unref(session_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  std::optional<Times> infer() {
    SoupMessage* message = soup_message_new("POST", url_.c_str());
    soup_message_headers_append(soup_message_get_request_headers(message),
                                "Inference-Header-Content-Length", jsonLength_.c_str());
    if (!stream_.empty())
      soup_message_headers_append(soup_message_get_request_headers(message), "Elf-Stream",
                                  stream_.c_str());
    soup_message_set_request_body_from_bytes(message, "application/octet-stream", body_);
    // Else libsoup makes a new connection for each POST.
    soup_message_add_flags(message, SOUP_MESSAGE_IDEMPOTENT);
    const Clock::time_point sent = Clock::now();
    GBytes* body = soup_session_send_and_read(session_, message, nullptr, nullptr);
    const double client = Milliseconds(Clock::now() - sent).count();
    std::optional<Times> times;
    const char* length = soup_message_headers_get_one(soup_message_get_response_headers(message),
                                                      "Inference-Header-Content-Length");
    if (body && soup_message_get_status(message) == SOUP_STATUS_OK && length) {
      gsize size = 0;
      const auto* data = static_cast<const std::uint8_t*>(g_bytes_get_data(body, &size));
      const auto response = wire::parseResponse({data, size}, std::stoul(length));
      if (response)
        times = {client, milliseconds(response.value(), "decode_us"),
                 milliseconds(response.value(), "infer_us")};
    }
    g_clear_pointer(&body, g_bytes_unref);
    g_object_unref(message);
    return times;
  }

 private:
  static double milliseconds(const wire::InferResponse& response, const char* name) {
    return static_cast<double>(std::get<std::int64_t>(response.parameters.at(name))) / 1000;
  }

  const std::string url_;
  const std::string stream_;
  SoupSession* const session_;
  std::string jsonLength_;
  GBytes* body_ = nullptr;
};

}  // namespace elf::bench
