// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/client/http_inference_client.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "elf/base/printable.h"

namespace elf {

namespace {

/** Longest reply about health, the server or a model, in bytes. */
constexpr std::size_t kLongestDescription = std::size_t{1} << 20;

/** The text of a reply other than 200, short enough for a message. */
std::string reasonOf(const HttpReply& reply) {
  if (reply.status == 0) return reply.error;
  const std::string text = "HTTP status " + std::to_string(reply.status);
  const std::string body =
      printable({reinterpret_cast<const char*>(reply.body.data()), reply.body.size()});
  return body.empty() ? text : text + ", " + body;
}

HttpRequest get(const ServerAddress& server, const std::string& path) {
  return {.url = server.url + path, .host = server.host, .longestReply = kLongestDescription};
}

ServerReply::Status statusOf(const HttpReply& reply) {
  using enum ServerReply::Status;
  switch (reply.status) {
    case 0:
      return Unreachable;
    case 200:
      return Ok;
    case 404:
      return NotFound;
    case 413:
      return TooLarge;
    case 429:  // a gateway limits the rate
    case 503:
      return reply.retryAfter.count() > 0 ? Busy : Failed;
    case 401:  // any request needs another token
    case 403:
      return Failed;
    default:
      return reply.status >= 400 ? Refused : Failed;
  }
}

ServerReply outcomeOf(const HttpReply& reply) {
  return {.status = statusOf(reply),
          .error = reply.status == 200 ? std::string() : reasonOf(reply),
          .retryAfter = reply.retryAfter};
}

void fail(ServerReply& reply, const std::string& error) {
  reply.status = ServerReply::Status::Failed;
  reply.error = error;
}

Result<wire::InferResponse> responseOf(const HttpReply& reply, const std::string& id,
                                       bool rawOutputs) {
  using Response = Result<wire::InferResponse>;
  std::optional<std::size_t> jsonLength;
  if (!reply.jsonLength.empty()) {
    const bool digits =
        std::ranges::all_of(reply.jsonLength, [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || reply.jsonLength.size() > 12)
      return Response::failure("Inference-Header-Content-Length: not a number");
    jsonLength = std::stoull(reply.jsonLength);
  }
  auto response = wire::parseResponse(reply.body, jsonLength,
                                      rawOutputs ? wire::kMostNumbers : wire::kMostValues);
  if (response && response.value().id != id)
    return Response::failure("answers request '" + printable(response.value().id, 64) +
                             "' where '" + id + "' was asked");
  return response;
}

}  // namespace

InferenceClient::Handle HttpInferenceClient::askReadiness(const ServerAddress& server,
                                                          Done<ServerReply> done) {
  return transport_.send(
      get(server, "/v2/health/ready"),
      [done = std::move(done)](const HttpReply& reply) { done(outcomeOf(reply)); });
}

InferenceClient::Handle HttpInferenceClient::askServerMetadata(const ServerAddress& server,
                                                               Done<ServerMetadataReply> done) {
  return transport_.send(get(server, "/v2"), [done = std::move(done)](const HttpReply& reply) {
    const bool ok = reply.status == 200;
    done({outcomeOf(reply), !ok || wire::takesBinary(reply.body),
          !ok || wire::mayTakeBinaryNumbers(reply.body)});
  });
}

InferenceClient::Handle HttpInferenceClient::askModelMetadata(const ServerAddress& server,
                                                              const ModelVersion& model,
                                                              const std::string& image,
                                                              Done<ModelMetadataReply> done) {
  return transport_.send(get(server, "/v2/models/" + model.path()),
                         [done = std::move(done), image](const HttpReply& reply) {
                           ModelMetadataReply told{outcomeOf(reply)};
                           if (told.ok()) {
                             auto metadata = wire::parseMetadata(reply.body, image);
                             if (metadata)
                               told.metadata = std::move(metadata.value());
                             else
                               fail(told, metadata.error());
                           }
                           done(told);
                         });
}

InferenceClient::Handle HttpInferenceClient::infer(const ServerAddress& server,
                                                   const ModelVersion& model, InferenceCall call,
                                                   Done<InferenceReply> done) {
  wire::SharedMessage message = wire::encode(call.request, call.inputs);
  HttpRequest post;
  post.method = "POST";
  post.url = server.url + "/v2/models/" + model.path() + "/infer";
  post.host = server.host;
  post.body = std::move(message.body);
  if (call.rawOutputs) post.longestReply = kLongestRawReply;
  if (message.jsonLength)
    post.headers.emplace_back("Inference-Header-Content-Length",
                              std::to_string(*message.jsonLength));
  else
    post.contentType = "application/json";
  if (!call.stream.empty()) post.headers.emplace_back("Elf-Stream", call.stream);
  if (!call.traceparent.empty()) post.headers.emplace_back("traceparent", call.traceparent);
  return transport_.send(std::move(post), [done = std::move(done), id = call.request.id,
                                           rawOutputs = call.rawOutputs](const HttpReply& reply) {
    InferenceReply answer{outcomeOf(reply)};
    if (answer.ok()) {
      auto response = responseOf(reply, id, rawOutputs);
      if (response)
        answer.response = std::move(response.value());
      else
        fail(answer, response.error());
    }
    done(answer);
  });
}

}  // namespace elf
