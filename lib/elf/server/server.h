// SPDX-License-Identifier: LGPL-2.1-or-later
// The Open Inference Protocol v2 over HTTP, in front of models.
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
  /** Address of the interface to listen on; not a host name. */
  std::string bind = "127.0.0.1";
  /** 0: any free one. */
  std::uint16_t port = 0;
  /** What all but / and /v2/health wants as `Authorization: Bearer`; else 401. Empty: nothing. */
  std::string token;
  /** Files in PEM format, both or none; with them the server speaks HTTPS only. */
  std::string tlsCert;
  std::string tlsKey;
  /** Also PEM, only with tlsCert: clients must show a certificate that one of these vouches for.
   * Empty: none. */
  std::string clientCa;
  /** Worker threads of each model, each with a model of its own. */
  int threads = 1;
  /** Requests that wait for a worker of their model; one more is answered with 503. */
  std::size_t queue = 16;
  /** Connections that are open at once; one more is closed. */
  std::size_t maxConnections = 512;
  /** Bytes of a request's body, decompressed as well; more is answered with 413. */
  std::size_t maxBody = 64U << 20;
  /** Bytes of all bodies that are received and wait; a request beyond is answered with 503. */
  std::size_t maxBuffered = 512U << 20;
  /**
   * A connection is closed where it takes longer from its beginning or its last answer to the end
   * of a request's header, from there to the end of the body, or to take its answer.
   */
  std::chrono::milliseconds idle = std::chrono::seconds(60);
  /** Pixels of a picture; more is answered with 400. */
  std::int64_t maxPixels = ImageDecoder::kDefaultMaxPixels;
  /**
   * Whether /status and the page at / show the last picture of each model and what was found there,
   * to all who are served.
   */
  bool showAnswers = false;
  /**
   * Gets one JSON object, without an end of line, for each request that was answered or given up
   * (docs/server.md). Called in the network thread, which waits for it. Null: nobody.
   */
  std::function<void(const std::string& line)> log;
};

/** Makes one model. Called once for each of its worker threads, in the thread that makes the
 * Server. */
using ModelFactory = std::function<std::unique_ptr<InferenceModel>()>;

/**
 * Listens from its constructor on. `GET /metrics` tells Prometheus what was counted since then, and
 * the page at / a person. One thread of its own does all networking, in a main context of its own;
 * worker threads decode and infer. All methods may be called from any thread.
 */
class Server {
 public:
  /**
   * Throws elf::Error where a model cannot be made, two have the same name, a file of TLS cannot be
   * used or is given without tlsCert, or the address cannot be listened on.
   */
  Server(const std::vector<ModelFactory>& models, const ServerOptions& options);
  /** Stops with no patience for requests, but waits for what the models are running just then. */
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /** For instance "http://127.0.0.1:8000", or https, without a slash at the end. */
  const std::string& url() const;

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
