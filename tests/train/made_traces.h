// SPDX-License-Identifier: LGPL-2.1-or-later
// A small data set that is made up: objects that move at a steady speed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "research/data/traces.h"

namespace elf::testing {

inline std::vector<Trace> madeTraces(int videos, int frames) {
  std::mt19937 random(1);
  const auto between = [&](float low, float high) {
    return std::uniform_real_distribution<float>(low, high)(random);
  };
  std::vector<Trace> traces;
  for (int video = 0; video < videos; ++video) {
    Trace trace{"video" + std::to_string(video), {}};
    for (int number = 0; number < frames; ++number)
      trace.frames.push_back({number, {640, 480}, {}});
    for (std::int64_t id = 1000; id < 1004; ++id) {
      const float x = between(0, 400), y = between(0, 300), w = between(40, 120),
                  h = between(40, 120), dx = between(-4, 4), dy = between(-2, 2);
      for (int number = 0; number < frames; ++number) {
        const auto t = static_cast<float>(number);
        const float x0 = x + dx * t, y0 = y + dy * t;
        trace.frames[static_cast<std::size_t>(number)].objects.push_back(
            {.id = id, .labelId = 1, .label = "car", .box = {x0, y0, x0 + w, y0 + h}});
      }
    }
    traces.push_back(std::move(trace));
  }
  return traces;
}

/** Writes traces in the format `elf-release`. */
inline void writeTraces(const std::vector<Trace>& traces, const std::string& folder) {
  for (const Trace& trace : traces) {
    std::filesystem::create_directories(folder + "/" + trace.name);
    for (const TraceFrame& frame : trace.frames) {
      std::ofstream file(folder + "/" + trace.name + "/" + std::to_string(frame.number) + ".txt");
      for (const TraceObject& object : frame.objects)
        file << object.box.x0 << ' ' << object.box.y0 << ' ' << object.box.width() << ' '
             << object.box.height() << ' ' << object.id << ' ' << frame.size.width << ' '
             << frame.size.height << '\n';
    }
  }
}

}  // namespace elf::testing
