// SPDX-License-Identifier: LGPL-2.1-or-later
// The page at / and what it reads, /status (docs/server.md). Not installed.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "elf/server/model_queue.h"
#include "elf/server/reply.h"

namespace elf {

/** The page, which holds nothing of this server: it needs no token, and asks for one. */
class StatusPage {
 public:
  StatusPage();
  Reply reply() const;

 private:
  std::string html_;
  /** The Content-Security-Policy that lets its one script and one style run, and nothing else. */
  std::string policy_;
};

/** What the models of a server that runs since `started` are doing, as JSON. Any thread. */
Reply statusReply(const std::vector<std::unique_ptr<ModelQueue>>& models,
                  std::chrono::steady_clock::time_point started);

}  // namespace elf
