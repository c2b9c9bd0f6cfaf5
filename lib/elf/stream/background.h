// SPDX-License-Identifier: LGPL-2.1-or-later
// One thread for what takes long, shared by all streams. Not installed.
#pragma once

#include <functional>

namespace elf {

/** Runs `job` in that thread, after those that were given before. */
void runInBackground(std::function<void()> job);

}  // namespace elf
