// SPDX-License-Identifier: LGPL-2.1-or-later
// The lines that elements write into GStreamer's log.
#pragma once

#include <gst/gst.h>

#include <mutex>
#include <string>
#include <vector>

namespace elf::testing {

/** All lines of a category, from the constructor on. The elements are gone before this object. */
class LogOf {
 public:
  explicit LogOf(const char* category) : category_(category) {
    const GstLogFunction keep = [](GstDebugCategory* of, GstDebugLevel, const gchar*, const gchar*,
                                   gint, GObject*, GstDebugMessage* message, gpointer data) {
      auto* self = static_cast<LogOf*>(data);
      if (self->category_ != gst_debug_category_get_name(of)) return;
      const std::lock_guard lock(self->mutex_);
      self->lines_.emplace_back(gst_debug_message_get(message));
    };
    // That which prints.
    gst_debug_remove_log_function(gst_debug_log_default);
    gst_debug_add_log_function(keep, this, nullptr);
    gst_debug_set_threshold_for_name(category, GST_LEVEL_TRACE);
  }
  LogOf(const LogOf&) = delete;
  LogOf& operator=(const LogOf&) = delete;
  ~LogOf() {
    gst_debug_unset_threshold_for_name(category_.c_str());
    gst_debug_remove_log_function_by_data(this);
    gst_debug_add_log_function(gst_debug_log_default, nullptr, nullptr);
  }

  /** Those that hold `text`, in their order. */
  std::vector<std::string> with(const std::string& text) {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    for (const std::string& line : lines_)
      if (line.find(text) != std::string::npos) found.push_back(line);
    return found;
  }

 private:
  const std::string category_;
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace elf::testing
