// SPDX-License-Identifier: LGPL-2.1-or-later
// What a live stream notices of one server in three that is killed, and started again 5 s later.
#include <gst/gst.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/support/killed_server.h"

namespace {

constexpr int kFramesPerSecond = 25;

double percentOf(std::size_t count, std::size_t of) {
  return of == 0 ? 0 : 100 * static_cast<double>(count) / static_cast<double>(of);
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: server-kill ELF-SERVER\n");
    return 2;
  }
  elf::testing::KilledServerRun run{.program = argv[1],
                                    .framesPerSecond = kFramesPerSecond,
                                    .kill = 4 * kFramesPerSecond,
                                    .restart = 9 * kFramesPerSecond,
                                    .end = 20 * kFramesPerSecond};
  run.run();

  const auto phase = [&](const char* name, std::size_t begin, std::size_t end) {
    std::size_t whole = 0, late = 0, byIt = 0;
    double slowest = 0, sum = 0;
    for (std::size_t i = begin; i < end && i < run.records.size(); ++i) {
      const elf::FrameRecord& record = run.records[i];
      const double took = elf::testing::KilledServerRun::milliseconds(record);
      whole += elf::testing::KilledServerRun::isWhole(record);
      late += took > static_cast<double>(run.deadline.count());
      slowest = std::max(slowest, took);
      sum += took;
      for (const elf::PartAnswer& answer : record.answers)
        byIt += answer.server == elf::testing::KilledServerRun::kKilled &&
                answer.state == elf::AnswerState::Answered;
    }
    const std::size_t frames = std::min(end, run.records.size()) - begin;
    std::printf("%-12s %6zu %7.1f %% %6zu %9.1f %9.1f %7zu\n", name, frames,
                percentOf(whole, frames), late, sum / static_cast<double>(frames), slowest, byIt);
  };
  std::printf("%-12s %6s %9s %6s %9s %9s %7s\n", "", "frames", "whole", "late", "mean ms", "max ms",
              "by it");
  phase("three", 0, run.kill);
  phase("killed", run.kill, run.restart);
  phase("started", run.restart, run.end);
  const auto back = run.backAt();
  std::printf("lost %zu, whole again after %zu frames, the server has work again ",
              run.end - run.records.size(), run.untilWhole());
  if (back)
    std::printf("%.1f s after it was started\n",
                static_cast<double>(*back - run.restart) / kFramesPerSecond);
  else
    std::printf("never\n");
  const bool good = run.records.size() == run.end && run.untilWhole() <= 2 && back &&
                    run.slowest() <= static_cast<double>(run.deadline.count());
  return good ? 0 : 1;
}
