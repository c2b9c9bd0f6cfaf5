// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/model_queue.h"

#include <pthread.h>

#include <algorithm>
#include <exception>
#include <span>
#include <utility>

#include "elf/server/checked_run.h"
#include "elf/wire/detections.h"
#include "elf/wire/infer.h"

namespace elf {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration_cast;
using std::chrono::microseconds;

constexpr const char* kInputName = "image";

microseconds between(Clock::time_point from, Clock::time_point to) {
  return duration_cast<microseconds>(to - from);
}

std::vector<std::unique_ptr<InferenceModel>> make(const ModelFactory& factory, int count) {
  std::vector<std::unique_ptr<InferenceModel>> models;
  for (int i = 0; i < std::max(1, count); ++i) models.push_back(factory());
  return models;
}

wire::ModelMetadata metadataOf(const InferenceModel& model) {
  std::vector<wire::TensorSpec> outputs = {{"boxes", wire::DataType::Fp32, {-1, 4}},
                                           {"scores", wire::DataType::Fp32, {-1}},
                                           {"labels", wire::DataType::Int64, {-1}}};
  const ModelRules& rules = model.rules();
  if (rules.masks) outputs.push_back({"masks", wire::DataType::Bytes, {-1}});
  if (rules.keypoints > 0)
    outputs.push_back({"keypoints", wire::DataType::Fp32, {-1, rules.keypoints, 3}});
  if (rules.rotated) outputs.push_back({"rotated", wire::DataType::Fp32, {-1, 5}});
  return {.name = model.name(),
          .versions = {ModelQueue::kVersion},
          .platform = model.platform(),
          .inputs = {{kInputName, wire::DataType::Bytes, {1}}},
          .outputs = std::move(outputs),
          .takesRaw = true,
          .rules = rules};
}

/** `timeout` in microseconds, 0 without one. Unset if it is not a valid number. */
std::optional<std::int64_t> timeoutOf(const wire::Parameters& parameters) {
  const auto found = parameters.find("timeout");
  if (found == parameters.end()) return 0;
  const auto* limit = std::get_if<std::int64_t>(&found->second);
  if (!limit || *limit < 0) return std::nullopt;
  return *limit;
}

}  // namespace

ModelQueue::ModelQueue(const ModelFactory& factory, const ServerOptions& options,
                       ServerMetrics& metrics)
    : options_(options),
      models_(make(factory, options.threads)),
      maxBatch_(static_cast<std::size_t>(std::max(1, models_.front()->file().maxBatch))),
      metadata_(metadataOf(*models_.front())),
      metrics_(metrics.of(metadata_.name)),
      idle_(models_.size()) {
  if (options.showAnswers) picture_.emplace();
  for (const auto& each : models_)
    workers_.emplace_back([this, model = each.get()] { runWorker(*model); });
}

ModelQueue::~ModelQueue() {
  end();
}

void ModelQueue::end() {
  stop();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

void ModelQueue::countWaiting() {
  metrics_.addWaiting(static_cast<double>(queue_.size()) -
                      static_cast<double>(std::exchange(counted_, queue_.size())));
}

QueueLoad ModelQueue::load() {
  const MutexLock lock(mutex_);
  return {.waiting = queue_.size(), .busy = models_.size() - idle_, .workers = models_.size()};
}

std::shared_ptr<const ShownAnswer> ModelQueue::shown() const {
  return picture_ ? picture_->last() : nullptr;
}

void ModelQueue::put(InferJob job) {
  std::vector<InferJob> gone;
  std::optional<InferJob> refused;
  const char* why = "the queue is full";
  {
    const MutexLock lock(mutex_);
    // The queue also holds requests for idle workers: these do not wait.
    const auto full = [this]()
                          ELF_REQUIRES(mutex_) { return queue_.size() >= options_.queue + idle_; };
    // Abandoned requests make room.
    if (full()) gone = queue_.removeAbandoned();
    if (stopping_)
      why = "shutting down";
    else if (full())
      refused = queue_.makeRoomFor(job.stream);
    if (stopping_ || full())
      refused = std::move(job);
    else
      queue_.put(std::move(job));
    countWaiting();
  }
  for (InferJob& each : gone)
    finish(each, {.reply = errorReply(SOUP_STATUS_REQUEST_TIMEOUT, "hung up")});
  if (refused) finish(*refused, {.reply = errorReply(SOUP_STATUS_SERVICE_UNAVAILABLE, why)});
  wakeWorkers_.notifyOne();
}

void ModelQueue::stop() {
  std::vector<InferJob> waiting;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    waiting = queue_.removeAll();
    countWaiting();
  }
  wakeWorkers_.notifyAll();
  for (InferJob& job : waiting)
    finish(job, {.reply = errorReply(SOUP_STATUS_SERVICE_UNAVAILABLE, "shutting down")});
}

