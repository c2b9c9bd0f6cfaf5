// SPDX-License-Identifier: LGPL-2.1-or-later
// Smart pointers for GLib's types, its texts and errors as std::string, and jobs for a main
// context. Not installed.
#pragma once

#include <gio/gio.h>

#include <concepts>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace elf {

/** Releases an object of GLib. Types that are not listed here are GObjects. */
struct Unref {
  void operator()(gpointer object) const { g_object_unref(object); }
  void operator()(gchar* text) const { g_free(text); }
  void operator()(gchar** texts) const { g_strfreev(texts); }
  void operator()(GBytes* bytes) const { g_bytes_unref(bytes); }
  void operator()(GChecksum* checksum) const { g_checksum_free(checksum); }
  void operator()(GDateTime* time) const { g_date_time_unref(time); }
  void operator()(GError* error) const { g_error_free(error); }
  void operator()(GKeyFile* file) const { g_key_file_unref(file); }
  void operator()(GMainContext* context) const { g_main_context_unref(context); }
  void operator()(GMainLoop* loop) const { g_main_loop_unref(loop); }
  void operator()(GMatchInfo* match) const { g_match_info_unref(match); }
  void operator()(GObjectClass* type) const { g_type_class_unref(type); }
  void operator()(GOptionContext* options) const { g_option_context_free(options); }
  void operator()(GRegex* regex) const { g_regex_unref(regex); }
  void operator()(GUri* uri) const { g_uri_unref(uri); }
  void operator()(GVariant* value) const { g_variant_unref(value); }
  /** The owner of a source also ends it. */
  void operator()(GSource* source) const {
    g_source_destroy(source);
    g_source_unref(source);
  }
};
template <typename T>
using Ref = std::unique_ptr<T, Unref>;

/** One more reference to a GObject. */
template <typename T>
Ref<T> shared(T* object) {
  return Ref<T>(static_cast<T*>(g_object_ref(object)));
}

/** The text; empty for null. Frees `text`. */
inline std::string takeText(gchar* text) {
  const Ref<gchar> owner(text);
  return text ? text : "";
}

/** `text` with U+FFFD for each byte that is not UTF-8. */
inline std::string validUtf8(std::string_view text) {
  return takeText(g_utf8_make_valid(text.data(), static_cast<gssize>(text.size())));
}

/** Gives a GObject ownership of `data`, under `key`. */
template <typename T>
void attach(gpointer object, const char* key, T* data) {
  g_object_set_data_full(G_OBJECT(object), key, data,
                         [](gpointer freed) { delete static_cast<T*>(freed); });
}

/** The message of the error. Frees the error. */
inline std::string takeReason(GError* error) {
  const Ref<GError> owner(error);
  return error->message;
}

/** Runs a callback of C. Logs an exception and ends it here, as C code can't catch it. */
template <std::invocable Body>
void guarded(Body&& body) noexcept {
  try {
    std::forward<Body>(body)();
  } catch (const std::exception& error) {
    g_warning("elf: exception in a callback: %s", error.what());
  }
}

/**
 * Runs `job` once, guarded, in the thread of `context`, when `source` is due. The job never runs if
 * the owner of the source destroys it, or the context ends, before that. Takes the source.
 */
template <std::invocable Job>
Ref<GSource> schedule(GMainContext* context, GSource* source, Job job,
                      int priority = G_PRIORITY_DEFAULT) {
  g_source_set_priority(source, priority);
  g_source_set_callback(
      source,
      [](gpointer data) -> gboolean {
        guarded(*static_cast<Job*>(data));
        return G_SOURCE_REMOVE;
      },
      new Job(std::move(job)), [](gpointer data) { delete static_cast<Job*>(data); });
  g_source_attach(source, context);
  return Ref<GSource>(source);
}

/** Runs `job` in the same way as soon as possible, after earlier jobs of that priority. */
template <std::invocable Job>
void post(GMainContext* context, Job job, int priority = G_PRIORITY_DEFAULT) {
  g_source_unref(schedule(context, g_idle_source_new(), std::move(job), priority).release());
}

}  // namespace elf
