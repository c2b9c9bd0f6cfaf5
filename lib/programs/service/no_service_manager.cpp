// SPDX-License-Identifier: LGPL-2.1-or-later
// For builds without libsystemd.
#include "programs/service/service_manager.h"

namespace elf::program {

void notifyManager(const std::string&) {}

std::chrono::microseconds watchdogInterval() {
  return {};
}

int takeHandedSocket() {
  return -1;
}

bool logsToJournal() {
  return false;
}

void writeToJournal(int, const std::string&, const std::vector<std::string>&) {}

}  // namespace elf::program
