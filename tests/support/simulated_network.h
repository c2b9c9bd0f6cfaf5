// SPDX-License-Identifier: LGPL-2.1-or-later
// Servers and the links to them on a clock of their own: what they take is known exactly.
#pragma once

#include <algorithm>
#include <map>
#include <string>

#include "elf/server/image_decoder.h"
#include "elf/wire/detections.h"
#include "elf/wire/infer.h"
#include "elf/wire/metadata.h"
#include "tests/support/fake_transport.h"
#include "tests/support/json_length.h"

namespace elf::testing {

/** A FakeTransport whose servers reply by themselves as its clock is moved. Of one thread. */
class SimulatedNetwork : public FakeTransport {
 public:
  /** Sends and infers one request after the other. */
  struct Server {
    /** Seconds on the way: for a request, for a byte of its picture. */
    double latency = 0.001, perByte = 1e-8;
    /** Seconds of inference: for a request, for a pixel. */
    double perRequest = 0.005, perPixel = 2e-7;
    /** Whether it says how long it queued, decoded and inferred. */
    bool tells = true;
    /** Pixels are the only input that it takes. */
    bool onlyRaw = false;
    /** HTTP status of an answer to an inference request; 0: it never answers. */
    int status = 200;
    /** Inference requests so far. */
    int requests = 0;

    Clock::time_point linkFree{}, free{};
  };

  /** By URL. */
  std::map<std::string, Server> servers;

  Handle send(HttpRequest request, std::function<void(HttpReply)> done) override {
    Server& server = servers.at(request.url.substr(0, request.url.find("/v2")));
    HttpReply reply;
    Clock::time_point when = now();
    if (request.method == "GET") {
      reply = metadata(server);
      when += seconds(2 * server.latency);
    } else {
      ++server.requests;
      reply = infer(server, request, when);
    }
    const Handle handle = FakeTransport::send(std::move(request), std::move(done));
    if (reply.status != 0)
      at(when, [this, handle, reply] {
        if (requests.contains(handle)) this->reply(handle, reply);
      });
    return handle;
  }

 private:
  static Clock::duration seconds(double seconds) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }
  static std::int64_t microseconds(Clock::duration time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
  }

  static HttpReply metadata(const Server& server) {
    const wire::DataType type = server.onlyRaw ? wire::DataType::Uint8 : wire::DataType::Bytes;
    const std::string text =
        wire::encodeMetadata({.name = "hog", .inputs = {{"image", type}}, .rules = ModelRules{}});
    return {.status = 200, .body = {text.begin(), text.end()}};
  }

  HttpReply infer(Server& server, const HttpRequest& post, Clock::time_point& when) {
    const auto request = wire::parseRequest(joined(post.body), jsonLengthOf(post));
    const wire::Tensor& image = request.value().inputs.at(0);
    if (server.onlyRaw && image.type != wire::DataType::Uint8) return {.status = 400};
    const double pixels = decoder_.decode(image).value().size.area();
    server.linkFree = std::max(server.linkFree, now()) +
                      seconds(server.perByte * static_cast<double>(image.data.size()));
    const Clock::time_point arrival = server.linkFree + seconds(server.latency);
    const Clock::time_point begun = std::max(server.free, arrival);
    when = server.free = begun + seconds(server.perRequest + server.perPixel * pixels);
    wire::InferResponse response{.model = "hog", .id = request.value().id};
    response.outputs = wire::encodeDetections({});
    if (server.tells)
      response.parameters = {{"queue_us", microseconds(begun - arrival)},
                             {"decode_us", std::int64_t{0}},
                             {"infer_us", microseconds(when - begun)}};
    const wire::Message message = wire::encode(response);
    return {.status = server.status,
            .body = message.body,
            .jsonLength = std::to_string(*message.jsonLength)};
  }

  ImageDecoder decoder_;
};

}  // namespace elf::testing
