// SPDX-License-Identifier: LGPL-2.1-or-later
// Serves models by the Open Inference Protocol v2 over HTTP.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "elf/server/image_decoder.h"
#include "elf/server/inference_model.h"

namespace elf {

struct ServerOptions {
  /** Address of the interface to listen on, not a host name. */
  std::string bind = "127.0.0.1";
  /** 0: any free port. */
  std::uint16_t port = 0;
  /** A listening TCP socket to use instead of these, which the server closes. -1: none. */
  int socket = -1;
  /** All but / and /v2/health require it as `Authorization: Bearer`, else 401. Empty: no token. */
  std::string token;
  /** PEM files, both or none. With them the server speaks HTTPS only. */
  std::string tlsCert;
  std::string tlsKey;
  /** PEM file, only with tlsCert: clients must show a certificate that one of its authorities
   * vouches for. Empty: none. */
  std::string clientCa;
  /** Worker threads of each model, each with its own instance. */
  int threads = 1;
  /** The maximum number of requests that wait for a worker of their model. More: 503. */
  std::size_t queue = 16;
  /** The maximum number of open connections. A further one is closed. */
  std::size_t maxConnections = 512;
  /** The maximum bytes of a request's body, also when decompressed. More: 413. */
  std::size_t maxBody = 64U << 20;
  /** The maximum bytes of all received and waiting bodies. A request beyond: 503. */
  std::size_t maxBuffered = 512U << 20;
  /**
   * The time limit of each step of a connection: from its beginning or its last answer to the end
   * of a request's header, from there to the end of the body, and for receiving the answer. The
   * server closes a connection that exceeds it.
   */
  std::chrono::milliseconds idle = std::chrono::seconds(60);
  /** The maximum number of pixels of a picture. More: 400. */
  std::int64_t maxPixels = ImageDecoder::kDefaultMaxPixels;
  /**
   * Whether /status and the page at / show the last picture of each model and its detections to all
   * clients.
   */
  bool showAnswers = false;
  /**
   * Receives one JSON object, without an end of line, for each request that was answered or
   * abandoned (docs/server.md). Called in the network thread, which waits for it. Null: no log.
   */
  std::function<void(const std::string& line)> log;
  /** Called in the network thread at this interval, as a sign of life. Zero: never. */
  std::chrono::microseconds heartbeatInterval{};
  std::function<void()> heartbeat;
};

/** Makes one model. Called once for each of its worker threads, in the thread that makes or reloads
 * the Server. */
using ModelFactory = std::function<std::unique_ptr<InferenceModel>()>;

/**
 * Listens from its constructor on. `GET /metrics` reports the counts since then to Prometheus, and
 * the page at / shows them. One thread does all networking, in its own main context. Worker threads
 * decode and infer. All methods may be called from any thread.
 */
class Server {
 public:
  /**
   * Throws elf::Error if a model cannot be made, two models have the same name, a TLS file cannot
   * be used or comes without tlsCert, or the address cannot be listened on.
   */
  Server(const std::vector<ModelFactory>& models, const ServerOptions& options);
  /** Stops with no patience for requests, but waits for the running inferences. */
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /** For instance "http://127.0.0.1:8000", or https, without a trailing slash. */
  const std::string& url() const;

  /**
   * Serves these models from the next request on, with token, certificates, threads, queue,
   * showAnswers and log of `options`; the rest stays as it was. Requests whose header has arrived
   * end with the old ones; open connections keep their certificates. Returns when the new ones
   * serve. Throws as the constructor, also if only one of both has a tlsCert; then the old ones go
   * on serving. Neither from a callback of the server, nor beside or after stop().
   */
  void reload(const std::vector<ModelFactory>& models, const ServerOptions& options);

  /**
   * Answers waiting and new requests with 503, lets running ones finish for at most `patience`,
   * then closes all connections. False when `patience` ended first. A second call does nothing.
   */
  bool stop(std::chrono::milliseconds patience = std::chrono::seconds(5));

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace elf
