// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/metrics/client_series.h"

#include <gio/gio.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <string>

#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "tests/support/gate.h"
#include "tests/support/metrics_text.h"
#include "tests/support/scrape.h"

namespace elf {
namespace {

using namespace std::chrono_literals;
using testing::freePort;
using testing::Gate;
using ::testing::HasSubstr;
using testing::MetricsText;
using testing::scrape;
using ::testing::StartsWith;

class MetricsEndpoint : public ::testing::Test {
 protected:
  MetricsPlace place() const { return {.port = port_}; }
  static ClientLabels labels(const char* element) {
    return {.element = element, .stream = "pipeline0"};
  }
  static ClientWork nothing() { return {}; }

  /** A connection to the endpoint that sends nothing by itself. */
  Ref<GSocketConnection> connect() const {
    const Ref<GSocketClient> client(g_socket_client_new());
    return Ref<GSocketConnection>(
        g_socket_client_connect_to_host(client.get(), "127.0.0.1", port_, nullptr, nullptr));
  }
  /** Sends `text`; returns all that comes back until the endpoint closes the connection. */
  static std::string say(GSocketConnection* connection, const std::string& text) {
    g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(connection)), text.data(),
                              text.size(), nullptr, nullptr, nullptr);
    std::string said(65536, '\0');
    gsize size = 0;
    g_input_stream_read_all(g_io_stream_get_input_stream(G_IO_STREAM(connection)), said.data(),
                            said.size(), &size, nullptr, nullptr);
    said.resize(size);
    return said;
  }

  const std::uint16_t port_ = freePort();
};

TEST_F(MetricsEndpoint, ADestructorWaitsForAScrapeInProgress) {
  Gate gate;
  gate.close();
  std::atomic<bool> gone = false, lookedAfter = false;
  auto series = openClientSeries(place(), labels("a"), [&] {
    gate.pass();
    lookedAfter = gone.load();
    return ClientWork();
  });
  auto reading = std::async(std::launch::async, [this] { return scrape(port_).status; });
  gate.awaitEntered(1);
  auto going = std::async(std::launch::async, [&] {
    series.reset();
    gone = true;
  });
  EXPECT_EQ(going.wait_for(50ms), std::future_status::timeout);
  gate.open();
  going.get();
  EXPECT_FALSE(lookedAfter);
  reading.get();
}

TEST_F(MetricsEndpoint, AnExceptionIsA500AndLeavesTheEndpointAsItWas) {
  std::atomic<bool> fails = true;
  const auto series = openClientSeries(place(), labels("a"), [&] {
    if (fails) throw std::runtime_error("not now");
    return ClientWork();
  });
  EXPECT_EQ(scrape(port_).status, 500U);
  fails = false;
  EXPECT_EQ(scrape(port_).status, 200U);
}

TEST_F(MetricsEndpoint, EqualLabelsGetNumbers) {
  const auto one = openClientSeries(place(), labels("a"), nothing);
  auto two = openClientSeries(place(), labels("a"), nothing);
  const auto three = openClientSeries(place(), labels("a"), nothing);
  const auto has = [this](const char* element) {
    return MetricsText(scrape(port_).text).with("element=\"" + std::string(element) + "\"") > 0;
  };
  EXPECT_TRUE(has("a") && has("a#2") && has("a#3"));
  two.reset();
  EXPECT_FALSE(has("a#2"));
  const auto four = openClientSeries(place(), labels("a"), nothing);
  EXPECT_TRUE(has("a#2"));
}

TEST_F(MetricsEndpoint, APortInUseAndAHostNameAreErrors) {
  const Ref<GSocketListener> taken(g_socket_listener_new());
  ASSERT_TRUE(g_socket_listener_add_inet_port(taken.get(), port_, nullptr, nullptr));
  const auto errorOf = [](const MetricsPlace& where) {
    try {
      const auto series = openClientSeries(where, labels("a"), nothing);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(errorOf(place()),
              HasSubstr("metrics-port: cannot listen on 127.0.0.1:" + std::to_string(port_)));
  for (const char* address : {"localhost", "", "nonsense"})
    EXPECT_THAT(errorOf({.address = address, .port = port_}),
                HasSubstr("metrics-address: '" + std::string(address) + "'"));
}

TEST_F(MetricsEndpoint, OpenConnectionsDoNotHoldUpItsEnd) {
  auto series = openClientSeries(place(), labels("a"), nothing);
  const auto silent = connect(), slow = connect();
  ASSERT_TRUE(silent && slow);
  const std::string begun = "GET /metr";
  g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(slow.get())), begun.data(),
                            begun.size(), nullptr, nullptr, nullptr);
  EXPECT_EQ(scrape(port_).status, 200U);
  series.reset();
  EXPECT_EQ(say(silent.get(), ""), "");
  EXPECT_EQ(say(slow.get(), ""), "");
  const auto again = openClientSeries(place(), labels("a"), nothing);
  EXPECT_EQ(scrape(port_).status, 200U);
}

TEST_F(MetricsEndpoint, ARequestThatTwoProgramsMayReadDifferentlyIsA400) {
  const auto series = openClientSeries(place(), labels("a"), nothing);
  const std::string head = "GET /metrics HTTP/1.1\r\nHost: x\r\n";
  for (const char* more :
       {"Host: y\r\n\r\n", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"})
    EXPECT_THAT(say(connect().get(), head + more), StartsWith("HTTP/1.1 400 ")) << more;
}

TEST_F(MetricsEndpoint, BodiesAreBoundedAndSoAreConnections) {
  const auto series = openClientSeries(place(), labels("a"), nothing);
  const std::string large(std::size_t{300} << 10, 'x');
  say(connect().get(), "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                           std::to_string(large.size()) + "\r\n\r\n" + large);
  EXPECT_EQ(scrape(port_).status, 200U);
  std::vector<Ref<GSocketConnection>> open;
  for (int i = 0; i < 40; ++i) open.push_back(connect());
  // The last one is beyond the bound: the endpoint closes it.
  EXPECT_EQ(say(open.back().get(), ""), "");
  open.clear();
  // It notices that they are gone.
  while (scrape(port_).status != 200U) {
  }
}

}  // namespace
}  // namespace elf
