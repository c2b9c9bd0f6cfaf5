// SPDX-License-Identifier: LGPL-2.1-or-later
// Networks of a few kilobytes that give the same numbers for every picture, as ONNX files.
//
// Every runtime computes them from the picture, though: the mean of each channel, times nothing
// where no weights are said, plus the number.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

namespace elf::testing {

/** Numbers of the format's TensorProto.DataType. */
enum class OnnxType {
  Float = 1,
  Uint8 = 2,
  Int32 = 6,
  Int64 = 7,
  String = 8,
  Float16 = 10,
  Double = 11
};

struct MadeInput {
  std::string name = "images";
  OnnxType type = OnnxType::Float;
  /** -1: any. N x 3 x H x W, N x H x W x 3, or without N; or N x 2, the size of the picture. */
  std::vector<int> shape = {1, 3, 64, 64};
};

struct MadeOutput {
  std::string name;
  std::vector<int> shape;
  /** As many as the shape has places. */
  std::vector<float> values;
  OnnxType type = OnnxType::Float;
  /**
   * The first four of each row are multiplied with width, height, width and height: of the input
   * that is told the size of the picture, or else of the picture itself.
   */
  bool inParts = false;
  /** Of three dimensions: comes through a Slice and a GatherElements, as at the end of YOLO26. */
  bool gathered = false;
  /** By place in `values`: what the means of the three channels, as the network sees them, add. */
  std::map<std::size_t, std::array<float, 3>> weights = {};
};

struct MadeNetwork {
  std::vector<MadeInput> inputs{{}};
  std::vector<MadeOutput> outputs;
  /** The exporter's own notes. */
  std::map<std::string, std::string> metadata = {};
  /** Its weights are in a file of this name beside it, as PyTorch's newer exporter has them. */
  std::string weights = {};
};

/** The content of a `.onnx` file, and of that of its weights if it has one. */
struct MadeFiles {
  std::string onnx, weights;
};
MadeFiles filesOf(const MadeNetwork& network);

/** Writes them, the `.onnx` file to `path`. */
void writeOnnx(const std::string& path, const MadeNetwork& network);

}  // namespace elf::testing
