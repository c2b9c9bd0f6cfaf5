// SPDX-License-Identifier: LGPL-2.1-or-later
// Who has nothing to say to what an Offloader tells.
#pragma once

#include <string>

#include "elf/offload/offloader.h"

namespace elf::testing {

class SilentListener : public OffloadListener {
 public:
  void onReady() override {}
  void onCostSample(const CostSample&) override {}
  void onProbeFailed(const std::string&) override {}
  void onServerDown(const ServerDown&) override {}
  void onServerUp(const std::string&) override {}
  void onPartsFail(const std::string&) override {}
  void onServerSilent(const std::string&, std::chrono::seconds) override {}
  void onServersIgnored(const std::string&) override {}
  void onModelMissing(const std::string&, const std::string&) override {}
};

}  // namespace elf::testing
