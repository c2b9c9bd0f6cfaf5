// SPDX-License-Identifier: LGPL-2.1-or-later
// The .pipeline files that come along, as a user runs them.
#pragma once

#include <glib.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "elf/server/local_server.h"
#include "tests/support/process.h"
#include "tests/support/shared_files.h"

namespace elf::testing {

inline std::string inBuild(const std::string& file) {
  return std::string(g_getenv("ELF_TEST_BUILD_ROOT")) + "/" + file;
}

/** Two servers of one model; models of ../shared are found, too. */
inline std::vector<LocalServer> startServers(const std::string& model) {
  static const bool extended = [] {
    const std::string path = sharedFile("models") + ":" + g_getenv("ELF_MODEL_PATH");
    return g_setenv("ELF_MODEL_PATH", path.c_str(), TRUE) != FALSE;
  }();
  EXPECT_TRUE(extended);
  std::vector<LocalServer> servers;
  for (int i = 0; i < 2; ++i)
    servers.emplace_back(LocalServerOptions{.program = inBuild("lib/programs/elf-server"),
                                            .arguments = {"--model", model}});
  return servers;
}

inline std::string urlsOf(const std::vector<LocalServer>& servers) {
  return "servers=" + servers[0].url() + "," + servers[1].url();
}

/** The first `frames` frames. */
inline Outcome launch(int frames, const std::string& name, const std::vector<std::string>& values) {
  std::vector<std::string> words{"--quiet", "--frames", std::to_string(frames), name};
  words.insert(words.end(), values.begin(), values.end());
  return run(inBuild("gst/programs/elf-launch"), words);
}

inline std::vector<nlohmann::json> linesOf(const std::string& file) {
  std::vector<nlohmann::json> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

}  // namespace elf::testing
