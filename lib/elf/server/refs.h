// SPDX-License-Identifier: LGPL-2.1-or-later
// Owners of what GLib counts. Not installed.
#pragma once

#include <gio/gio.h>

#include <memory>

namespace elf {

struct Unref {
  void operator()(void* object) const { g_object_unref(object); }
  void operator()(GBytes* bytes) const { g_bytes_unref(bytes); }
  void operator()(GMainContext* context) const { g_main_context_unref(context); }
  void operator()(GMainLoop* loop) const { g_main_loop_unref(loop); }
  void operator()(GDateTime* time) const { g_date_time_unref(time); }
  void operator()(GError* error) const { g_error_free(error); }
};
template <typename T>
using Ref = std::unique_ptr<T, Unref>;

template <typename T>
Ref<T> shared(T* object) {
  return Ref<T>(static_cast<T*>(g_object_ref(object)));
}

}  // namespace elf
