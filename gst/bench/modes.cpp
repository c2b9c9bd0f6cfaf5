// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/bench/modes.h"

namespace elf::bench {

namespace {

/** Quotes a string as one value for gst_parse_launch(). */
std::string quoted(const std::string& value) {
  std::string result = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

std::string join(const std::vector<std::string>& texts) {
  std::string result;
  for (const std::string& text : texts) result += (result.empty() ? "" : ",") + text;
  return result;
}

}  // namespace

const std::vector<std::string>& modeNames() {
  static const auto* const names = new std::vector<std::string>{
      "naive", "single", "roundrobin", "skip", "grid", "strips", "elf", "pipelined", "oracle"};
  return *names;
}

bool onlyLive(const std::string& name) {
  return name == "naive";
}

Mode makeMode(const std::string& name, const Options& options, const std::string& model,
              const std::vector<std::string>& servers) {
  Mode mode;
  mode.name = name;
  mode.fps = options.fps;
  mode.live = options.live;
  std::vector<std::string> used = servers;
  std::string before;
  if (name == "naive") {
    used.resize(1);
    mode.holdsBoxes = true;
  } else if (name == "single") {
    used.resize(1);
    mode.sample = options.sample;
  } else if (name == "roundrobin") {
    mode.inFlight = static_cast<int>(servers.size());
    mode.sample = options.sample;
  } else if (name == "skip") {
    used.resize(1);
    mode.interval = options.skipInterval;
    mode.holdsBoxes = true;
  } else if (name == "grid") {
    before = "elfpartition partitioner=grid";
    if (!options.grid.empty())
      before += " grid-columns=" + std::to_string(options.grid.width) +
                " grid-rows=" + std::to_string(options.grid.height);
    before += " ! ";
  } else if (name == "strips") {
    before = "elfrppredict ! elfpartition partitioner=strips ! ";
  } else if (name == "elf" || name == "pipelined") {
    if (name == "pipelined") mode.inFlight = static_cast<int>(servers.size());
    before = "elfrppredict ! elfpartition ! ";
  } else {
    before = "elfpartition scan-interval=0 change-threshold=0 ! ";
    mode.referenceRois = true;
  }
  std::string asked;
  for (const OffloadProperty& property : options.offload)
    asked += " " + property.name + "=" + quoted(property.value);
  mode.launch =
      before + "elfoffload name=offload servers=" + quoted(join(used)) + " model=" + quoted(model) +
      " deadline=" + std::to_string(mode.live ? mode.live->deadlineMs : -1) +
      " max-in-flight=" + std::to_string(mode.inFlight) + asked +
      " ! elfmerge draw-boxes=false draw-labels=false draw-masks=false draw-keypoints=false" +
      (mode.live ? " post-messages=true" : "");
  return mode;
}

}  // namespace elf::bench
