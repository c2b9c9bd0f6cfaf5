// SPDX-License-Identifier: LGPL-2.1-or-later
// A live stream on three elf-server processes, one of which is killed and started again.
#pragma once

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "elf/server/local_server.h"
#include "tests/support/elf_pipeline.h"
#include "tests/support/stats.h"

namespace elf::testing {

struct KilledServerRun {
  std::string program;
  int framesPerSecond = 25;
  std::chrono::milliseconds deadline{500};
  /** When so many frames have come out. */
  std::size_t kill = 15, restart = 25, end = 90;

  // What came of it.
  std::vector<FrameRecord> records;
  guint64 skipped = 0;
  bool healthyAtEnd = false;

  void run();

  static bool isWhole(const FrameRecord& record) {
    return !record.answers.empty() &&
           std::ranges::all_of(record.answers, [](const PartAnswer& answer) {
             return answer.state == AnswerState::Answered;
           });
  }
  /** From the first whole frame on: those before it pass while the servers are asked what they are.
   */
  auto fromFirstWhole() const {
    return std::ranges::subrange(std::ranges::find_if(records, &KilledServerRun::isWhole),
                                 records.end());
  }
  /** Frames that lack an answer. */
  std::size_t broken() const {
    const auto frames = fromFirstWhole();
    return static_cast<std::size_t>(std::ranges::size(frames) -
                                    std::ranges::count_if(frames, &KilledServerRun::isWhole));
  }
  /** Frames from the kill until all that follow are whole. */
  std::size_t untilWhole() const {
    for (std::size_t i = records.size(); i > kill; --i)
      if (!isWhole(records[i - 1])) return i - kill;
    return 0;
  }
  /** From entry into elfoffload until the answers, in milliseconds. */
  static double milliseconds(const FrameRecord& record) {
    return static_cast<double>(record.timings.offload.count()) / 1000;
  }
  double slowest() const {
    double slowest = 0;
    for (const FrameRecord& record : records) slowest = std::max(slowest, milliseconds(record));
    return slowest;
  }
  /** The first frame after the kill that the killed server had a share in again; unset: none. */
  std::optional<std::size_t> backAt() const {
    for (std::size_t i = restart; i < records.size(); ++i)
      for (const PartAnswer& answer : records[i].answers)
        if (answer.server == kKilled && answer.state == AnswerState::Answered) return i;
    return std::nullopt;
  }

  static constexpr int kKilled = 1;
};

inline void KilledServerRun::run() {
  const auto start = [this](const std::string& port) {
    return LocalServer({.program = program, .arguments = {"--port", port}});
  };
  std::vector<std::optional<LocalServer>> servers(3);
  std::string urls;
  for (auto& server : servers) {
    server.emplace(start("0"));
    urls += (urls.empty() ? "" : ",") + server->url();
  }
  Pipeline pipeline("videotestsrc is-live=true pattern=ball num-buffers=" + std::to_string(end) +
                    " ! video/x-raw,format=I420,width=240,height=180,framerate=" +
                    std::to_string(framesPerSecond) +
                    "/1 ! queue ! elfrppredict ! elfpartition partitioner=grid ! elfoffload "
                    "name=offload servers=" +
                    urls + " deadline=" + std::to_string(deadline.count()) +
                    " ! elfmerge ! queue ! appsink name=out sync=false");
  pipeline.play();
  while (auto record = pipeline.next()) {
    records.push_back(std::move(*record));
    auto& killed = servers[kKilled];
    if (records.size() == kill) ::kill(killed->pid(), SIGKILL);
    if (records.size() == restart) {
      const std::string port = killed->url().substr(killed->url().rfind(':') + 1);
      killed.emplace(start(port));
    }
  }
  GstElement* offload = pipeline.element("offload");
  const OffloadStatsOf stats(offload);
  gst_object_unref(offload);
  skipped = static_cast<guint64>(std::ranges::count(fromFirstWhole(), true, &FrameRecord::skipped));
  healthyAtEnd = stats.healthy(kKilled);
}

}  // namespace elf::testing
