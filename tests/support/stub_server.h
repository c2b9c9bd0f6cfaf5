// SPDX-License-Identifier: LGPL-2.1-or-later
// An inference server that answers as the test says, in a thread of its own.
#pragma once

#include <libsoup/soup.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "elf/wire/detections.h"
#include "elf/wire/infer.h"
#include "elf/wire/metadata.h"

namespace elf::testing {

class StubServer {
 public:
  /** What goes back for an inference request; an empty header is not sent. */
  struct Reply {
    guint status = 200;
    std::vector<std::uint8_t> body;
    std::string jsonLength;
    /** Of a redirection. */
    std::string location{};
  };
  using Infer = std::function<Reply(const wire::InferRequest&)>;

  /** PEM files and a token; an empty one is not used. */
  struct Security {
    /** Certificate and key; with it the server speaks HTTPS, and nothing else. */
    std::string certificate;
    /** Clients must show a certificate that this authority has signed. */
    std::string clientCa;
    /** Any request without this bearer token is answered 401. */
    std::string token;
  };

  /** `infer` runs in the server's thread, for probes too. */
  explicit StubServer(Infer infer = good) : StubServer(std::move(infer), {}) {}
  explicit StubServer(const Security& security) : StubServer(good, security) {}
  StubServer(Infer infer, const Security& security)
      : infer_(std::move(infer)), token_(security.token) {
    context_ = g_main_context_new();
    loop_ = g_main_loop_new(context_, FALSE);
    std::mutex mutex;
    std::condition_variable started;
    thread_ = std::thread([&] {
      g_main_context_push_thread_default(context_);
      SoupServer* server = soup_server_new(nullptr, nullptr);
      secure(server, security);
      soup_server_add_handler(server, nullptr, handle, this, nullptr);
      const int https = security.certificate.empty() ? 0 : SOUP_SERVER_LISTEN_HTTPS;
      soup_server_listen_local(
          server, 0, static_cast<SoupServerListenOptions>(SOUP_SERVER_LISTEN_IPV4_ONLY | https),
          nullptr);
      GSList* uris = soup_server_get_uris(server);
      {
        const std::lock_guard lock(mutex);
        url_ = (https ? "https" : "http") + std::string("://127.0.0.1:") +
               std::to_string(g_uri_get_port(static_cast<GUri*>(uris->data)));
        started.notify_one();
      }
      g_slist_free_full(uris, reinterpret_cast<GDestroyNotify>(g_uri_unref));
      g_main_loop_run(loop_);
      for (SoupServerMessage* message : held_) g_object_unref(message);
      soup_server_disconnect(server);
      g_object_unref(server);
      g_main_context_pop_thread_default(context_);
    });
    std::unique_lock lock(mutex);
    started.wait(lock, [this] { return !url_.empty(); });
  }
  StubServer(const StubServer&) = delete;
  StubServer& operator=(const StubServer&) = delete;
  ~StubServer() {
    invoke([this] { g_main_loop_quit(loop_); });
    thread_.join();
    g_main_loop_unref(loop_);
    g_main_context_unref(context_);
  }

  /** Port and all; valid from the constructor on. */
  std::string url() const { return url_; }