void ModelQueue::finish(InferJob& job, InferOutcome outcome) {
  outcome.times.total = between(job.received, Clock::now());
  metrics_.answered(outcome.reply.status, outcome.times);
  job.done(std::move(outcome));
}

/** A worker's share of the waiting jobs: the one whose turn it is, and others that may run with
 * it. */
std::vector<ModelQueue::Task> ModelQueue::take() {
  const std::size_t count = std::clamp<std::size_t>(queue_.size() / models_.size(), 1, maxBatch_);
  std::vector<Task> tasks;
  for (InferJob& job : queue_.take(count)) tasks.push_back({.job = std::move(job)});
  countWaiting();
  return tasks;
}

void ModelQueue::runWorker(InferenceModel& model) {
  pthread_setname_np(pthread_self(), "elf-server-work");
  std::deque<ImageDecoder> decoders;
  MutexLock lock(mutex_);
  for (;;) {
    while (!stopping_ && queue_.size() == 0) wakeWorkers_.wait(lock);
    if (stopping_) return;
    --idle_;
    std::vector<Task> tasks = take();
    lock.unlock();
    while (decoders.size() < tasks.size()) decoders.emplace_back(options_.maxPixels);
    for (std::size_t i = 0; i < tasks.size(); ++i) prepare(tasks[i], decoders[i]);
    for (std::span<Task> left(tasks); !left.empty();) {
      for (Task& task : left) refuseIfLate(task);
      const Task& first = left.front();
      const auto others = std::ranges::stable_partition(
          left.subspan(1), [size = first.size()](const Task& task) { return task.size() == size; });
      const auto alike = left.first(left.size() - others.size());
      if (first.picture) infer(alike, model);
      left = left.last(others.size());
      lock.lock();
      for (const Task& task : alike) {
        const InferTimes& times = task.outcome.times;
        queue_.ended(task.job.stream, times.decode + times.infer + times.encode);
      }
      // A client that gets the last answer finds the worker free.
      if (left.empty()) ++idle_;
      lock.unlock();
      for (Task& task : alike) finish(task.job, std::move(task.outcome));
    }
    // Each holds the memory of its largest picture.
    while (decoders.size() > 1) decoders.pop_back();
    lock.lock();
  }
}

void ModelQueue::prepare(Task& task, ImageDecoder& decoder) {
  const Clock::time_point taken = Clock::now();
  InferTimes& times = task.outcome.times;
  times.queue = between(task.job.received, taken);
  try {
    if (auto refusal = read(task, decoder)) task.outcome.reply = std::move(*refusal);
  } catch (const std::exception& error) {
    task.outcome.reply = errorReply(SOUP_STATUS_INTERNAL_SERVER_ERROR, error.what());
  }
  // The input is not needed any more.
  std::vector<std::uint8_t>().swap(task.job.body);
  task.request.inputs.clear();
  task.ready = Clock::now();
  times.decode = between(taken, task.ready);
}

// Time may have passed while other requests were read or run.
void ModelQueue::refuseIfLate(Task& task) {
  if (!task.picture) return;
  auto refusal = lateness(task);
  if (!refusal) return;
  task.picture.reset();
  task.outcome.reply = std::move(*refusal);
}

std::optional<Reply> ModelQueue::lateness(const Task& task) {
  {
    const MutexLock lock(mutex_);
    if (stopping_) return errorReply(SOUP_STATUS_SERVICE_UNAVAILABLE, "shutting down");
  }
  // The peer will not read this answer.
  if (task.job.abandoned()) return errorReply(SOUP_STATUS_REQUEST_TIMEOUT, "hung up");
  if (task.timeout.count() > 0 && between(task.job.received, Clock::now()) >= task.timeout)
    return errorReply(SOUP_STATUS_GATEWAY_TIMEOUT,
                      "parameters.timeout: passed while the request waited");
  return std::nullopt;
}

