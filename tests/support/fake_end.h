// SPDX-License-Identifier: LGPL-2.1-or-later
// What sends a stream's frames, without a network: time stands still until it is moved, answers
// come when they are given.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "elf/base/blocks.h"
#include "elf/stream/stream.h"
#include "elf/wire/detections.h"
#include "elf/wire/infer.h"
#include "elf/wire/metadata.h"
#include "tests/support/fake_transport.h"
#include "tests/support/json_length.h"
#include "tests/support/silent_listener.h"

namespace elf::testing {

/** A grey frame. */
class GreyPixels : public FramePixels {
 public:
  explicit GreyPixels(Size size)
      : size_(size),
        bytes_(static_cast<std::size_t>(size.width) * static_cast<std::size_t>(size.height) * 3,
               90) {}
  ImageView view() const override {
    return {.format = PixelFormat::GRAY8,
            .size = size_,
            .planes = {bytes_.data()},
            .strides = {size_.width}};
  }
  std::span<const std::uint8_t> rgb(const Rect&, Size sent) override {
    return std::span(bytes_).first(static_cast<std::size_t>(sent.area() * 3));
  }

 private:
  const Size size_;
  std::vector<std::uint8_t> bytes_;
};

/** Of one thread, as its transport is. When it goes its streams are without a sender. */
class FakeEnd : public SilentListener {
 public:
  using Handle = Transport::Handle;

  explicit FakeEnd(std::vector<std::string> urls = {"http://10.0.0.1:1"}) {
    for (const std::string& url : urls) pool_.server(url, "hog", 0)->endProbe(true);
    sender_ = std::make_shared<FrameSender>(
        OffloadSettings{.servers = std::move(urls), .model = "hog", .localRules = {}, .hedging = 0},
        EncodingSettings{.encoding = Encoding::Jpeg}, pool_, transport.client, *this);
    sender_->offloader().start();
    wire::ModelMetadata metadata;
    metadata.name = "hog";
    metadata.platform = "elf";
    metadata.rules.emplace().labels = {"person"};
    const std::string body = wire::encodeMetadata(metadata);
    for (const Handle handle : transport.to("/v2/models/hog"))
      transport.reply(handle, {.status = 200, .body = {body.begin(), body.end()}});
  }
  ~FakeEnd() override {
    for (const auto& each : streams_)
      if (const auto stream = each.lock()) stream->detach();
  }

  bool attach(const std::shared_ptr<Stream>& stream,
              const Slots::Limits& limits = {.bounded = true}) {
    streams_.push_back(stream);
    return stream->attach(sender_, limits);
  }
  FrameSender& sender() { return *sender_; }
  ServerPool& pool() { return pool_; }

  /** Requests that wait for their answers, oldest first. */
  std::vector<Handle> open() const { return transport.to("/infer"); }

  /** Answers one. Boxes are in the pixels that were sent. */
  void answer(Handle handle, const std::vector<Detection>& found) {
    const wire::InferRequest request = requestOf(handle);
    wire::InferResponse response;
    response.model = "hog";
    response.id = request.id;
    response.outputs = wire::encodeDetections(found);
    const wire::Message message = wire::encode(response);
    transport.reply(
        handle,
        {.status = 200, .body = message.body, .jsonLength = std::to_string(*message.jsonLength)});
  }
  /** Answers all that are open with the same. */
  void answerAll(const std::vector<Detection>& found = {}) {
    for (const Handle handle : open()) answer(handle, found);
  }
  void fail(Handle handle) { transport.reply(handle, {.status = 500}); }

  /** Sends the frame, whole unless it has a plan, and answers it with the same for each part. */
  FrameRecordPtr pass(FrameRecord record, const std::vector<Detection>& found) {
    const auto stream = record.stream.lock();
    GreyPixels pixels(record.size);
    FrameRecordPtr answered;
    stream->submit(std::move(record), pixels, std::nullopt,
                   [&](FrameRecordPtr result) { answered = std::move(result); });
    answerAll(found);
    return answered;
  }

  FakeTransport transport;

 private:
  wire::InferRequest requestOf(Handle handle) const {
    const HttpRequest& request = transport.requests.at(handle).request;
    return wire::parseRequest(joined(request.body), jsonLengthOf(request)).value();
  }

  ServerPool pool_;
  std::shared_ptr<FrameSender> sender_;
  std::vector<std::weak_ptr<Stream>> streams_;
};

}  // namespace elf::testing
