// SPDX-License-Identifier: LGPL-2.1-or-later
// The tasks of elf-server.
#pragma once

#include <string>
#include <vector>

#include "elf/model/model_file.h"
#include "programs/elf-server/command_line.h"

namespace elf::program {

/**
 * Serves until SIGINT or SIGTERM. SIGHUP reads `arguments`, which gave `options`, and all files
 * again. Throws elf::Error if it cannot begin. Ends the process if a request does not end.
 */
void serve(const Options& options, const std::vector<std::string>& arguments);

/** Writes a line for each known model to standard output. */
void listModels();

/**
 * Runs the model on --picture, a JPEG or PNG file, or on a synthetic picture if it is empty. Writes
 * its detections and times to standard output, and the picture with the detections to --output, or
 * to NAME-check.png in the current folder. Throws elf::Error if any of that fails.
 */
void checkModel(const Options& options);

/** Loads the model, to see whether that ends the process. Ignores other failures. */
void tryModel(const std::string& model);

/**
 * Runs tryModel(model) in a process of its own if the model has files: a runtime that aborts or
 * hangs over a file must not end or stop the server. A fork alone would inherit the locks of other
 * threads. Throws elf::Error naming the file if a signal ended the process, or if it did not end
 * within --load-timeout. Call it from the main thread: the process ends with the thread.
 */
void tryInChild(const std::string& model, const ModelFile& file, const Options& options);

/**
 * Fetches the model's files from `from`, or from the addresses in its `.model` file, into the
 * user's folder of models, and reports it on standard output. SIGINT and SIGTERM end it. Throws
 * elf::Error as elf::fetchModel().
 */
void fetchModel(const std::string& name, const std::vector<std::string>& from);

}  // namespace elf::program
