// SPDX-License-Identifier: LGPL-2.1-or-later
// What elf-server reads in paths and headers.
#include <gtest/gtest.h>

#include "elf/server/request_headers.h"
#include "elf/server/router.h"

namespace elf {
namespace {

TEST(Router, NamesTheEndpointOfAPath) {
  EXPECT_EQ(routeOf("/v2"), (Route{.endpoint = Endpoint::Server}));
  EXPECT_EQ(routeOf("/v2/"), (Route{.endpoint = Endpoint::Server}));
  EXPECT_EQ(routeOf("/"), (Route{.endpoint = Endpoint::Page}));
  EXPECT_EQ(routeOf("/status"), (Route{.endpoint = Endpoint::Status}));
  EXPECT_EQ(routeOf("/metrics"), (Route{.endpoint = Endpoint::Metrics}));
  EXPECT_EQ(routeOf("/v2/health/live"), (Route{.endpoint = Endpoint::Live}));
  EXPECT_EQ(routeOf("/v2/health/ready"), (Route{.endpoint = Endpoint::Ready}));
  EXPECT_EQ(routeOf("/v2/models/stats"), (Route{.endpoint = Endpoint::Statistics}));
  EXPECT_EQ(routeOf("/v2/models/m"), (Route{.endpoint = Endpoint::Model, .model = "m"}));
  EXPECT_EQ(routeOf("/v2/models/m%20n/ready"),
            (Route{.endpoint = Endpoint::ModelReady, .model = "m n"}));
  EXPECT_EQ(routeOf("/v2/models/m%2520n"), (Route{.endpoint = Endpoint::Model, .model = "m%20n"}));
  EXPECT_EQ(routeOf("/v2/models/m/versions/2/infer"),
            (Route{.endpoint = Endpoint::Infer, .model = "m", .version = "2"}));
  EXPECT_EQ(routeOf("/v2/models/m/stats"), (Route{.endpoint = Endpoint::Statistics, .model = "m"}));
}

TEST(Router, KnowsNoOtherPath) {
  for (const char* path : {"/v1", "/index.html", "/status/more", "/V2", "/v2/health", "/v2/models",
                           "/v2/models/m/versions", "/v2/models/m/odd", "/v2/models/m/infer/more",
                           "/metrics/more", "/v2/../etc/passwd", "/v2%2Fmodels/m",
                           "/v2/models/m%2Fready", "/v2/models/m%00", "/v2/models/%zz"})
    EXPECT_FALSE(routeOf(path)) << path;
}

TEST(TraceParent, GivesTheTraceIdOfOneThatIsValid) {
  const std::string id = "4bf92f3577b34da6a3ce929d0e0e4736";
  EXPECT_EQ(traceIdOf(("00-" + id + "-00f067aa0ba902b7-01").c_str()), id);
  EXPECT_EQ(traceIdOf(("cc-" + id + "-00f067aa0ba902b7-01-what-is-new").c_str()), id);
}

TEST(TraceParent, IsRefusedWhereItIsBroken) {
  const std::string id = "4bf92f3577b34da6a3ce929d0e0e4736";
  EXPECT_EQ(traceIdOf(nullptr), "");
  for (const std::string& broken :
       {std::string(), "00-" + id + "-00f067aa0ba902b7-0", "00-" + id + "-00f067aa0ba902b7-01-more",
        "ff-" + id + "-00f067aa0ba902b7-01", "00-" + id + "-0000000000000000-01",
        "00-" + std::string(32, '0') + "-00f067aa0ba902b7-01",
        std::string("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"),
        "00_" + id + "-00f067aa0ba902b7-01", "00-" + id + "-00f067aa0ba902b7-zz"})
    EXPECT_EQ(traceIdOf(broken.c_str()), "") << broken;
}

TEST(JsonLength, IsANumberOrNothing) {
  EXPECT_EQ(jsonLengthOf("17"), 17U);
  for (const char* odd : {"", "-1", "1x", "99999999999999999999"})
    EXPECT_FALSE(jsonLengthOf(odd)) << odd;
}

}  // namespace
}  // namespace elf
