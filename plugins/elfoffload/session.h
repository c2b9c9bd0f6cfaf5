// SPDX-License-Identifier: LGPL-2.1-or-later
// The connection of an elfoffload to its servers while it is started.
#pragma once

#include <gst/gst.h>

#include <string>

#include "elf/client/http_inference_client.h"
#include "elf/client/soup_transport.h"
#include "elf/stream/frame_sender.h"
#include "plugins/elfoffload/offload.h"

namespace elf::offloading {

/** The requests that the settings ask for. Throws elf::Error naming the wrong property. */
OffloadSettings offloadSettings(const Settings& settings);

/**
 * Lives from READY->PAUSED until PAUSED->READY. Reports the servers' events as messages on the bus
 * and lines in the log, from the transport's thread.
 */
class Session : public OffloadListener {
 public:
  Session(Offload& owner, GstElement* element, OffloadSettings offload, const Settings& settings);

  /** Stops. */
  ~Session() override { stop(); }

  FrameSender& sender() { return sender_; }
  Offloader& offloader() { return sender_.offloader(); }
  /** Adds the work of the servers. */
  void addTo(ClientWork& work) const;
  /** Stops all requests. No answer arrives after it returns. */
  void stop();

  void onReady() override { owner_.setReady(); }
  void onCostSample(const CostSample& sample) override;
  void onProbeFailed(const std::string& why) override;
  void onServerDown(const ServerDown& down) override;
  void onServerUp(const std::string& url) override;
  void onPartsFail(const std::string& why) override;
  void onServerSilent(const std::string& url, std::chrono::seconds time) override;
  void onServersIgnored(const std::string& what) override;
  void onModelMissing(const std::string& what, const std::string& why) override;

 private:
  Offload& owner_;
  GstElement* const element_;
  /** Kept here because the element's pool may change. */
  const ServerPoolPtr pool_;
  SoupTransport transport_;
  HttpInferenceClient client_{transport_};
  FrameSender sender_;
};

}  // namespace elf::offloading
