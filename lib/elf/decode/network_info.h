// SPDX-License-Identifier: LGPL-2.1-or-later
// What a network's file says of itself. Not installed.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace elf {

/** The name, type and shape that a network's file gives an input. */
struct NetworkInput {
  std::string name;
  /** Whole numbers of 32 or 64 bits, as the size of the picture, not the picture itself. */
  bool integer = false;
  /** Whole numbers of 0 to 255: pixels as they are. */
  bool bytes = false;
  /** -1: any. Empty where the file does not say. */
  std::vector<int> shape = {};
};

struct NetworkInfo {
  /** The kind of file, as `GET /v2/models/NAME` tells it: "onnx". */
  std::string platform;
  /** What runs it, with version, device and precision: "OpenVINO 2026.4.1, CPU, f32". */
  std::string runtime = {};
  /** The picture first. Empty where the format does not say, as Darknet's. */
  std::vector<NetworkInput> inputs = {};
  /** The exporter's own notes, by key. */
  std::map<std::string, std::string> metadata = {};
};

}  // namespace elf
