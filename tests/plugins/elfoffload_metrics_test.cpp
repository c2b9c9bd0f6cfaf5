// SPDX-License-Identifier: LGPL-2.1-or-later
// The metrics of elfoffload, as Prometheus reads them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gst/elfvision/gstelfmeta.h"
#include "tests/support/bus.h"
#include "tests/support/harness.h"
#include "tests/support/metrics_text.h"
#include "tests/support/scrape.h"
#include "tests/support/stats.h"
#include "tests/support/stub_server.h"

namespace elf::gst {
namespace {

using elf::testing::BusOf;
using elf::testing::freePort;
using elf::testing::Harness;
using elf::testing::MetricsText;
using elf::testing::OffloadStatsOf;
using elf::testing::scrape;
using elf::testing::StubServer;
using ::testing::HasSubstr;

/** Threads of this process with the name of the endpoint's. */
int endpoints() {
  int count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name == "elf-metrics") ++count;
  }
  return count;
}

/** Waits for this number of endpoints: a thread gets its name a moment after it was started, and is
 * gone a moment after it was joined. */
bool awaitEndpoints(int count) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (endpoints() != count && std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  return endpoints() == count;
}

class OffloadMetrics : public ::testing::Test {
 protected:
  std::string element(const std::string& name, int port, const std::string& more = {}) const {
    return "elfoffload name=" + name + " servers=" + server_.url() +
           " metrics-port=" + std::to_string(port) + " " + more;
  }
  static std::unique_ptr<Harness> started(const std::string& element) {
    auto harness = std::make_unique<Harness>(element);
    harness->setVideo(64, 48);
    return harness;
  }
  static void pass(Harness& harness, int frames) {
    for (int i = 0; i < frames; ++i) {
      ASSERT_EQ(harness.push(harness.frame(i)), GST_FLOW_OK);
      gst_buffer_unref(harness.pull());
    }
  }
  static MetricsText metrics(int port) { return MetricsText(scrape(port).text); }
  static double frames(const MetricsText& text, const std::string& element,
                       const std::string& outcome) {
    return text["elf_client_frames_total{element=\"" + element + "\",stream=\"" + element +
                "\",outcome=\"" + outcome + "\"}"];
  }

  const int port_ = freePort();
  StubServer server_;
};

TEST_F(OffloadMetrics, AreThoseOfStats) {
  const auto harness = started(element("front", port_));
  pass(*harness, 3);
  const auto answer = scrape(port_);
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(answer.type, "text/plain; version=0.0.4; charset=utf-8");
  const MetricsText text(answer.text);
  const OffloadStatsOf stats(harness->element());
  EXPECT_EQ(frames(text, "front", "inferred"), 3);
  EXPECT_EQ(text.sum("elf_client_frames_total"), static_cast<double>(stats.count("frames")));
  EXPECT_EQ(text.sum("elf_client_parts_sent_total"),
            static_cast<double>(stats.count("parts-sent")));
  EXPECT_EQ(text.sum("elf_client_sent_bytes_total"),
            static_cast<double>(stats.count("bytes-sent")));
  EXPECT_EQ(text.sum("elf_client_whole_bytes_total"),
            static_cast<double>(stats.count("bytes-whole")));
  EXPECT_EQ(text.sum("elf_client_server_answers_total"), static_cast<double>(stats.answers(0)));
  EXPECT_NEAR(text.sum("elf_client_server_fixed_cost_seconds") * 1e3, stats.cost(0, "fixed-ms"),
              1e-6);
  EXPECT_EQ(text.with("server=\"" + server_.url() + "\",mention=\"0\",state=\"closed\""), 1U);
  EXPECT_EQ(text.sum("elf_client_frame_delay_seconds_count"), 3);
}

TEST_F(OffloadMetrics, AreOffByDefault) {
  EXPECT_TRUE(awaitEndpoints(0));
  const auto harness = started("elfoffload servers=" + server_.url());
  pass(*harness, 1);
  EXPECT_TRUE(awaitEndpoints(0));
}

