// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/bench/modes.h"

#include "gst/bench/options.h"

namespace elf::bench {

namespace {

/** A string as gst_parse_launch() reads one value. */
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
      "single", "roundrobin", "skip", "grid", "strips", "elf", "oracle"};
  return *names;
}

Mode makeMode(const std::string& name, const Options& options,
              const std::vector<std::string>& servers) {
  Mode mode;
  mode.name = name;
  std::vector<std::string> used = servers;
  std::string before;
  if (name == "single") {
    used.resize(1);
    mode.sample = options.sample;
  } else if (name == "roundrobin") {
    mode.inFlight = static_cast<int>(servers.size());
    mode.sample = options.sample;
  } else if (name == "skip") {
    used.resize(1);
    mode.interval = options.skipInterval;
  } else if (name == "grid") {
    before = "elfpartition partitioner=grid name=first ! ";
  } else if (name == "strips") {
    before = "elfrppredict name=first ! elfpartition partitioner=strips ! ";
  } else if (name == "elf") {
    before = "elfrppredict name=first ! elfpartition ! ";
  } else {
    before = "elfpartition scan-interval=0 change-threshold=0 name=first ! ";
    mode.referenceRois = true;
  }
  mode.launch = before + "elfoffload " + (before.empty() ? "name=first " : "") +
                "servers=" + quoted(join(used)) + " model=" + quoted(options.model) +
                " deadline=-1 max-in-flight=" + std::to_string(mode.inFlight) +
                " ! elfmerge name=last draw-boxes=false draw-labels=false";
  return mode;
}

}  // namespace elf::bench
