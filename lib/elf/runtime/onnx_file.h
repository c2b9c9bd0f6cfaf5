// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads the description of an ONNX file without running it. Not installed.
#pragma once

#include <string>
#include <vector>

#include "elf/base/error.h"
#include "elf/decode/network_info.h"

namespace elf {

/** Throws elf::Error naming the file at `path` if it cannot be read or is not a whole ONNX file. */
void requireOnnx(const std::string& path);

/**
 * Inputs and metadata of the ONNX file at `path`. Leaves out weights that older exporters list
 * among the inputs. Throws as above.
 */
NetworkInfo readOnnxInfo(const std::string& path);

/** The names of its outputs, in order. Throws as above. */
std::vector<std::string> readOnnxOutputs(const std::string& path);

/** The dimensions that a network must accept beyond its file. */
struct FreeShape {
  bool size = false;
  bool batch = false;
};

/**
 * The file at `path` with a symbolic height and width of the picture, or count, and without shapes
 * of outputs and intermediate tensors. This does not help a graph with reshapes for one size.
 * Throws as above.
 */
std::string onnxWithFreeShape(const std::string& path, FreeShape free);

}  // namespace elf
