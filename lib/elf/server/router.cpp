// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/router.h"

#include <glib.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "elf/base/glib.h"

namespace elf {

namespace {

/** Unset if a segment is not text or would contain a slash. */
std::optional<std::vector<std::string>> segmentsOf(const char* path) {
  constexpr int kMostSegments = 12;
  std::optional<std::vector<std::string>> segments(std::in_place);
  const Ref<gchar*> parts(g_strsplit(path, "/", kMostSegments));
  for (gchar** part = parts.get(); *part; ++part) {
    // Null also for an encoded slash or NUL.
    const Ref<gchar> plain(g_uri_unescape_string(*part, "/"));
    if (!plain)
      segments.reset();
    else if (segments && *plain)
      segments->emplace_back(plain.get());
  }
  return segments;
}

using Named = std::pair<std::string_view, Endpoint>;

template <std::size_t N>
std::optional<Route> find(const std::array<Named, N>& table, std::string_view name, Route route) {
  const auto found = std::ranges::find(table, name, &Named::first);
  if (found == table.end()) return std::nullopt;
  route.endpoint = found->second;
  return route;
}

std::string joined(const std::vector<std::string>& segments) {
  std::string path;
  for (const std::string& segment : segments) path += "/" + segment;
  return path;
}

}  // namespace

std::optional<Route> routeOf(const char* path) {
  constexpr std::array<Named, 7> kFixed{{{"", Endpoint::Page},
                                         {"/status", Endpoint::Status},
                                         {"/metrics", Endpoint::Metrics},
                                         {"/v2", Endpoint::Server},
                                         {"/v2/health/live", Endpoint::Live},
                                         {"/v2/health/ready", Endpoint::Ready},
                                         {"/v2/models/stats", Endpoint::Statistics}}};
  constexpr std::array<Named, 4> kOfModel{{{"", Endpoint::Model},
                                           {"ready", Endpoint::ModelReady},
                                           {"stats", Endpoint::Statistics},
                                           {"infer", Endpoint::Infer}}};
  const auto decoded = segmentsOf(path);
  if (!decoded) return std::nullopt;
  const std::vector<std::string>& segments = *decoded;
  if (auto route = find(kFixed, joined(segments), {})) return route;
  if (segments.size() < 3 || segments[0] != "v2" || segments[1] != "models") return std::nullopt;
  Route route{.model = segments[2]};
  std::size_t next = 3;
  if (segments.size() > next && segments[next] == "versions") {
    if (segments.size() == ++next) return std::nullopt;
    route.version = segments[next++];
  }
  if (segments.size() > next + 1) return std::nullopt;
  return find(kOfModel, segments.size() == next ? "" : segments[next], std::move(route));
}

}  // namespace elf
