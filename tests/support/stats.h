// SPDX-License-Identifier: LGPL-2.1-or-later
// The property `stats` of elfoffload, as an application would read it.
#pragma once

#include <gst/gst.h>

#include <string>
#include <vector>

namespace elf::testing {

class OffloadStatsOf {
 public:
  explicit OffloadStatsOf(GstElement* offload) {
    g_object_get(offload, "stats", &stats_, nullptr);
    const GValue* servers = gst_structure_get_value(stats_, "servers");
    for (guint i = 0; i < gst_value_array_get_size(servers); ++i)
      servers_.push_back(gst_value_get_structure(gst_value_array_get_value(servers, i)));
  }
  OffloadStatsOf(const OffloadStatsOf&) = delete;
  OffloadStatsOf& operator=(const OffloadStatsOf&) = delete;
  ~OffloadStatsOf() { gst_structure_free(stats_); }

  guint64 count(const char* field) const { return countIn(stats_, field); }

  std::size_t servers() const { return servers_.size(); }
  std::string url(std::size_t server) const {
    return gst_structure_get_string(servers_.at(server), "url");
  }
  bool healthy(std::size_t server) const {
    gboolean healthy = FALSE;
    gst_structure_get_boolean(servers_.at(server), "healthy", &healthy);
    return healthy;
  }
  guint64 answers(std::size_t server) const { return countIn(servers_.at(server), "answers"); }
  /** One of fixed-ms, ms-per-megapixel, ms-per-megabyte, outstanding-ms; -1 where it is not there.
   */
  double cost(std::size_t server, const char* field) const {
    double value = -1;
    gst_structure_get_double(servers_.at(server), field, &value);
    return value;
  }

 private:
  static guint64 countIn(const GstStructure* structure, const char* field) {
    guint64 value = G_MAXUINT64;
    gst_structure_get_uint64(structure, field, &value);
    return value;
  }

  GstStructure* stats_ = nullptr;
  /** Owned by `stats_`. */
  std::vector<const GstStructure*> servers_;
};

}  // namespace elf::testing
