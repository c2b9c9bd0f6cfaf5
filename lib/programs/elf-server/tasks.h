// SPDX-License-Identifier: LGPL-2.1-or-later
// The tasks of elf-server besides serving.
#pragma once

#include <string>
#include <vector>

#include "elf/model/model_file.h"

namespace elf::program {

/** Writes a line for each known model to standard output. */
void listModels();

/**
 * Runs the model on `picture`, a JPEG or PNG file, or on a synthetic picture if it is empty. Writes
 * its detections and times to standard output, and the picture with the detections to `output`, or
 * to NAME-check.png in the current folder. Throws elf::Error if any of that fails.
 */
void checkModel(const std::string& model, const std::string& picture, const std::string& output);

/**
 * Loads a model that has files in a child process: a runtime that aborts over a file must not end
 * the server. Throws elf::Error naming the file if a signal ended the child. Other failures happen
 * again when the model is made. The caller must have no other threads.
 */
void tryInChild(const ModelFile& file);

/**
 * Fetches the model's files from `from`, or from the addresses in its `.model` file, into the
 * user's folder of models, and reports it on standard output. SIGINT and SIGTERM end it. Throws
 * elf::Error as elf::fetchModel().
 */
void fetchModel(const std::string& name, const std::vector<std::string>& from);

}  // namespace elf::program
