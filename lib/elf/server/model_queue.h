// SPDX-License-Identifier: LGPL-2.1-or-later
// One model of a server: the requests that wait for it, and its workers. Not installed.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "elf/base/mutex.h"
#include "elf/server/image_decoder.h"
#include "elf/server/last_picture.h"
#include "elf/server/metrics.h"
#include "elf/server/reply.h"
#include "elf/server/server.h"
#include "elf/wire/infer.h"
#include "elf/wire/metadata.h"

namespace elf {

/** How a request for inference ended. */
struct InferOutcome {
  Reply reply;
  /** As the request has it; empty where it was not read. */
  std::string id;
  InferTimes times;
};

struct InferJob {
  std::vector<std::uint8_t> body;
  /** How `body` is compressed, and how the answer may be. */
  ContentCoding coding = ContentCoding::Plain;
  ContentCoding accepted = ContentCoding::Plain;
  std::optional<std::size_t> jsonLength;
  std::chrono::steady_clock::time_point received;
  /** Whether nobody waits for the answer any more. Called in a worker. */
  std::function<bool()> abandoned;
  /** Called once, from any thread, with no lock held. */
  std::function<void(InferOutcome)> done;
};

struct QueueLoad {
  /** Requests that no worker has taken yet. */
  std::size_t waiting = 0;
  /** Workers that have one, of all. */
  std::size_t busy = 0;
  std::size_t workers = 0;
};

/** All functions may be called from any thread. */
class ModelQueue {
 public:
  /** Throws elf::Error where the model cannot be made. `options` and `metrics` outlive this. */
  ModelQueue(const ModelFactory& factory, const ServerOptions& options, ServerMetrics& metrics);
  /** Waits for what the model is running just then. */
  ~ModelQueue();
  ModelQueue(const ModelQueue&) = delete;
  ModelQueue& operator=(const ModelQueue&) = delete;

  static constexpr const char* kVersion = "1";
  const wire::ModelMetadata& metadata() const { return metadata_; }
  ModelMetrics& metrics() { return metrics_; }
  QueueLoad load();
  /** Null where answers are not shown, or none has been given. */
  std::shared_ptr<const ShownAnswer> shown() const;

  /** Queues the job, or ends it at once where there is no room or the queue has been stopped. */
  void put(InferJob job);
  /** Ends what waits. The workers end with what they are running. */
  void stop();

 private:
  /** A job that a worker has taken. */
  struct Task {
    InferJob job;
    wire::InferRequest request = {};
    /** Unset where the request was refused: `outcome` is its end. */
    std::optional<PlacedPicture> picture = std::nullopt;
    /** How long it may wait; zero: for ever. */
    std::chrono::microseconds timeout{};
    InferOutcome outcome = {};
    /** When it had been read. */
    std::chrono::steady_clock::time_point ready = {};

    std::optional<Size> size() const {
      return picture ? std::optional(picture->bgr.size) : std::nullopt;
    }
  };

  void runWorker(InferenceModel& model);
  std::vector<Task> take() ELF_REQUIRES(mutex_);
  /** Reads the request. Its picture is valid until the decoder reads the next. */
  void prepare(Task& task, ImageDecoder& decoder);
  std::optional<Reply> read(Task& task, ImageDecoder& decoder);
  void refuseIfLate(Task& task);
  /** Why it is not worth running any more. */
  std::optional<Reply> lateness(const Task& task);
  /** Runs the model on all, whose pictures are of one size. */
  void infer(std::span<Task> tasks, InferenceModel& model);
  Reply answer(const Task& task, const Result<std::vector<Detection>>& found,
               const InferenceModel& model) const;
  void end(InferJob& job, InferOutcome outcome);

  const ServerOptions& options_;
  std::vector<std::unique_ptr<InferenceModel>> models_;
  /** Most jobs that a worker takes at once. */
  const std::size_t maxBatch_;
  const wire::ModelMetadata metadata_;
  ModelMetrics metrics_;
  /** Unset where answers are not shown. */
  std::optional<LastPicture> picture_;

  // Held for moments only, never while calling out.
  Mutex mutex_;
  ConditionVariable wakeWorkers_;
  std::deque<InferJob> queue_ ELF_GUARDED_BY(mutex_);
  /** Workers without a job, from the first moment on. */
  std::size_t idle_ ELF_GUARDED_BY(mutex_) = 0;
  bool stopping_ ELF_GUARDED_BY(mutex_) = false;

  std::vector<std::thread> workers_;
};

}  // namespace elf
