// SPDX-License-Identifier: LGPL-2.1-or-later
// Maps paths to the server's endpoints. Not installed.
#pragma once

#include <optional>
#include <string>

namespace elf {

enum class Endpoint {
  Page,        ///< /
  Status,      ///< /status
  Metrics,     ///< /metrics
  Server,      ///< /v2
  Live,        ///< /v2/health/live
  Ready,       ///< /v2/health/ready
  Model,       ///< /v2/models/M
  ModelReady,  ///< /v2/models/M/ready
  Statistics,  ///< /v2/models/stats, /v2/models/M/stats
  Infer        ///< /v2/models/M/infer
};

struct Route {
  Endpoint endpoint = Endpoint::Server;
  /** Empty if the path names none. */
  std::string model;
  /** The text after M/versions/. Unset if the path has no such part. */
  std::optional<std::string> version;

  bool operator==(const Route&) const = default;
};

/** Unset for an unknown path. Decodes percent-encoded text once, in each segment. */
std::optional<Route> routeOf(const char* path);

}  // namespace elf
