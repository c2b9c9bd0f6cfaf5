// SPDX-License-Identifier: LGPL-2.1-or-later
// A server's model, with its queue of requests, in which streams take turns, and its workers. Not
// installed.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "elf/base/mutex.h"
#include "elf/server/image_decoder.h"
#include "elf/server/infer_job.h"
#include "elf/server/last_picture.h"
#include "elf/server/metrics.h"
#include "elf/server/reply.h"
#include "elf/server/server.h"
#include "elf/server/turns.h"
#include "elf/wire/infer.h"
#include "elf/wire/metadata.h"

namespace elf {

struct QueueLoad {
  /** Requests that no worker has taken yet. */
  std::size_t waiting = 0;
  /** Workers with a request, and all workers. */
  std::size_t busy = 0;
  std::size_t workers = 0;
};

/** All functions may be called from any thread. */
class ModelQueue {
 public:
  /** Throws elf::Error if the model cannot be made. `options` and `metrics` must outlive this. */
  ModelQueue(const ModelFactory& factory, const ServerOptions& options, ServerMetrics& metrics);
  /** Waits for the running inferences. */
  ~ModelQueue();
  ModelQueue(const ModelQueue&) = delete;
  ModelQueue& operator=(const ModelQueue&) = delete;

  static constexpr const char* kVersion = "1";
  const wire::ModelMetadata& metadata() const { return metadata_; }
  ModelMetrics& metrics() const { return metrics_; }
  QueueLoad load();
  /** Null if answers are not shown, or before the first one. */
  std::shared_ptr<const ShownAnswer> shown() const;

  /** Queues the job. Ends it at once if the queue is stopped. If there is no room, ends this one,
   * or one of the stream with the most. */
  void put(InferJob job);
  /** Ends the waiting jobs. Each worker ends after its current ones. */
  void stop();
  /** Waits for these, too. One thread at a time. */
  void end();

 private:
  /** A job that a worker has taken. */
  struct Task {
    InferJob job;
    wire::InferRequest request = {};
    /** Unset if the request was refused: `outcome` states why. */
    std::optional<PlacedPicture> picture = std::nullopt;
    /** The time limit of its wait. Zero: none. */
    std::chrono::microseconds timeout{};
    InferOutcome outcome = {};
    /** When the request had been read. */
    std::chrono::steady_clock::time_point ready = {};

    std::optional<Size> size() const {
      return picture ? std::optional(picture->bgr.size) : std::nullopt;
    }
  };

  void runWorker(InferenceModel& model);
  std::vector<Task> take() ELF_REQUIRES(mutex_);
  void countWaiting() ELF_REQUIRES(mutex_);
  /** Reads the request. Its picture is valid until the decoder reads the next. */
  void prepare(Task& task, ImageDecoder& decoder);
  std::optional<Reply> read(Task& task, ImageDecoder& decoder);
  void refuseIfLate(Task& task);
  /** The refusal of a task that is not worth running any more. Unset: run it. */
  std::optional<Reply> lateness(const Task& task);
  /** Runs the model on all tasks. Their pictures have one size. */
  void infer(std::span<Task> tasks, InferenceModel& model);
  Reply answer(const Task& task, const Result<std::vector<Detection>>& found,
               const InferenceModel& model) const;
  void finish(InferJob& job, InferOutcome outcome);

  const ServerOptions& options_;
  std::vector<std::unique_ptr<InferenceModel>> models_;
  /** The maximum number of jobs that a worker takes at once. */
  const std::size_t maxBatch_;
  const wire::ModelMetadata metadata_;
  ModelMetrics& metrics_;
  /** Unset if answers are not shown. */
  std::optional<LastPicture> picture_;

  // Held briefly, and while `abandoned` of queued jobs is called.
  Mutex mutex_;
  ConditionVariable wakeWorkers_;
  Turns queue_ ELF_GUARDED_BY(mutex_);
  /** How many of these metrics_ has, which other queues of this name share. */
  std::size_t counted_ ELF_GUARDED_BY(mutex_) = 0;
  /** Workers without a job, including those that have just started. */
  std::size_t idle_ ELF_GUARDED_BY(mutex_) = 0;
  bool stopping_ ELF_GUARDED_BY(mutex_) = false;

  std::vector<std::thread> workers_;
};

}  // namespace elf
