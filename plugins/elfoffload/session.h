// SPDX-License-Identifier: LGPL-2.1-or-later
// What an elfoffload has with its servers while it is started.
#pragma once

#include <gst/gst.h>

#include <string>

#include "elf/client/http_inference_client.h"
#include "elf/client/soup_transport.h"
#include "elf/stream/frame_sender.h"
#include "plugins/elfoffload/offload.h"

namespace elf::offloading {

/** What the servers are asked for. Throws elf::Error naming the property that is wrong. */
OffloadSettings offloadSettings(const Settings& settings);

/**
 * Lives from READY->PAUSED until PAUSED->READY. What the servers do becomes messages on the bus and
 * lines in the log, from the transport's thread.
 */
class Session : public OffloadListener {
 public:
  Session(Offload& owner, GstElement* element, OffloadSettings offload, const Settings& settings);

  FrameSender& sender() { return sender_; }
  Offloader& offloader() { return sender_.offloader(); }
  Work work() const;
  /** Nothing is answered any more once this has returned. */
  void stop();

  void onReady() override { owner_.setReady(); }
  void onCostSample(const CostSample& sample) override;
  void onProbeFailed(const std::string& why) override;
  void onServerDown(const ServerDown& down) override;
  void onServerUp(const std::string& url) override;
  void onPartsFail(const std::string& why) override;
  void onModelMissing(const std::string& what, const std::string& why) override;

 private:
  Offload& owner_;
  GstElement* const element_;
  /** The element may be given another one. */
  const ServerPoolPtr pool_;
  SoupTransport transport_;
  HttpInferenceClient client_{transport_};
  FrameSender sender_;
};

}  // namespace elf::offloading
