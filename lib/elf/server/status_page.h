// SPDX-License-Identifier: LGPL-2.1-or-later
// The page at / and its data, /status (docs/server.md). Not installed.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "elf/server/model_queue.h"
#include "elf/server/reply.h"

namespace elf {

/** The page. It holds no data of this server: it needs no token, and asks for one. */
class StatusPage {
 public:
  StatusPage();
  Reply reply() const;

 private:
  std::string html_;
  /** The Content-Security-Policy. It allows the page's one script and one style, and nothing
   * else. */
  std::string policy_;
};

/** The activity of the models as JSON. The server runs since `started`. Any thread. */
Reply statusReply(const std::vector<std::unique_ptr<ModelQueue>>& models,
                  std::chrono::steady_clock::time_point started);

}  // namespace elf
