// SPDX-License-Identifier: LGPL-2.1-or-later
// Decoders of a network's output tensors: one function for each layout. Not installed.
//
// Decoders find tensors by name or shape, and by place only if neither decides: for files other
// than ONNX, OpenCV returns them in no meaningful order. Boxes and joints are in pixels of the
// canvas, which the network saw (elf/decode/canvas.h). Decoders do not clip, suppress or scale
// back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "elf/decode/tensors.h"
#include "elf/geometry/box.h"
#include "elf/geometry/keypoint.h"
#include "elf/geometry/rotated_box.h"
#include "elf/model/model_file.h"

namespace elf {

/** "boxes 1x7x4, scores 1x7" */
std::string describe(const Tensors& tensors);
/**
 * The error for a network that went wrong: a tensor that holds NaN or infinity, or nothing finite.
 * Otherwise empty. -inf alone is a logit's way to say "never".
 */
std::string notFinite(const Tensors& tensors);
/** The error for tensors, with names and shapes, that the decoder does not read. */
std::string unexpected(const Tensors& tensors);
/**
 * The error for a network whose number of classes differs from the number of labels: wrong names
 * would be shown. Empty if both are equal, without labels, or if `classes` is 0.
 */
std::string wrongLabels(std::size_t classes, const Labels& labels);

/** A possible object. */
struct Candidate {
  /** For a rotated object, its upright hull. */
  Box box;
  float score = 0;
  std::int64_t labelId = 0;
  std::vector<Keypoint> keypoints = {};
  std::optional<RotatedBox> rotated = std::nullopt;
  /** Its place in the decoder's tensors. */
  std::size_t row = 0;
};

/** The probability, 0..1, that a place is part of the object. Above a half it is. */
struct MaskGrid {
  /** FP32, rows x columns. */
  cv::Mat values;
  /** The area of its cells, which all have one size. Outside it the outermost cells count. */
  Box place;
};

struct Candidates {
  std::vector<Candidate> list;
  /** The mask of a candidate in `list`, valid as long as the tensors. Unset without masks. */
  std::function<MaskGrid(const Candidate&)> maskOf = {};
  /** The number of the network's classes. 0 if its tensors do not show it. */
  std::size_t classes = 0;
};

/** A decoder's parameters besides the tensors. */
struct Reading {
  Size canvas;
  /** Weaker candidates are left out. */
  float minScore = 0;
  /** ModelRules::keypoints. 0: no joints. */
  int keypoints = 0;
  /** The number of the model's labels. 0: none. */
  std::size_t labels = 0;
};

/** Unset if the tensors have another layout. */
using Decoder = std::optional<Candidates> (*)(const Tensors& tensors, const Reading& reading);

/** The decoder of a layout. Null for networks that run on a detector's boxes. */
Decoder decoderFor(OutputDecoder layout);

/** YOLOX exported with the grid added: like YOLOv5, a row for each cell. */
std::optional<Candidates> decodeYoloxDecoded(const Tensors& tensors, const Reading& reading);

/**
 * YOLOX: one tensor 1 x N x (5 + classes), cell after cell of the strides 8, 16 and 32, row-major:
 * centre relative to the cell, logarithm of width and height, both in strides, objectness, classes.
 * (Ge et al., "YOLOX", 2021.)
 */
std::optional<Candidates> decodeYolox(const Tensors& tensors, const Reading& reading);

/**
 * Darknet's Region and Yolo layers, one tensor N x (5 + classes) for each: centre and size in parts
 * of the canvas, objectness, class scores that include it. (Redmon and Farhadi, "YOLOv3", 2018.)
 */
std::optional<Candidates> decodeDarknetRegion(const Tensors& tensors, const Reading& reading);

/**
 * YOLOv5's export: one tensor 1 x N x (5 + classes): centre and size in pixels, objectness,
 * classes. Tensors of more dimensions, the network's raw heads, may be beside it.
 */
std::optional<Candidates> decodeYolov5(const Tensors& tensors, const Reading& reading);

/**
 * The raw layout of Ultralytics' exports, of YOLOv5u, v8, v9, v10, 11, 12 and 26: one tensor
 * 1 x (4 + classes) x N: centre and size in pixels, classes.
 */
std::optional<Candidates> decodeYolov8(const Tensors& tensors, const Reading& reading);

/**
 * The same for -seg: 1 x (4 + classes + m) x N, with m mask coefficients, and 1 x m x H/4 x W/4 of
 * mask prototypes.
 *
 * Or YOLOv8-seg cut before its last layers: for each stride s of 8, 16 and 32 a tensor 1 x (64 +
 * classes + m) x H/s x W/s, and the prototypes. Each cell has 4 distributions of 16 logits over the
 * distance in strides from its middle to the left, top, right and bottom side (Li et al.,
 * "Generalized Focal Loss", 2020), classes, and the coefficients.
 */
std::optional<Candidates> decodeYolov8Seg(const Tensors& tensors, const Reading& reading);
/** The first of the two layouts. */
std::optional<Candidates> decodeYolov8Columns(const Tensors& tensors, const Reading& reading);

/** The same for -pose: 1 x (4 + classes + 3k) x N: x, y in pixels and visibility of k joints. */
std::optional<Candidates> decodeYolov8Pose(const Tensors& tensors, const Reading& reading);

/** The same for -obb: 1 x (4 + classes + 1) x N, the angle in radians last. */
std::optional<Candidates> decodeYolov8Obb(const Tensors& tensors, const Reading& reading);

/**
 * Layouts that need no suppression or have it built in: Ultralytics' end-to-end exports of YOLOv10
 * and YOLO26, and any with `nms=True`: one tensor 1 x N x 6: corners in pixels, score, class. Rows
 * without an object have the score 0.
 */
std::optional<Candidates> decodeEndToEnd(const Tensors& tensors, const Reading& reading);
/** The same, followed by m mask coefficients, and 1 x m x H/4 x W/4 of mask prototypes. */
std::optional<Candidates> decodeEndToEndSeg(const Tensors& tensors, const Reading& reading);
/** The same, followed by x, y and visibility of k joints. */
std::optional<Candidates> decodeEndToEndPose(const Tensors& tensors, const Reading& reading);
/** 1 x N x 7: centre and size of the rotated box, score, class, angle in radians. */
std::optional<Candidates> decodeEndToEndObb(const Tensors& tensors, const Reading& reading);

/**
 * Networks that output objects. The decoder finds tensors by type and shape, in any order:
 * floating-point n x 4, corners in pixels, and n scores; n labels, integers if the file states
 * types. All may have one more dimension of 1 in front. With masks, n x 1 x h x w or n x h x w, of
 * the whole picture or of the box. With joints, n x k x 3. Exports of torchvision's networks have
 * this layout, and RT-DETR, D-FINE and DEIM by their authors' tools.
 */
std::optional<Candidates> decodeObjects(const Tensors& tensors, const Reading& reading);

/** MMDeploy's: `dets` 1 x n x 5, corners in pixels and score; `labels` 1 x n; `masks`. */
std::optional<Candidates> decodeMmDeploy(const Tensors& tensors, const Reading& reading);

/**
 * DETR's heads, `logits` and `pred_boxes` in the package transformers: 1 x N x classes of
 * independent logits, and 1 x N x 4, centre and size in parts of the canvas. The N strongest pairs
 * of a query and a class count. With 91 classes and 80 labels the classes are COCO's numbers, which
 * begin at 1 and have holes. Without these names the first two tensors count. (Zhu et al.,
 * "Deformable DETR", 2021.)
 */
std::optional<Candidates> decodeDetr(const Tensors& tensors, const Reading& reading);

/**
 * The same for RF-DETR, `labels` and `dets`, with 1 x N x h x w of mask logits over the canvas.
 * With one class more than labels, the last class means no object and is left out.
 */
std::optional<Candidates> decodeRfDetr(const Tensors& tensors, const Reading& reading);

/**
 * Ultralytics' RT-DETR: 1 x N x 6: centre and size in parts of the canvas, score, class. Older
 * releases have 1 x N x (4 + classes), with the score of each class.
 */
std::optional<Candidates> decodeRtDetrRows(const Tensors& tensors, const Reading& reading);

/**
 * FastestDet: one tensor 1 x (5 + classes) x h x w: objectness, two numbers whose hyperbolic
 * tangents are the centre's distance from the cell's corner in cells, two whose sigmoids are the
 * size in parts of the canvas, classes.
 */
std::optional<Candidates> decodeFastestDet(const Tensors& tensors, const Reading& reading);

/**
 * NanoDet-Plus: one tensor 1 x N x (classes + 32), cell after cell of the strides 8, 16, 32 and 64,
 * row-major: classes, then 4 distributions of 8 logits as in YOLOv8-seg, but from the cell's
 * corner.
 */
std::optional<Candidates> decodeNanoDet(const Tensors& tensors, const Reading& reading);

/**
 * DetectionOutput layers, as in SSD and TensorFlow's object detection networks: one tensor 1 x 1 x
 * N x 7: number of the picture, class, score, corners in parts of the canvas. Class 0 is mostly the
 * background. (Liu et al., "SSD", 2016.)
 */
std::optional<Candidates> decodeSsd(const Tensors& tensors, const Reading& reading);

/**
 * TensorFlow's Mask R-CNN: `detection_out_final` in SSD's layout, and `detection_masks` N x classes
 * x h x w. The mask of a row and its class covers the row's box. (He et al., 2017.)
 */
std::optional<Candidates> decodeMaskRcnn(const Tensors& tensors, const Reading& reading);

/** UltraFace: 1 x N x 2, scores of background and face; 1 x N x 4, corners in parts of the canvas.
 */
std::optional<Candidates> decodeUltraFace(const Tensors& tensors, const Reading& reading);

/**
 * YuNet: for each stride s of 8, 16 and 32, cell after cell, row-major: `cls_s` and `obj_s` 1 x N x
 * 1, whose product is the square of the score; `bbox_s` 1 x N x 4, centre relative to the cell,
 * logarithm of width and height; `kps_s` 1 x N x 10, x and y of right eye, left eye, nose tip,
 * right and left corner of the mouth, relative to the cell; all in strides. A landmark's visibility
 * is the face's score. (Wu et al., "YuNet", 2023.)
 */
std::optional<Candidates> decodeYuNet(const Tensors& tensors, const Reading& reading);

/**
 * Joints of one object: one tensor 1 x joints x h x w with the confidence of each joint at each
 * place. The best place counts, moved by a quarter of a cell towards the better neighbour. Its
 * confidence is the visibility. (Xiao et al., "Simple Baselines for Human Pose Estimation", 2018.)
 */
std::optional<std::vector<Keypoint>> decodeHeatMaps(const Tensors& tensors, Size canvas);

/**
 * RTMPose: two tensors 1 x joints x w and 1 x joints x h with the confidence of each joint at each
 * column and row. Both have the same number of cells per pixel of the canvas. For a square canvas
 * their names, which end in x and y, tell them apart. The best column and row count, and the lower
 * of their confidences is the visibility. (Li et al., "SimCC", 2022.)
 */
std::optional<std::vector<Keypoint>> decodeSimCc(const Tensors& tensors, Size canvas);

struct ClassScore {
  std::int64_t labelId = 0;
  /** A probability. */
  float score = 0;
  /** The number of classes. */
  std::size_t classes = 0;
};

/**
 * The class of one object: one tensor with a number for each class. Numbers that are not
 * probabilities with sum 1 are taken as logits.
 */
std::optional<ClassScore> decodeClasses(const Tensors& tensors);

/**
 * Non-maximum suppression, strongest first: of two candidates of one class with an IoU above
 * `mostIou` the weaker one is removed. Rotated boxes use the probabilistic IoU, and a removed one
 * still suppresses others, as their networks' authors have it. Keeps at most `most`, from the
 * strongest 10000.
 */
std::vector<Candidate> suppress(std::vector<Candidate> candidates, double mostIou,
                                std::size_t most);

}  // namespace elf
