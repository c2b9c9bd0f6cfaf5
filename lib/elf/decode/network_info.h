// SPDX-License-Identifier: LGPL-2.1-or-later
// The description in a network's file. Not installed.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace elf {

/** An input's name, type and shape in a network's file. */
struct NetworkInput {
  std::string name;
  /** Integers of 32 or 64 bits: the size of the picture, not the picture itself. */
  bool integer = false;
  /** Integers of 0 to 255: unscaled pixels. */
  bool bytes = false;
  /** -1: any. Empty if the file does not state it. */
  std::vector<int> shape = {};
};

struct NetworkInfo {
  /** The kind of file, as `GET /v2/models/NAME` reports it: "onnx". */
  std::string platform;
  /** The runtime, with version, device and precision: "OpenVINO 2026.4.1, CPU, f32". */
  std::string runtime = {};
  /** The picture first. Empty if the format does not state it, such as Darknet's. */
  std::vector<NetworkInput> inputs = {};
  /** The exporter's own notes, by key. */
  std::map<std::string, std::string> metadata = {};
};

}  // namespace elf