  /** From now on inference requests wait until release(), probes excepted. */
  void hold() {
    const std::lock_guard lock(mutex_);
    holding_ = true;
  }
  /** Answers what waits, and holds no more. */
  void release() {
    invoke([this] {
      {
        const std::lock_guard lock(mutex_);
        holding_ = false;
      }
      for (SoupServerMessage* message : std::exchange(held_, {})) {
        answer(message);
        soup_server_message_unpause(message);
        g_object_unref(message);
      }
    });
  }
  /** Waits until so many inference requests have come since the start, probes left out. */
  void awaitRequests(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return requests_ >= count; });
  }
  int requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  /** A header of the inference request that came last, probes left out; "" without it. */
  std::string lastHeader(const char* name) {
    const std::lock_guard lock(mutex_);
    const auto found = lastHeaders_.find(name);
    return found == lastHeaders_.end() ? "" : found->second;
  }

  static bool isProbe(const wire::InferRequest& request) { return request.id.starts_with("probe"); }

  /** One detection whose score is the number in the middle of the id: that of the frame. */
  static Reply good(const wire::InferRequest& request) {
    wire::InferResponse response;
    response.model = "hog";
    response.id = request.id;
    Detection detection;
    detection.box = {0, 0, 1, 1};
    detection.score = std::stof(request.id.substr(request.id.find('.') + 1));
    response.outputs = wire::encodeDetections({{detection}});
    const wire::Message message = wire::encode(response);
    return {200, message.body, std::to_string(*message.jsonLength)};
  }

  /** Whether the server knows the model; set before it is asked. */
  bool hasModel = true;
  /** What it tells of the model and of itself, in JSON; without it is told what elf-server tells.
   * Set before it is asked. */
  std::string modelMetadata, serverMetadata;

 private:
  void invoke(std::function<void()> job) {
    GSource* source = g_idle_source_new();
    g_source_set_callback(
        source,
        [](gpointer data) -> gboolean {
          (*static_cast<std::function<void()>*>(data))();
          return G_SOURCE_REMOVE;
        },
        new std::function<void()>(std::move(job)),
        [](gpointer data) { delete static_cast<std::function<void()>*>(data); });
    g_source_attach(source, context_);
    g_source_unref(source);
  }

  static void secure(SoupServer* server, const Security& security) {
    if (!security.certificate.empty()) {
      GTlsCertificate* certificate =
          g_tls_certificate_new_from_file(security.certificate.c_str(), nullptr);
      soup_server_set_tls_certificate(server, certificate);
      g_object_unref(certificate);
    }
    if (!security.clientCa.empty()) {
      GTlsDatabase* authorities = g_tls_file_database_new(security.clientCa.c_str(), nullptr);
      soup_server_set_tls_database(server, authorities);
      soup_server_set_tls_auth_mode(server, G_TLS_AUTHENTICATION_REQUIRED);
      // GIO leaves it to servers to accept also what is good.
      g_signal_connect(server, "request-started",
                       G_CALLBACK(+[](SoupServer*, SoupServerMessage* message, gpointer) {
                         g_signal_connect(message, "accept-certificate",
                                          G_CALLBACK(acceptIfFlawless), nullptr);
                       }),
                       nullptr);
      g_object_unref(authorities);
    }
  }

  static gboolean acceptIfFlawless(SoupServerMessage*, GTlsCertificate*, GTlsCertificateFlags flaws,
                                   gpointer) {
    return flaws == 0;
  }

  static void handle(SoupServer*, SoupServerMessage* message, const char* path, GHashTable*,
                     gpointer data) {
    auto* self = static_cast<StubServer*>(data);
    SoupMessageHeaders* headers = soup_server_message_get_request_headers(message);
    const char* shown = soup_message_headers_get_one(headers, "Authorization");
    if (!self->token_.empty() && (!shown || shown != "Bearer " + self->token_))
      return soup_server_message_set_status(message, SOUP_STATUS_UNAUTHORIZED, nullptr);
    if (!g_str_has_suffix(path, "/infer")) return self->describe(message, path);
    if (isProbe(requestIn(message))) return self->answer(message);
    const std::lock_guard lock(self->mutex_);
    ++self->requests_;
    self->lastHeaders_.clear();
    soup_message_headers_foreach(
        headers,
        [](const char* name, const char* value, gpointer all) {
          (*static_cast<std::map<std::string, std::string>*>(all))[name] = value;
        },
        &self->lastHeaders_);
    self->changed_.notify_all();
    if (!self->holding_) return self->answer(message);
    self->held_.push_back(static_cast<SoupServerMessage*>(g_object_ref(message)));
    soup_server_message_pause(message);
  }

  void describe(SoupServerMessage* message, const char* path) const {
    const bool model = g_str_has_prefix(path, "/v2/models/");
    soup_server_message_set_status(message, model && !hasModel ? 404 : 200, nullptr);
    std::string body = model ? modelMetadata : serverMetadata;
    if (model && body.empty()) {
      wire::ModelMetadata metadata;
      metadata.name = "hog";
      metadata.platform = "stub";
      metadata.rules.emplace().labels = {"person"};
      body = wire::encodeMetadata(metadata);
    }
    if (!model || hasModel)
      soup_server_message_set_response(message, "application/json", SOUP_MEMORY_COPY, body.data(),
                                       body.size());
  }

  static wire::InferRequest requestIn(SoupServerMessage* message) {
    GBytes* bytes = soup_message_body_flatten(soup_server_message_get_request_body(message));
    gsize size = 0;
    const auto* data = static_cast<const std::uint8_t*>(g_bytes_get_data(bytes, &size));
    const char* length = soup_message_headers_get_one(
        soup_server_message_get_request_headers(message), "Inference-Header-Content-Length");
    const auto request = wire::parseRequest(
        {data, size}, length ? std::optional<std::size_t>(std::stoull(length)) : std::nullopt);
    g_bytes_unref(bytes);
    return request.value();
  }

  void answer(SoupServerMessage* message) const {
    const Reply reply = infer_(requestIn(message));
    soup_server_message_set_status(message, reply.status, nullptr);
    SoupMessageHeaders* headers = soup_server_message_get_response_headers(message);
    if (!reply.jsonLength.empty())
      soup_message_headers_append(headers, "Inference-Header-Content-Length",
                                  reply.jsonLength.c_str());
    if (!reply.location.empty())
      soup_message_headers_append(headers, "Location", reply.location.c_str());
    soup_server_message_set_response(message, "application/octet-stream", SOUP_MEMORY_COPY,
                                     reinterpret_cast<const char*>(reply.body.data()),
                                     reply.body.size());
  }

  const Infer infer_;
  const std::string token_;
  std::string url_;
  GMainContext* context_ = nullptr;
  GMainLoop* loop_ = nullptr;
  std::thread thread_;
  /** Of the server's thread. */
  std::vector<SoupServerMessage*> held_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool holding_ = false;
  int requests_ = 0;
  std::map<std::string, std::string> lastHeaders_;
};

}  // namespace elf::testing