/** Returns the refusal. Unset: the request was read. */
std::optional<Reply> ModelQueue::read(Task& task, ImageDecoder& decoder) {
  const InferJob& job = task.job;
  std::span<const std::uint8_t> body(job.body);
  std::vector<std::uint8_t> inflated;
  if (job.coding != ContentCoding::Plain) {
    switch (inflate(body, job.coding, options_.maxBody, inflated)) {
      case Inflation::TooLarge:
        return errorReply(SOUP_STATUS_REQUEST_ENTITY_TOO_LARGE,
                          "body: more than " + std::to_string(options_.maxBody) +
                              " bytes when it is decompressed");
      case Inflation::Broken:
        return errorReply(SOUP_STATUS_BAD_REQUEST,
                          std::string("body: not ") + toString(job.coding) + " data");
      case Inflation::Whole:
        body = inflated;
    }
  }
  auto parsed = wire::parseRequest(body, job.jsonLength);
  if (!parsed) return errorReply(SOUP_STATUS_BAD_REQUEST, parsed.error());
  wire::InferRequest& request = task.request = std::move(parsed).value();
  task.outcome.id = request.id;
  const auto timeout = timeoutOf(request.parameters);
  if (!timeout)
    return errorReply(SOUP_STATUS_BAD_REQUEST, "parameters.timeout: not a number of microseconds");
  task.timeout = microseconds(*timeout);
  if (auto refusal = lateness(task)) return refusal;
  if (request.inputs.size() != 1)
    return errorReply(SOUP_STATUS_BAD_REQUEST, "inputs: the model takes one, image");
  wire::Tensor& image = request.inputs[0];
  if (job.jsonLength == 0U)
    image = wire::encodedImage(image.data);
  else if (image.name != kInputName)
    return errorReply(SOUP_STATUS_BAD_REQUEST,
                      "inputs[0].name: '" + image.name + "' is unknown, the model takes image");

  const auto picture = decoder.decode(image);
  if (!picture) return errorReply(SOUP_STATUS_BAD_REQUEST, picture.error());
  const auto placement = wire::placementOf(request.parameters, picture.value().size);
  if (!placement) return errorReply(SOUP_STATUS_BAD_REQUEST, placement.error());
  task.picture = {picture.value(), placement.value()};
  return std::nullopt;
}

void ModelQueue::infer(std::span<Task> tasks, InferenceModel& model) try {
  std::vector<PlacedPicture> pictures;
  for (const Task& task : tasks) pictures.push_back(*task.picture);
  const Clock::time_point start = Clock::now();
  const auto found = checkedRunBatch(model, pictures);
  const Clock::time_point done = Clock::now();
  const microseconds took = between(start, done);
  if (std::ranges::any_of(found, [](const auto& one) { return bool(one); }))
    metrics_.ran(tasks.size(), took);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    Task& task = tasks[i];
    InferTimes& times = task.outcome.times;
    times.infer = took / tasks.size();
    // It waited for requests that were read after it, or run before it or with it.
    times.queue += between(task.ready, done) - times.infer;
    const Clock::time_point begun = Clock::now();
    try {
      if (picture_ && found[i]) picture_->show(pictures[i].bgr, found[i].value(), done);
      task.outcome.reply = answer(task, found[i], model);
    } catch (const std::exception& error) {
      task.outcome.reply = errorReply(SOUP_STATUS_INTERNAL_SERVER_ERROR, error.what());
    }
    times.encode = between(begun, Clock::now());
  }
} catch (const std::exception& error) {
  for (Task& task : tasks)
    task.outcome.reply = errorReply(SOUP_STATUS_INTERNAL_SERVER_ERROR, error.what());
}

Reply ModelQueue::answer(const Task& task, const Result<std::vector<Detection>>& found,
                         const InferenceModel& model) const {
  if (!found) return errorReply(SOUP_STATUS_INTERNAL_SERVER_ERROR, found.error());
  const wire::InferRequest& request = task.request;
  const InferTimes& times = task.outcome.times;
  wire::InferResponse response{.model = model.name(), .version = kVersion, .id = request.id};
  response.parameters = {{"queue_us", std::int64_t{times.queue.count()}},
                         {"decode_us", std::int64_t{times.decode.count()}},
                         {"infer_us", std::int64_t{times.infer.count()}}};
  std::vector<wire::Tensor> outputs = wire::encodeDetections(found.value(), model.rules());
  if (request.outputs.empty()) {
    response.outputs = std::move(outputs);
    for (wire::Tensor& output : response.outputs) output.binary = request.binaryOutputs;
  }
  for (const wire::RequestedOutput& wanted : request.outputs) {
    const auto output = std::ranges::find(outputs, wanted.name, &wire::Tensor::name);
    if (output == outputs.end())
      return errorReply(SOUP_STATUS_BAD_REQUEST, "outputs: '" + wanted.name + "' is unknown");
    response.outputs.push_back(*output);
    response.outputs.back().binary = wanted.binary;
  }
  wire::Message message = wire::encode(response);
  Reply reply{.body = std::move(message.body),
              .jsonLength = message.jsonLength,
              .type = message.jsonLength ? "application/octet-stream" : "application/json"};
  compress(reply, task.job.accepted);
  return reply;
}

}  // namespace elf
