// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/model_queue.h"

#include <pthread.h>

#include <algorithm>
#include <exception>
#include <span>
#include <utility>

#include "elf/server/checked_run.h"
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
  return {.name = model.name(),
          .versions = {ModelQueue::kVersion},
          .platform = model.platform(),
          .inputs = {{kInputName, wire::DataType::Bytes, {1}}},
          .outputs = std::move(outputs),
          .takesRaw = true,
          .rules = rules};
}

/** The microseconds of `timeout`, 0 for none; unset where it is no such number. */
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
      metadata_(metadataOf(*models_.front())),
      metrics_(metrics, metadata_.name),
      idle_(models_.size()) {
  if (options.showAnswers) picture_.emplace();
  for (const auto& each : models_)
    workers_.emplace_back([this, model = each.get()] { runWorker(*model); });
}

ModelQueue::~ModelQueue() {
  stop();
  for (std::thread& worker : workers_) worker.join();
}

QueueLoad ModelQueue::load() {
  const std::lock_guard lock(mutex_);
  return {.waiting = queue_.size(), .busy = models_.size() - idle_, .workers = models_.size()};
}

std::shared_ptr<const ShownAnswer> ModelQueue::shown() const {
  return picture_ ? picture_->last() : nullptr;
}

void ModelQueue::put(InferJob job) {
  const char* refused = nullptr;
  {
    const std::lock_guard lock(mutex_);
    // An idle worker takes its request from the queue too: that one does not wait.
    if (stopping_)
      refused = "shutting down";
    else if (queue_.size() >= options_.queue + idle_)
      refused = "the queue is full";
    else
      queue_.push_back(std::move(job));
    metrics_.setWaiting(queue_.size());
  }
  if (refused)
    end(job, {.reply = errorReply(SOUP_STATUS_SERVICE_UNAVAILABLE, refused)});
  else
    wakeWorkers_.notify_one();
}

void ModelQueue::stop() {
  std::deque<InferJob> waiting;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    waiting.swap(queue_);
    metrics_.setWaiting(0);
  }
  wakeWorkers_.notify_all();
  for (InferJob& job : waiting)
    end(job, {.reply = errorReply(SOUP_STATUS_SERVICE_UNAVAILABLE, "shutting down")});
}

void ModelQueue::end(InferJob& job, InferOutcome outcome) {
  outcome.times.total = between(job.received, Clock::now());
  metrics_.answered(outcome.reply.status, outcome.times);
  job.done(std::move(outcome));
}

void ModelQueue::runWorker(InferenceModel& model) {
  pthread_setname_np(pthread_self(), "elf-server-work");
  ImageDecoder decoder(options_.maxPixels);
  std::unique_lock lock(mutex_);
  for (;;) {
    wakeWorkers_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    --idle_;
    InferJob job = std::move(queue_.front());
    queue_.pop_front();
    metrics_.setWaiting(queue_.size());
    lock.unlock();
    InferOutcome outcome = infer(job, model, decoder);
    std::vector<std::uint8_t>().swap(job.body);
    lock.lock();
    // Whoever has this answer finds the worker free.
    ++idle_;
    lock.unlock();
    end(job, std::move(outcome));
    lock.lock();
  }
}

InferOutcome ModelQueue::infer(const InferJob& job, InferenceModel& model, ImageDecoder& decoder) {
  InferOutcome outcome;
  try {
    outcome.reply = inferInto(outcome, job, model, decoder);
  } catch (const std::exception& error) {
    outcome.reply = errorReply(SOUP_STATUS_INTERNAL_SERVER_ERROR, error.what());
  }
  return outcome;
}

/** Fills in id and times as far as it gets. */
Reply ModelQueue::inferInto(InferOutcome& outcome, const InferJob& job, InferenceModel& model,
                            ImageDecoder& decoder) {
  const Clock::time_point taken = Clock::now();
  outcome.times.queue = between(job.received, taken);
  // Nobody reads this answer.
  if (job.abandoned()) return errorReply(SOUP_STATUS_REQUEST_TIMEOUT, "hung up");

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
                          std::string("body: is no ") + toString(job.coding) + " data");
      case Inflation::Whole:
        body = inflated;
    }
  }
  auto parsed = wire::parseRequest(body, job.jsonLength);
  if (!parsed) return errorReply(SOUP_STATUS_BAD_REQUEST, parsed.error());
  wire::InferRequest& request = parsed.value();
  outcome.id = request.id;
  const std::optional<std::int64_t> timeout = timeoutOf(request.parameters);
  if (!timeout)
    return errorReply(SOUP_STATUS_BAD_REQUEST, "parameters.timeout: is no number of microseconds");
  if (*timeout > 0 && outcome.times.queue.count() >= *timeout)
    return errorReply(SOUP_STATUS_GATEWAY_TIMEOUT,
                      "parameters.timeout: passed while the request waited");
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
  const Clock::time_point decoded = Clock::now();
  outcome.times.decode = between(taken, decoded);
  const auto detections = checkedRun(model, picture.value(), placement.value());
  if (!detections) return errorReply(SOUP_STATUS_INTERNAL_SERVER_ERROR, detections.error());
  const Clock::time_point done = Clock::now();
  outcome.times.infer = between(decoded, done);
  if (picture_) picture_->show(picture.value(), detections.value(), done);

  wire::InferResponse response{.model = model.name(), .version = kVersion, .id = request.id};
  response.parameters = {{"queue_us", std::int64_t{outcome.times.queue.count()}},
                         {"decode_us", std::int64_t{outcome.times.decode.count()}},
                         {"infer_us", std::int64_t{outcome.times.infer.count()}}};
  std::vector<wire::Tensor> outputs = wire::encodeDetections(detections.value(), model.rules());
  if (request.outputs.empty()) {
    response.outputs = std::move(outputs);
    for (wire::Tensor& output : response.outputs) output.binary = request.binaryOutputs;
  }
  for (const wire::RequestedOutput& wanted : request.outputs) {
    const auto found = std::ranges::find(outputs, wanted.name, &wire::Tensor::name);
    if (found == outputs.end())
      return errorReply(SOUP_STATUS_BAD_REQUEST, "outputs: '" + wanted.name + "' is unknown");
    response.outputs.push_back(*found);
    response.outputs.back().binary = wanted.binary;
  }
  wire::Message message = wire::encode(response);
  Reply reply{.body = std::move(message.body),
              .jsonLength = message.jsonLength,
              .type = message.jsonLength ? "application/octet-stream" : "application/json"};
  compress(reply, job.accepted);
  outcome.times.encode = between(done, Clock::now());
  return reply;
}

}  // namespace elf
