// SPDX-License-Identifier: LGPL-2.1-or-later
// The service manager that started a program, if there is one: systemd.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace elf::program {

/** Sends a state, lines as of sd_notify(3). Any thread. */
void notifyManager(const std::string& state);

/** How often the manager wants to hear `WATCHDOG=1` from this process. Zero: never. */
std::chrono::microseconds watchdogInterval();

/**
 * The listening socket that was handed over. -1: none. Call it once, before there are threads.
 * Throws elf::Error if there is more than one or it is not a listening TCP socket.
 */
int takeHandedSocket();

/** Whether standard error leads to the journal. */
bool logsToJournal();

/** Writes an entry with these other fields, each NAME=value. Only if logsToJournal(). */
void writeToJournal(int priority, const std::string& message,
                    const std::vector<std::string>& fields);

}  // namespace elf::program
