// SPDX-License-Identifier: LGPL-2.1-or-later
// What the tensors of a network say: one function for each layout. Not installed.
//
// Tensors are told apart by name or by shape, never by their place: OpenCV gives them in no order
// that means anything. All are FP32, without gaps. Boxes and joints are in pixels of the canvas,
// which is what the network saw (elf/server/canvas.h); nothing is clipped, suppressed or scaled
// back here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "elf/geometry/box.h"
#include "elf/geometry/keypoint.h"
#include "elf/model/model_file.h"

namespace elf {

struct NamedTensor {
  std::string name;
  cv::Mat values;
};
using Tensors = std::vector<NamedTensor>;

/** Null where there is none of that name. */
const cv::Mat* tensorNamed(const Tensors& tensors, std::string_view name);
/** FP32, without gaps, of these dimensions; one of -1 may be any. */
bool hasShape(const cv::Mat& tensor, std::initializer_list<int> shape);
/** Names and shapes for an error, as "boxes 1x100x4, scores 1x100x2". */
std::string describe(const Tensors& tensors);

/** An object that the network may have seen. */
struct Candidate {
  Box box;
  float score = 0;
  std::int64_t labelId = 0;
  std::vector<Keypoint> keypoints = {};
  /** Where the decoder finds it again in its tensors. */
  std::size_t row = 0;
};

/** How sure the network is, 0..1, that a place is of the object; from a half on it is. */
struct MaskGrid {
  /** FP32, rows x columns. */
  cv::Mat values;
  /** What its cells cover, all of the same size. Beyond it the outermost cells count. */
  Box place;
};

struct Candidates {
  std::vector<Candidate> list;
  /** The mask of one in `list`, as long as the tensors live; unset where the layout has none. */
  std::function<MaskGrid(const Candidate&)> maskOf = {};
};

/** What a decoder has to know besides the tensors. */
struct Reading {
  Size canvas;
  /** Weaker candidates are left out. */
  float minScore = 0;
};

/** Unset where the tensors are of another layout. */
using Decoder = std::optional<Candidates> (*)(const Tensors& tensors, const Reading& reading);

/** The decoder of a layout. */
Decoder decoderFor(OutputDecoder layout);

/**
 * YOLOX: one tensor 1 x N x (5 + classes), cell after cell of the strides 8, 16 and 32, row-major:
 * centre relative to the cell, logarithm of width and height, both in strides, objectness, classes.
 * (Ge et al., "YOLOX", 2021.)
 */
std::optional<Candidates> decodeYolox(const Tensors& tensors, const Reading& reading);

/**
 * Darknet's Region and Yolo layers, one tensor N x (5 + classes) for each: centre and size in parts
 * of the canvas, objectness, classes that hold it already. (Redmon and Farhadi, "YOLOv3", 2018.)
 */
std::optional<Candidates> decodeDarknetRegion(const Tensors& tensors, const Reading& reading);

/**
 * The strongest of each class, strongest first: of two of one class with more than `mostIou` the
 * weaker one goes. At most `most` stay, of the strongest 10000.
 */
std::vector<Candidate> suppress(std::vector<Candidate> candidates, double mostIou,
                                std::size_t most);

}  // namespace elf