TEST_F(OffloadMetrics, NoneAreReadElsewhereNorWritten) {
  const auto harness = started(element("front", port_));
  EXPECT_EQ(scrape(port_, "/").status, 404U);
  EXPECT_EQ(scrape(port_, "/metrics/more").status, 404U);
  EXPECT_EQ(scrape(port_, "/metrics", "POST").status, 405U);
  EXPECT_EQ(scrape(port_, "/metrics", "DELETE").status, 405U);
  const auto head = scrape(port_, "/metrics", "HEAD");
  EXPECT_EQ(head.status, 200U);
  EXPECT_EQ(head.text, "");
}

TEST_F(OffloadMetrics, AFrameThatWaitsForItsAnswerHoldsUpNoScrape) {
  const auto harness = started(element("front", port_, "max-in-flight=2 deadline=-1"));
  server_.hold();
  ASSERT_EQ(harness->push(harness->frame(0)), GST_FLOW_OK);
  server_.awaitRequests(1);
  const MetricsText text = metrics(port_);
  EXPECT_EQ(text.sum("elf_client_parts_sent_total"), 1);
  EXPECT_EQ(text.sum("elf_client_frames_total"), 0);
  EXPECT_GT(text.sum("elf_client_server_outstanding_seconds"), 0);
  server_.release();
  gst_buffer_unref(harness->pull());
  EXPECT_EQ(metrics(port_).sum("elf_client_frames_total"), 1);
}

TEST_F(OffloadMetrics, SkippedFramesAreNoInferredOnes) {
  const auto harness = started(element("front", port_, "leaky=true"));
  pass(*harness, 1);
  server_.hold();
  for (int i = 1; i < 4; ++i) ASSERT_EQ(harness->push(harness->frame(i)), GST_FLOW_OK);
  server_.release();
  for (int i = 1; i < 4; ++i) gst_buffer_unref(harness->pull());
  const MetricsText text = metrics(port_);
  EXPECT_EQ(frames(text, "front", "inferred"), 2);
  EXPECT_EQ(frames(text, "front", "skipped"), 2);
  EXPECT_EQ(OffloadStatsOf(harness->element()).count("skipped"), 2U);
  EXPECT_EQ(text.sum("elf_client_box_age_seconds_count"), 4);
  EXPECT_DOUBLE_EQ(text.sum("elf_client_box_age_seconds_sum"), 0.02 + 0.01);
}

// --- who shares what

TEST_F(OffloadMetrics, TwoElementsShareAPortAndOneThatIsGoneTakesItsSeriesAlong) {
  const auto front = started(element("front", port_));
  auto back = started(element("back", port_));
  EXPECT_TRUE(awaitEndpoints(1));
  pass(*front, 1);
  pass(*back, 2);
  MetricsText both = metrics(port_);
  EXPECT_EQ(frames(both, "front", "inferred"), 1);
  EXPECT_EQ(frames(both, "back", "inferred"), 2);
  back.reset();
  const MetricsText one = metrics(port_);
  EXPECT_EQ(frames(one, "front", "inferred"), 1);
  EXPECT_EQ(one.with("back"), 0U);
  EXPECT_TRUE(awaitEndpoints(1));
}

