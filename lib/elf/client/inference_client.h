// SPDX-License-Identifier: LGPL-2.1-or-later
// The requests to an inference server, whatever the wire.
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "elf/client/event_loop.h"
#include "elf/wire/infer.h"
#include "elf/wire/metadata.h"

namespace elf {

/** Where a server is. */
struct ServerAddress {
  /** Base URL. */
  std::string url;
  /** If the host in `url` is an address, the name that it was looked up by; empty: none. */
  std::string host = {};

  bool operator==(const ServerAddress&) const = default;
  /** Tells two names of one address apart. */
  std::string key() const { return host.empty() ? url : url + "#" + host; }
};

/** The model of a request. */
struct ModelVersion {
  std::string name;
  /** Empty: the server chooses. */
  std::string version = {};

  /** NAME, or NAME/versions/VERSION. */
  std::string path() const { return version.empty() ? name : name + "/versions/" + version; }
};

/** The outcome of a request. */
struct ServerReply {
  enum class Status {
    Ok,
    Unreachable,  ///< no whole reply arrived
    NotFound,     ///< the server does not have this model, or this version of it
    Busy,         ///< the server is overloaded, and states when to ask again
    Refused,      ///< the server rejects this request, and might accept another one
    TooLarge,     ///< the same: the request has too many bytes for it, or for a gateway
    Failed        ///< any other fault, such as a reply that can't be read
  };

  Status status = Status::Ok;
  /** The error in one sentence without the URL; empty on success. */
  std::string error = {};
  /** The pause that the server asks for before the next request. */
  std::chrono::seconds retryAfter{0};

  bool ok() const { return status == Status::Ok; }
};

struct ServerMetadataReply : ServerReply {
  /** wire::takesBinary() and wire::mayTakeBinaryNumbers(). */
  bool takesBinary = true, mayTakeBinaryNumbers = true;
};

struct ModelMetadataReply : ServerReply {
  wire::ModelMetadata metadata = {};
};

struct InferenceReply : ServerReply {
  wire::InferResponse response = {};
};

struct InferenceCall {
  /** Without `inputs`. */
  wire::InferRequest request;
  /** The inputs; shared, not copied. */
  std::span<const wire::EncodedTensor> inputs;
  /** The reply has raw outputs of a network, which are larger than detections. */
  bool rawOutputs = false;
  /** The name of its stream, for servers that share turns between streams; empty: none. */
  std::string stream = {};
  /** W3C trace context of the call (elf/base/trace_id.h); empty: none. */
  std::string traceparent = {};
};

/**
 * Each function calls `done` exactly once, in the thread of `loop()`, unless the handle is
 * cancelled there. The reply is parsed before that, with no lock held, and nothing in it is
 * trusted. There is no time limit. Any thread, also with the caller's locks held.
 */
class InferenceClient {
 public:
  using Handle = EventLoop::Handle;
  template <typename Reply>
  using Done = std::function<void(const Reply&)>;

  virtual ~InferenceClient() = default;

  virtual EventLoop& loop() = 0;
  /** Whether the server is ready to infer. */
  virtual Handle askReadiness(const ServerAddress& server, Done<ServerReply> done) = 0;
  virtual Handle askServerMetadata(const ServerAddress& server, Done<ServerMetadataReply> done) = 0;
  /** `image`: the model's name for its picture. */
  virtual Handle askModelMetadata(const ServerAddress& server, const ModelVersion& model,
                                  const std::string& image, Done<ModelMetadataReply> done) = 0;
  /** A reply with another id than the request fails. */
  virtual Handle infer(const ServerAddress& server, const ModelVersion& model, InferenceCall call,
                       Done<InferenceReply> done) = 0;
};

}  // namespace elf
