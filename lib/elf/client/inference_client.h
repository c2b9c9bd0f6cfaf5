// SPDX-License-Identifier: LGPL-2.1-or-later
// What an inference server can be asked, whatever the wire.
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
  /** Where the host in `url` is an address: the name that it stands for; empty: none. */
  std::string host = {};

  bool operator==(const ServerAddress&) const = default;
  /** Tells two names of one address apart. */
  std::string key() const { return host.empty() ? url : url + "#" + host; }
};

/** What a server is asked for. */
struct ModelVersion {
  std::string name;
  /** Empty: the server chooses. */
  std::string version = {};

  /** NAME, or NAME/versions/VERSION. */
  std::string path() const { return version.empty() ? name : name + "/versions/" + version; }
};

/** How a question ended. */
struct ServerReply {
  enum class Status {
    Ok,
    Unreachable,  ///< no whole reply came
    NotFound,     ///< there is no such model, or no such version of it
    Busy,         ///< the server has more to do than it can, and says when to come again
    Refused,      ///< the server takes the question for none, and might take another one
    Failed        ///< any other fault, as a reply that can't be read
  };

  Status status = Status::Ok;
  /** What is wrong, in one sentence without the URL; empty where nothing is. */
  std::string error = {};
  /** The server does not want to be asked again sooner. */
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
  /** Raw outputs of a network come back, which are larger than detections. */
  bool rawOutputs = false;
  /** W3C trace context of the call (elf/base/trace_id.h); empty: none. */
  std::string traceparent = {};
};

/**
 * Each function calls `done` exactly once, in the thread of `loop()`, unless the handle is
 * cancelled there. What comes is read before that, with no lock held; nothing in it is trusted.
 * There is no time limit. Any thread, also with the caller's locks held.
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
  /** `image`: what the model calls its picture. */
  virtual Handle askModelMetadata(const ServerAddress& server, const ModelVersion& model,
                                  const std::string& image, Done<ModelMetadataReply> done) = 0;
  /** A reply whose id is not that of the request has failed. */
  virtual Handle infer(const ServerAddress& server, const ModelVersion& model, InferenceCall call,
                       Done<InferenceReply> done) = 0;
};

}  // namespace elf
