// SPDX-License-Identifier: LGPL-2.1-or-later
// A program as a user starts it.
#pragma once

#include <glib.h>
#include <sys/wait.h>

#include <string>
#include <vector>

namespace elf::testing {

struct Outcome {
  /** Exit code; -1 where it did not start or did not end by itself. */
  int code = -1;
  std::string out;
  std::string err;
};

/** Runs `program` and waits until it ends. */
inline Outcome run(const std::string& program, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), program);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  gchar* out = nullptr;
  gchar* err = nullptr;
  gint status = 0;
  Outcome outcome;
  if (g_spawn_sync(nullptr, argv.data(), nullptr, G_SPAWN_DEFAULT, nullptr, nullptr, &out, &err,
                   &status, nullptr))
    outcome = {WIFEXITED(status) ? WEXITSTATUS(status) : -1, out, err};
  g_free(out);
  g_free(err);
  return outcome;
}

}  // namespace elf::testing
