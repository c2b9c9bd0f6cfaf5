// SPDX-License-Identifier: LGPL-2.1-or-later
// What an ONNX file says of itself, read without running it. Not installed.
#pragma once

#include <string>
#include <vector>

#include "elf/base/error.h"
#include "elf/decode/network_info.h"

namespace elf {

/** Throws elf::Error naming the file at `path` where it cannot be read or is no whole ONNX file. */
void requireOnnx(const std::string& path);

/**
 * Inputs and metadata of the ONNX file at `path`. Weights that older exporters list among the
 * inputs are left out. Throws as above.
 */
NetworkInfo readOnnxInfo(const std::string& path);

/** Names of its outputs, in their order. Throws as above. */
std::vector<std::string> readOnnxOutputs(const std::string& path);

/** What a network is to take beyond what its file says. */
struct FreeShape {
  bool size = false;
  bool batch = false;
};

/**
 * The file at `path` as one whose picture has a symbolic height and width, or count, and that
 * states no shapes of outputs and in between. A graph whose reshapes are written for one size does
 * not run at others for that. Throws as above.
 */
std::string onnxWithFreeShape(const std::string& path, FreeShape free);

}  // namespace elf
