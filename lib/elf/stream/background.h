// SPDX-License-Identifier: LGPL-2.1-or-later
// One thread for long jobs, shared by all streams. Not installed.
#pragma once

#include <functional>

namespace elf {

/** Runs `job` in that thread, after earlier jobs. What it throws is logged. */
void runInBackground(std::function<void()> job);

}  // namespace elf
