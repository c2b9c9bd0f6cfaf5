// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/stream/background.h"

#include <glib.h>

#include <memory>
#include <utility>

#include "elf/base/glib.h"
#include "elf/base/mutex.h"

namespace elf {

using Job = std::function<void()>;

void runInBackground(Job job) {
  // This lock shows the thread sanitizer, which does not know GLib's own, that what a job reads was
  // written before.
  static Mutex* const handed = new Mutex;
  static GThreadPool* const pool = g_thread_pool_new_full(
      [](gpointer data, gpointer) {
        { const MutexLock lock(*handed); }
        const std::unique_ptr<Job> run(static_cast<Job*>(data));
        guarded(*run);
      },
      nullptr, [](gpointer data) { delete static_cast<Job*>(data); }, 1, FALSE, nullptr);
  const MutexLock lock(*handed);
  g_thread_pool_push(pool, new Job(std::move(job)), nullptr);
}

}  // namespace elf
