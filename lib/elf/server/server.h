// SPDX-License-Identifier: LGPL-2.1-or-later
// The Open Inference Protocol v2 over HTTP, in front of one model.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "elf/server/image_decoder.h"
#include "elf/server/inference_model.h"

namespace elf {

struct ServerOptions {
  /** Address of the interface to listen on; not a host name. */
  std::string bind = "127.0.0.1";
  /** 0: any free one. */
  std::uint16_t port = 0;
  /** Worker threads, each with a model of its own. */
  int threads = 1;
  /** Requests that wait for a worker; one more is answered with 503. */
  std::size_t queue = 16;
  /** Bytes of a request's body; more is answered with 413. */
  std::size_t maxBody = 64U << 20;
  /** Bytes of all bodies that are held at once; a request beyond is answered with 503. */
  std::size_t maxBuffered = 512U << 20;
  /**
   * A connection is closed where it takes longer from its last answer to the end of a request's
   * header, from there to the end of the body, or to take its answer.
   */
  std::chrono::milliseconds idle = std::chrono::seconds(60);
  /** Pixels of a picture; more is answered with 400. */
  std::int64_t maxPixels = ImageDecoder::kDefaultMaxPixels;
};

/** Called once for each worker thread, in the thread that makes the Server. */
using ModelFactory = std::function<std::unique_ptr<InferenceModel>()>;

/**
 * Listens from its constructor on. `GET /metrics` tells Prometheus what was counted since then. One
 * thread of its own does all networking, in a main context of its own; worker threads decode and
 * infer. All methods may be called from any thread.
 */
class Server {
 public:
  /** Throws elf::Error where a model cannot be made or the address cannot be listened on. */
  Server(const ModelFactory& factory, const ServerOptions& options);
  /** Stops with no patience for requests, but waits for what a model is running just then. */
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /** For instance "http://127.0.0.1:8000", without a slash at the end. */
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
