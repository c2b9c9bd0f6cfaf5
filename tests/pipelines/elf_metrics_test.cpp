// SPDX-License-Identifier: LGPL-2.1-or-later
// The metrics of pipelines with elf-server processes.
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "elf/server/local_server.h"
#include "tests/support/elf_pipeline.h"
#include "tests/support/metrics_text.h"
#include "tests/support/scrape.h"
#include "tests/support/stats.h"

namespace elf::gst {
namespace {

using elf::testing::freePort;
using elf::testing::MetricsText;
using elf::testing::OffloadStatsOf;
using elf::testing::Pipeline;
using elf::testing::scrape;

LocalServer newServer() {
  return LocalServer(
      {.program = std::string(getenv("ELF_TEST_BUILD_ROOT")) + "/lib/programs/elf-server",
       .arguments = {"--model", "simulated"}});
}

class PipelineMetrics : public ::testing::Test {
 protected:
  /** One camera, its elfoffload called "o0", its appsink "s0" for number 0. */
  std::string camera(int number, int frames) const {
    const std::string name = std::to_string(number);
    return "videotestsrc is-live=true pattern=ball num-buffers=" + std::to_string(frames) +
           " ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! queue ! elfrppredict "
           "! elfpartition ! elfoffload model=simulated servers=" +
           a_->url() + "," + b_->url() + " metrics-port=" + std::to_string(port_) + " name=o" +
           name + " ! elfmerge ! appsink sync=false name=s" + name + " ";
  }
  MetricsText metrics() const { return MetricsText(scrape(port_).text); }
  static std::unique_ptr<OffloadStatsOf> statsOf(const Pipeline& pipeline, const char* name) {
    GstElement* offload = pipeline.element(name);
    auto stats = std::make_unique<OffloadStatsOf>(offload);
    gst_object_unref(offload);
    return stats;
  }
  static std::string labels(const Pipeline& pipeline, const char* element) {
    return "{element=\"" + std::string(element) + "\",stream=\"" +
           std::string(GST_OBJECT_NAME(pipeline.get())) + "\"}";
  }
  /** Adds `more` to the labels. */
  static std::string with(std::string labels, const std::string& more) {
    labels.back() = ',';
    return labels + more;
  }

  const int port_ = freePort();
  std::optional<LocalServer> a_ = newServer(), b_ = newServer();
};

TEST_F(PipelineMetrics, AreWhatStatsSayWhileTheyPlayAndAfter) {
  constexpr int kFrames = 45;
  Pipeline pipeline(camera(0, kFrames) + camera(1, kFrames), "s0");
  pipeline.play();
  std::size_t shown = 0;
  while (shown < 15 && pipeline.next()) ++shown;
  ASSERT_EQ(shown, 15U);
  for (const char* element : {"o0", "o1"}) {
    const auto before = statsOf(pipeline, element);
    const MetricsText text = metrics();
    const auto after = statsOf(pipeline, element);
    const struct {
      const char* series;
      const char* field;
    } kSame[] = {{"elf_client_parts_sent_total", "parts-sent"},
                 {"elf_client_parts_failed_total", "parts-failed"},
                 {"elf_client_parts_late_total", "parts-late"},
                 {"elf_client_parts_retried_total", "parts-retried"},
                 {"elf_client_parts_hedged_total", "parts-hedged"},
                 {"elf_client_hedges_won_total", "hedges-won"},
                 {"elf_client_sent_bytes_total", "bytes-sent"},
                 {"elf_client_whole_bytes_total", "bytes-whole"},
                 {"elf_client_sent_pixels_total", "pixels-sent"}};
    for (const auto& same : kSame) {
      const double value = text[same.series + labels(pipeline, element)];
      EXPECT_GE(value, static_cast<double>(before->count(same.field))) << same.series;
      EXPECT_LE(value, static_cast<double>(after->count(same.field))) << same.series;
    }
  }

  for (const char* sink : {"s0", "s1"}) pipeline.allOf(sink);
  const MetricsText text = metrics();
  EXPECT_EQ(text.sum("elf_client_frames_total"), 2 * kFrames);
  EXPECT_EQ(text.sum("elf_client_frame_delay_seconds_count"), 2 * kFrames);
  for (const char* element : {"o0", "o1"}) {
    const auto stats = statsOf(pipeline, element);
    const std::string of = labels(pipeline, element);
    EXPECT_EQ(text["elf_client_parts_sent_total" + of],
              static_cast<double>(stats->count("parts-sent")));
    EXPECT_EQ(text["elf_client_frames_total" + with(of, R"(outcome="skipped"})")],
              static_cast<double>(stats->count("skipped")));
    EXPECT_EQ(text["elf_client_frame_delay_seconds_count" + of], kFrames);
  }
  EXPECT_EQ(text.with(R"(state="closed")"), 4U) << "two servers for each of two elements";
  EXPECT_EQ(text.sum("elf_client_server_state"), 4);
  pipeline.stop();
  EXPECT_EQ(scrape(port_).status, 0U);
}

TEST_F(PipelineMetrics, TellThatAServerIsDown) {
  Pipeline pipeline(camera(0, 3000), "s0");
  pipeline.play();
  const auto state = [&](const LocalServer& server, const char* name) {
    return metrics()["elf_client_server_state" +
                     with(labels(pipeline, "o0"),
                          "server=\"" + server.url() + "\",mention=\"0\",state=\"" + name + "\"}")];
  };
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(pipeline.next());
  EXPECT_EQ(state(*b_, "closed"), 1);
  ::kill(b_->pid(), SIGKILL);
  while (state(*b_, "open") != 1) ASSERT_TRUE(pipeline.next());
  EXPECT_EQ(state(*b_, "closed"), 0);
  EXPECT_EQ(state(*a_, "closed"), 1);
}

TEST_F(PipelineMetrics, TwoPipelinesOfOneProcessShareTheEndpoint) {
  Pipeline one(camera(0, 1000), "s0"), other(camera(0, 1000), "s0");
  one.play();
  other.play();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(one.next());
    ASSERT_TRUE(other.next());
  }
  const std::string sent = "elf_client_parts_sent_total";
  EXPECT_GT(metrics()[sent + labels(one, "o0")], 0);
  EXPECT_GT(metrics()[sent + labels(other, "o0")], 0);
  one.stop();
  const MetricsText text = metrics();
  EXPECT_TRUE(std::isnan(text[sent + labels(one, "o0")]));
  EXPECT_GT(text[sent + labels(other, "o0")], 0);
}

}  // namespace
}  // namespace elf::gst
