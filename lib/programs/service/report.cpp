// SPDX-License-Identifier: LGPL-2.1-or-later
#include "programs/service/report.h"

#include <iostream>

#include "programs/service/service_manager.h"

namespace elf::program {

void report(int priority, const std::string& text) {
  if (logsToJournal())
    writeToJournal(priority, text, {});
  else
    std::cerr << ELF_PROGRAM ": " + text + "\n";
}

}  // namespace elf::program
