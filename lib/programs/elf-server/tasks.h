// SPDX-License-Identifier: LGPL-2.1-or-later
// What elf-server does besides serving.
#pragma once

#include <string>
#include <vector>

#include "elf/model/model_file.h"

namespace elf::program {

/** Writes a line for each model that is found to standard output. */
void listModels();

/**
 * Runs the model on `picture`, a JPEG or PNG file, or on a made picture where that is empty. Writes
 * what it finds and takes to standard output, and the picture with what was found to `output`, or
 * to NAME-check.png in the current folder. Throws elf::Error where any of that fails.
 */
void checkModel(const std::string& model, const std::string& picture, const std::string& output);

/**
 * Loads a model that has files in a child process: a runtime that aborts over a file must not take
 * the server with it. Throws elf::Error naming the file where the child was ended by a signal; what
 * fails otherwise fails again when the model is made. The caller has no other threads.
 */
void tryInChild(const ModelFile& file);

/**
 * Brings the model's files from `from`, or from where its `.model` file says, into the user's
 * folder of models, and says so on standard output. SIGINT and SIGTERM end it. Throws elf::Error as
 * elf::fetchModel().
 */
void fetchModel(const std::string& name, const std::vector<std::string>& from);

}  // namespace elf::program
