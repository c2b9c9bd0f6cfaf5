// SPDX-License-Identifier: LGPL-2.1-or-later
// The options of elf-server, from its command line and its configuration file.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "elf/server/server.h"

namespace elf::program {

struct Options {
  std::vector<std::string> models;
  std::string jsonFile;
  std::string logFile;
  std::string tokenFile;
  bool announce = false;
  std::string openVinoFolder;
  /** How long the trial of a model may take. */
  std::chrono::seconds loadTimeout{};
  std::string check;
  std::string picture;
  std::string output;
  std::string fetch;
  std::vector<std::string> from;
  /** The model to load as a trial (tasks.h). */
  std::string trial;
  bool list = false;
  bool version = false;
  ServerOptions server;
};

/** The command line is wrong. */
class WrongUse : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/**
 * Parses `arguments`, the first of which is the program, and the file that --config names. An
 * option on the command line replaces that of the file. Throws WrongUse, or elf::Error that names
 * the file and the key. `--help` prints the options and ends the process.
 */
Options parseOptions(const std::vector<std::string>& arguments);

}  // namespace elf::program
