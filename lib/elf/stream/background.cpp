// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/stream/background.h"

#include <glib.h>

#include <memory>
#include <mutex>
#include <utility>

namespace elf {

using Job = std::function<void()>;

void runInBackground(Job job) {
  // GLib's own locks are unknown to the thread sanitizer: what a job reads was written before this
  // one was taken.
  static std::mutex* const handed = new std::mutex;
  static GThreadPool* const pool = g_thread_pool_new_full(
      [](gpointer data, gpointer) {
        { const std::lock_guard lock(*handed); }
        const std::unique_ptr<Job> run(static_cast<Job*>(data));
        (*run)();
      },
      nullptr, [](gpointer data) { delete static_cast<Job*>(data); }, 1, FALSE, nullptr);
  const std::lock_guard lock(*handed);
  g_thread_pool_push(pool, new Job(std::move(job)), nullptr);
}

}  // namespace elf
