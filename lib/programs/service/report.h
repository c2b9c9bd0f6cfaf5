// SPDX-License-Identifier: LGPL-2.1-or-later
// What a program tells the person who runs it.
#pragma once

#include <syslog.h>

#include <string>

namespace elf::program {

/**
 * Writes one line to standard error, or an entry into the journal if standard error leads there.
 * `priority` is LOG_ERR, LOG_WARNING or LOG_INFO. Any thread.
 */
void report(int priority, const std::string& text);

}  // namespace elf::program
