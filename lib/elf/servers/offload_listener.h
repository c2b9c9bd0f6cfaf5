// SPDX-License-Identifier: LGPL-2.1-or-later
// What the user of an offloader is told about its servers.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "elf/geometry/box.h"
#include "elf/types/cost_model.h"
#include "elf/types/frame_record.h"

namespace elf {

/** A cost sample: an answer, or a missing one. */
struct CostSample {
  /** Base URL of the server. */
  std::string url;
  bool probe = false;
  /** No answer arrived while it was waited for: it takes more than `roundTrip`. */
  bool late = false;
  Size sent;
  std::size_t bytes = 0;
  Microseconds roundTrip{0};
  /** As the server reports them; unset if it does not. */
  std::optional<Microseconds> queue, decode, infer;
  /** The model after this sample. */
  CostModel cost;
  /** The model differs noticeably from when this was last true, in any offloader. */
  bool changed = false;
};

/** An endpoint is left out from now on. */
struct ServerDown {
  std::string url;
  /** One sentence that begins with the URL. */
  std::string why;
  /** It had described its model before. */
  bool known = false;
  /** Number of endpoints that can still be used. */
  int left = 0;
};

/** Each call is made with no lock held. */
class OffloadListener {
 public:
  virtual ~OffloadListener() = default;
  /** Each endpoint has described its model and was probed, or failed to. Called once. */
  virtual void onReady() = 0;
  /** For each good answer to a part, and to a probe, and for each part that is late. */
  virtual void onCostSample(const CostSample& sample) = 0;
  /** `why` is one sentence that begins with the endpoint's URL. */
  virtual void onProbeFailed(const std::string& why) = 0;
  virtual void onServerDown(const ServerDown& down) = 0;
  /** An endpoint that was left out, or was added, has answered a part. */
  virtual void onServerUp(const std::string& url) = 0;
  /** Parts fail at an endpoint that is not left out, as it answers others. `why` is one sentence
   * that begins with its URL. Called once, and again after onServerUp(). */
  virtual void onPartsFail(const std::string& why) = 0;
  /** The only endpoint that is left has answered no part for that time, though it is ready. Called
   * once for each silence. */
  virtual void onServerSilent(const std::string& url, std::chrono::seconds time) = 0;
  /** Servers that announce themselves are not used, as they have no TLS. `what` is a sentence that
   * begins with the URL of the list. Called once for each. */
  virtual void onServersIgnored(const std::string& what) = 0;
  /** The endpoint runs, but lacks the model or its version. `what` is a sentence about that which
   * begins with its URL, `why` is its reply. */
  virtual void onModelMissing(const std::string& what, const std::string& why) = 0;
};

}  // namespace elf
