// SPDX-License-Identifier: LGPL-2.1-or-later
// What elf-server does besides serving.
#pragma once

#include <string>

namespace elf::program {

/** Writes a line for each model that is found to standard output. */
void listModels();

/**
 * Runs the model on `picture`, a JPEG or PNG file, or on a made picture where that is empty. Writes
 * what it finds and takes to standard output, and the picture with what was found to `output`, or
 * to NAME-check.png in the current folder. Throws elf::Error where any of that fails.
 */
void checkModel(const std::string& model, const std::string& picture, const std::string& output);

}  // namespace elf::program
