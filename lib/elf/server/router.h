// SPDX-License-Identifier: LGPL-2.1-or-later
// Which of the server's endpoints a path names. Not installed.
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
  /** Empty where the path names none. */
  std::string model;
  /** What stands behind M/versions/; unset where the path has no such part. */
  std::optional<std::string> version;

  bool operator==(const Route&) const = default;
};

/** Unset for a path that is none of them. Percent-encoded text is decoded once, in each segment. */
std::optional<Route> routeOf(const char* path);

}  // namespace elf