TEST_F(OffloadMetrics, TwoElementsOfOneNameAreToldApart) {
  const auto one = started(element("front", port_)), two = started(element("front", port_));
  pass(*one, 1);
  const MetricsText text = metrics(port_);
  EXPECT_EQ(frames(text, "front", "inferred"), 1);
  EXPECT_EQ(text[R"(elf_client_parts_sent_total{element="front#2",stream="front"})"], 0);
}

TEST_F(OffloadMetrics, AnotherPortIsAnotherEndpoint) {
  const int other = freePort();
  const auto front = started(element("front", port_)), back = started(element("back", other));
  EXPECT_TRUE(awaitEndpoints(2));
  EXPECT_EQ(metrics(port_).with("back"), 0U);
  EXPECT_EQ(metrics(other).with("front"), 0U);
  EXPECT_GT(metrics(other).with("back"), 0U);
}

TEST_F(OffloadMetrics, AnotherAddressIsAnotherEndpoint) {
  const auto there = started(element("there", port_, "metrics-address=127.0.0.2"));
  EXPECT_EQ(scrape(port_).status, 0U);
  const auto here = started(element("here", port_));
  EXPECT_TRUE(awaitEndpoints(2));
  EXPECT_EQ(metrics(port_).with("there"), 0U);
}

TEST_F(OffloadMetrics, TheEndpointGoesWithTheLastOneAndComesAgain) {
  for (int i = 0; i < 3; ++i) {
    const auto harness = started(element("front", port_));
    pass(*harness, 1);
    EXPECT_EQ(frames(metrics(port_), "front", "inferred"), 1) << "counts begin anew";
    gst_element_set_state(harness->element(), GST_STATE_READY);
    EXPECT_TRUE(awaitEndpoints(0));
    EXPECT_EQ(scrape(port_).status, 0U);
    EXPECT_EQ(OffloadStatsOf(harness->element()).count("frames"), 1U);
  }
}

TEST_F(OffloadMetrics, TheNameOfThePipelineTellsStreamsApart) {
  GstElement* pipeline = gst_pipeline_new("door");
  GstElement* bin = gst_bin_new("inner");
  GstElement* offload = gst_parse_launch(element("front", port_).c_str(), nullptr);
  gst_bin_add(GST_BIN(bin), offload);
  gst_bin_add(GST_BIN(pipeline), bin);
  gst_element_set_state(pipeline, GST_STATE_PAUSED);
  EXPECT_EQ(metrics(port_)[R"(elf_client_parts_sent_total{element="front",stream="door"})"], 0);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pipeline);
}

// --- what may go wrong

/** Takes an element that can't start to PAUSED; returns its one error. */
std::string errorOf(const std::string& launch) {
  GstElement* element = gst_parse_launch(launch.c_str(), nullptr);
  std::string text;
  {
    BusOf bus(element);
    EXPECT_EQ(gst_element_set_state(element, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    GstMessage* message = bus.pop(GST_MESSAGE_ERROR);
    if (message) {
      GError* error = nullptr;
      gst_message_parse_error(message, &error, nullptr);
      EXPECT_EQ(error->domain, GST_RESOURCE_ERROR);
      text = error->message;
      g_error_free(error);
      gst_message_unref(message);
    }
    EXPECT_FALSE(bus.has(GST_MESSAGE_ERROR));
  }
  gst_element_set_state(element, GST_STATE_NULL);
  gst_object_unref(element);
  return text;
}

TEST_F(OffloadMetrics, APortThatIsInUseIsOneErrorThatNamesIt) {
  GSocketListener* listener = g_socket_listener_new();
  GSocketAddress* taken =
      g_inet_socket_address_new_from_string("127.0.0.1", static_cast<guint>(port_));
  ASSERT_TRUE(g_socket_listener_add_address(listener, taken, G_SOCKET_TYPE_STREAM,
                                            G_SOCKET_PROTOCOL_TCP, nullptr, nullptr, nullptr));
  const std::string text = errorOf(element("front", port_));
  EXPECT_THAT(text, HasSubstr("metrics-port: cannot listen on 127.0.0.1:" + std::to_string(port_)));
  EXPECT_TRUE(awaitEndpoints(0));
  g_object_unref(taken);
  g_object_unref(listener);
  const auto harness = started(element("front", port_));
  EXPECT_EQ(scrape(port_).status, 200U) << "it is free again";
}

TEST_F(OffloadMetrics, AHostNameIsNoAddress) {
  EXPECT_THAT(errorOf(element("front", port_, "metrics-address=localhost")),
              HasSubstr("metrics-address: 'localhost'"));
}

TEST_F(OffloadMetrics, WhereTheElementCannotStartNothingIsLeft) {
  EXPECT_THAT(errorOf(element("front", port_, "ca-file=/nowhere/ca.pem")), HasSubstr("ca-file"));
  EXPECT_TRUE(awaitEndpoints(0));
}

TEST_F(OffloadMetrics, ElementsComeAndGoWhileTheyAreRead) {
  std::atomic<bool> done = false;
  std::atomic<int> read = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i)
    readers.emplace_back([&] {
      while (!done)
        if (const auto answer = scrape(port_); answer.status == 200U) {
          const MetricsText text(answer.text);
          ++read;
        }
    });
  std::vector<std::thread> elements;
  for (const char* name : {"front", "back", "side"})
    elements.emplace_back([this, name, &read] {
      for (int i = 0; i < 10 || read < 20; ++i) pass(*started(element(name, port_)), 2);
    });
  for (std::thread& each : elements) each.join();
  done = true;
  for (std::thread& each : readers) each.join();
  EXPECT_TRUE(awaitEndpoints(0));
}

}  // namespace
}  // namespace elf::gst
