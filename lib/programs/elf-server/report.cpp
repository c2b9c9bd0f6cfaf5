// SPDX-License-Identifier: LGPL-2.1-or-later
#include "programs/elf-server/report.h"

#include <iostream>

#include "programs/elf-server/service_manager.h"

namespace elf::program {

void report(int priority, const std::string& text) {
  if (logsToJournal())
    writeToJournal(priority, text, {});
  else
    std::cerr << "elf-server: " + text + "\n";
}

}  // namespace elf::program
