// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/metrics/client_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <sstream>

#include "tests/support/metrics_text.h"

namespace elf {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::MetricsText;

FrameRecord answered(std::vector<AnswerState> states) {
  FrameRecord record;
  record.answered = true;
  record.inferred = std::ranges::count(states, AnswerState::Answered) == std::ssize(states);
  for (const AnswerState state : states) record.answers.push_back({.state = state});
  return record;
}

FrameRecord skipped() {
  FrameRecord record;
  record.answered = record.skipped = true;
  return record;
}

ClientMetrics client(std::string element, std::string stream = "pipeline0") {
  return {.labels = {.element = std::move(element), .stream = std::move(stream)}, .work = {}};
}

MetricsText textOf(const std::vector<ClientMetrics>& clients) {
  return MetricsText(metricsText(clients));
}

// --- the tally

TEST(FrameTally, AFrameCountsOnceByWhatItWentOnWith) {
  constexpr auto kYes = AnswerState::Answered, kNo = AnswerState::Late, kBad = AnswerState::Failed;
  FrameTally tally;
  tally.add(answered({kYes, kYes}), 10ms);
  tally.add(answered({}), 10ms);  // an empty plan
  tally.add(answered({kYes, kNo}), 10ms);
  tally.add(answered({kNo, kBad}), 10ms);
  tally.add(skipped(), 10ms);
  tally.add(skipped(), 10ms);
  EXPECT_THAT(tally.counts().frames, ElementsAre(2, 1, 1, 2));
  EXPECT_EQ(tally.counts().of(FrameOutcome::Skipped), 2U);
  tally.reset();
  EXPECT_THAT(tally.counts().frames, ElementsAre(0, 0, 0, 0));
}

TEST(FrameTally, ADurationIsCountedUpToItsBound) {
  DurationCounts durations;
  for (const double seconds : {0.0, 0.005, 0.0051, 9.9, 10.0, 10.1, 3600.0}) durations.add(seconds);
  EXPECT_THAT(durations.counts, ElementsAre(2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2));
  EXPECT_NEAR(durations.seconds, 3630.0101, 1e-9);
}

TEST(FrameTally, BoxesAreAsOldAsTheFrameThatTheyRestOn) {
  FrameTally tally;
  FrameRecord inferred = answered({AnswerState::Answered});
  inferred.horizon = 3;
  inferred.horizonTime = 100ms;
  tally.add(inferred, 10ms);
  FrameRecord coasted = skipped();
  coasted.horizon = 2;
  coasted.horizonTime = 80ms;
  tally.add(coasted, 10ms);
  tally.add(skipped(), 10ms);  // nothing was known
  const DurationCounts age = tally.counts().age;
  EXPECT_EQ(std::accumulate(age.counts.begin(), age.counts.end(), 0U), 2U);
  EXPECT_EQ(age.counts[0], 1U);
  EXPECT_DOUBLE_EQ(age.seconds, 0.08);
}

// --- the text

TEST(ClientMetrics, NamesAreThoseOfPrometheus) {
  const MetricsText text = textOf({client("a")});
  for (const auto& [name, type] : text.types()) {
    EXPECT_TRUE(name.starts_with("elf_client_")) << name;
    EXPECT_EQ(type == "counter", name.ends_with("_total")) << name;
    if (type == "histogram") {
      EXPECT_TRUE(name.ends_with("_seconds")) << name;
    }
  }
  EXPECT_EQ(text.types().size(), textOf({client("a"), client("b")}).types().size());
}

TEST(ClientMetrics, TheDocumentNamesEachOfThem) {
  const std::string file = std::string(getenv("ELF_TEST_SOURCE_ROOT")) + "/docs/tracing.md";
  std::stringstream document;
  document << std::ifstream(file).rdbuf();
  const MetricsText text = textOf({});
  for (const auto& [name, type] : text.types())
    EXPECT_NE(document.str().find("`" + name), std::string::npos) << name;
}

TEST(ClientMetrics, FramesAreTold) {
  FrameTally tally;
  tally.add(answered({AnswerState::Answered}), 20ms);
  tally.add(skipped(), 300ms);
  ClientMetrics one = client("front");
  one.work.frames = tally.counts();
  const MetricsText text = textOf({one});
  const std::string labels = R"({element="front",stream="pipeline0",)";
  EXPECT_EQ(text["elf_client_frames_total" + labels + R"(outcome="inferred"})"], 1);
  EXPECT_EQ(text["elf_client_frames_total" + labels + R"(outcome="skipped"})"], 1);
  EXPECT_EQ(text["elf_client_frames_total" + labels + R"(outcome="partial"})"], 0);
  EXPECT_EQ(text["elf_client_frames_total" + labels + R"(outcome="unanswered"})"], 0);
  const std::string bucket = "elf_client_frame_delay_seconds_bucket" + labels;
  EXPECT_EQ(text[bucket + R"(le="0.01"})"], 0);
  EXPECT_EQ(text[bucket + R"(le="0.025"})"], 1);
  EXPECT_EQ(text[bucket + R"(le="0.25"})"], 1);
  EXPECT_EQ(text[bucket + R"(le="0.5"})"], 2);
  EXPECT_EQ(text[bucket + R"(le="+Inf"})"], 2);
  EXPECT_EQ(text.sum("elf_client_frame_delay_seconds_count"), 2);
  EXPECT_DOUBLE_EQ(text.sum("elf_client_frame_delay_seconds_sum"), 0.32);
  EXPECT_EQ(text.sum("elf_client_box_age_seconds_count"), 1);
}

TEST(ClientMetrics, EachCountIsItsOwn) {
  ClientMetrics one = client("a");
  one.work.parts = {.partsSent = 1,
                    .partsFailed = 2,
                    .partsLate = 3,
                    .partsRetried = 4,
                    .partsHedged = 5,
                    .hedgesWon = 6,
                    .bytesSent = 123456789,
                    .pixelsSent = 8};
  one.work.pictures.wholeBytes = 9;
  one.work.answers = {.answers = 100, .late = 10};
  const MetricsText text = textOf({one});
  EXPECT_EQ(text.sum("elf_client_parts_sent_total"), 1);
  EXPECT_EQ(text.sum("elf_client_parts_failed_total"), 2);
  EXPECT_EQ(text.sum("elf_client_parts_late_total"), 3);
  EXPECT_EQ(text.sum("elf_client_parts_retried_total"), 4);
  EXPECT_EQ(text.sum("elf_client_parts_hedged_total"), 5);
  EXPECT_EQ(text.sum("elf_client_hedges_won_total"), 6);
  EXPECT_EQ(text.sum("elf_client_sent_bytes_total"), 123456789);
  EXPECT_EQ(text.sum("elf_client_sent_pixels_total"), 8);
  EXPECT_EQ(text.sum("elf_client_whole_bytes_total"), 9);
  EXPECT_EQ(text.sum("elf_client_late_answers_total"), 10);
}

TEST(ClientMetrics, AServerHasOneState) {
  ClientMetrics one = client("a");
  const auto add = [&](const char* url, CircuitBreaker::State circuit) {
    one.work.servers.push_back({.state = {.url = url}, .circuit = circuit});
  };
  add("http://10.0.0.1:8000", CircuitBreaker::State::Closed);
  add("http://10.0.0.2:8000", CircuitBreaker::State::Open);
  add("http://10.0.0.3:8000", CircuitBreaker::State::HalfOpen);
  const MetricsText text = textOf({one});
  const auto state = [&](int server, const char* name) {
    return text[R"(elf_client_server_state{element="a",stream="pipeline0",server="http://10.0.0.)" +
                std::to_string(server) + R"(:8000",mention="0",state=")" + name + "\"}"];
  };
  EXPECT_EQ(state(1, "closed"), 1);
  EXPECT_EQ(state(1, "open"), 0);
  EXPECT_EQ(state(1, "half_open"), 0);
  EXPECT_EQ(state(2, "open"), 1);
  EXPECT_EQ(state(3, "half_open"), 1);
  EXPECT_EQ(text.sum("elf_client_server_state"), 3);
}

TEST(ClientMetrics, CostsAreInSecondsAndAServerThatIsNamedTwiceIsTwo) {
  ClientMetrics one = client("a");
  const ServerState server{
      .url = "http://b", .cost = {.a = 0.01, .b = 2e-7, .c = 3e-8}, .busy = 0.5, .answers = 7};
  one.work.servers = {{.state = server, .circuit = {}}, {.state = server, .circuit = {}}};
  const MetricsText text = textOf({one});
  for (const char* mention : {"0", "1"}) {
    const std::string labels =
        std::string(R"({element="a",stream="pipeline0",server="http://b",mention=")") + mention +
        "\"}";
    EXPECT_EQ(text["elf_client_server_fixed_cost_seconds" + labels], 0.01);
    EXPECT_EQ(text["elf_client_server_pixel_cost_seconds" + labels], 2e-7);
    EXPECT_EQ(text["elf_client_server_byte_cost_seconds" + labels], 3e-8);
    EXPECT_EQ(text["elf_client_server_outstanding_seconds" + labels], 0.5);
    EXPECT_EQ(text["elf_client_server_answers_total" + labels], 7);
  }
}

TEST(ClientMetrics, LabelsAreEscaped) {
  const MetricsText text = textOf({client("a\"b\\c\nd", "ä")});
  EXPECT_EQ(text[R"(elf_client_parts_sent_total{element="a\"b\\c\nd",stream="ä"})"], 0);
}

}  // namespace
}  // namespace elf
