// SPDX-License-Identifier: LGPL-2.1-or-later
// What the tensors of a network say: one function for each layout. Not installed.
//
// Tensors are told apart by name or by shape, and by their place only where neither tells: of
// others than ONNX files OpenCV gives them in no order that means anything. Boxes and joints are in
// pixels of the canvas, which is what the network saw (elf/decode/canvas.h); nothing is clipped,
// suppressed or scaled back here.
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
/** The sentence of an error: these, with names and shapes, are not what the decoder reads. */
std::string unexpected(const Tensors& tensors);
/**
 * The sentence of an error where a network of so many classes has not as many labels: names of
 * other classes would be shown. Empty where it has, or none at all, or where `classes` is 0.
 */
std::string wrongLabels(std::size_t classes, const Labels& labels);

/** An object that the network may have seen. */
struct Candidate {
  /** Of one that is rotated, its upright hull. */
  Box box;
  float score = 0;
  std::int64_t labelId = 0;
  std::vector<Keypoint> keypoints = {};
  std::optional<RotatedBox> rotated = std::nullopt;
  /** Where the decoder finds it again in its tensors. */
  std::size_t row = 0;
};

/** How sure the network is, 0..1, that a place is of the object; above a half it is. */
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
  /** So many the network tells apart; 0 where its tensors don't say. */
  std::size_t classes = 0;
};

/** What a decoder has to know besides the tensors. */
struct Reading {
  Size canvas;
  /** Weaker candidates are left out. */
  float minScore = 0;
  /** ModelRules::keypoints: 0 where the objects have no joints. */
  int keypoints = 0;
  /** How many labels the model has; 0 where it has none. */
  std::size_t labels = 0;
};

/** Unset where the tensors are of another layout. */
using Decoder = std::optional<Candidates> (*)(const Tensors& tensors, const Reading& reading);

/** The decoder of a layout; null for those of networks that look at the boxes of a detector. */
Decoder decoderFor(OutputDecoder layout);

/** YOLOX exported with the grid added: as YOLOv5's, a row for each cell. */
std::optional<Candidates> decodeYoloxDecoded(const Tensors& tensors, const Reading& reading);

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
 * YOLOv5's export: one tensor 1 x N x (5 + classes): centre and size in pixels, objectness,
 * classes. Others of more dimensions, the network's raw heads, may stand beside it.
 */
std::optional<Candidates> decodeYolov5(const Tensors& tensors, const Reading& reading);

/**
 * The raw layout of Ultralytics' exports, of YOLOv5u, v8, v9, v10, 11, 12 and 26: one tensor
 * 1 x (4 + classes) x N: centre and size in pixels, classes.
 */
std::optional<Candidates> decodeYolov8(const Tensors& tensors, const Reading& reading);

/**
 * The same of their -seg: 1 x (4 + classes + m) x N, with m mask coefficients, and 1 x m x H/4 x
 * W/4 of mask prototypes.
 *
 * Or YOLOv8-seg cut before its last layers: for each stride s of 8, 16 and 32 a tensor
 * 1 x (64 + classes + m) x H/s x W/s, and the prototypes. For each cell 4 distributions of 16
 * logits over the distance in strides from its middle to the left, top, right and bottom side (Li
 * et al., "Generalized Focal Loss", 2020), classes, and the coefficients.
 */
std::optional<Candidates> decodeYolov8Seg(const Tensors& tensors, const Reading& reading);
/** The first of the two. */
std::optional<Candidates> decodeYolov8Columns(const Tensors& tensors, const Reading& reading);

/** The same of their -pose: 1 x (4 + classes + 3k) x N: x, y in pixels and visibility of k joints.
 */
std::optional<Candidates> decodeYolov8Pose(const Tensors& tensors, const Reading& reading);

/** The same of their -obb: 1 x (4 + classes + 1) x N, the angle in radians last. */
std::optional<Candidates> decodeYolov8Obb(const Tensors& tensors, const Reading& reading);

/**
 * What needs no suppression, or has it built in: Ultralytics' end-to-end exports of YOLOv10 and
 * YOLO26, and any with `nms=True`: one tensor 1 x N x 6: corners in pixels, score, class. Rows
 * without an object have the score 0.
 */
std::optional<Candidates> decodeEndToEnd(const Tensors& tensors, const Reading& reading);
/** The same with m mask coefficients behind, and 1 x m x H/4 x W/4 of mask prototypes. */
std::optional<Candidates> decodeEndToEndSeg(const Tensors& tensors, const Reading& reading);
/** The same with x, y and visibility of k joints behind. */
std::optional<Candidates> decodeEndToEndPose(const Tensors& tensors, const Reading& reading);
/** 1 x N x 7: centre and size of the rotated box, score, class, angle in radians. */
std::optional<Candidates> decodeEndToEndObb(const Tensors& tensors, const Reading& reading);

/**
 * Objects that the network tells itself, by type and shape, in whatever order: floating-point
 * n x 4, corners in pixels, and n scores; n labels, whole numbers, where the file tells types; with
 * one more dimension of 1 in front or without; where the model has masks, n x 1 x h x w or
 * n x h x w of the whole picture; where it has joints, n x k x 3. So are torchvision's networks
 * exported, and RT-DETR, D-FINE and DEIM by their authors' tools.
 */
std::optional<Candidates> decodeObjects(const Tensors& tensors, const Reading& reading);

/** MMDeploy's: `dets` 1 x n x 5, corners in pixels and score; `labels` 1 x n; `masks`. */
std::optional<Candidates> decodeMmDeploy(const Tensors& tensors, const Reading& reading);

/**
 * DETR's heads, `logits` and `pred_boxes` of the package transformers: 1 x N x classes of logits,
 * each class by itself, and 1 x N x 4, centre and size in parts of the canvas. The N strongest
 * pairs of a query and a class count. With 91 classes and 80 labels the classes are COCO's numbers,
 * which begin at 1 and have holes. Without these names they are the first two tensors. (Zhu et al.,
 * "Deformable DETR", 2021.)
 */
std::optional<Candidates> decodeDetr(const Tensors& tensors, const Reading& reading);

/**
 * The same of RF-DETR, `labels` and `dets`, with 1 x N x h x w of logits of masks over the canvas.
 * With one class more than labels the last one, which is of no object, is left out.
 */
std::optional<Candidates> decodeRfDetr(const Tensors& tensors, const Reading& reading);

/**
 * RT-DETR of Ultralytics: 1 x N x 6: centre and size in parts of the canvas, score, class; of older
 * releases 1 x N x (4 + classes), with the score of each.
 */
std::optional<Candidates> decodeRtDetrRows(const Tensors& tensors, const Reading& reading);

/**
 * FastestDet: one tensor 1 x (5 + classes) x h x w: objectness, centre as the hyperbolic tangent of
 * its distance from the cell's corner in cells, sigmoids of the size in parts of the canvas,
 * classes.
 */
std::optional<Candidates> decodeFastestDet(const Tensors& tensors, const Reading& reading);

/**
 * NanoDet-Plus: one tensor 1 x N x (classes + 32), cell after cell of the strides 8, 16, 32 and 64,
 * row-major: classes, then 4 distributions of 8 logits as YOLOv8-seg has them, from the cell's
 * corner.
 */
std::optional<Candidates> decodeNanoDet(const Tensors& tensors, const Reading& reading);

/**
 * DetectionOutput layers, as of SSD and of TensorFlow's object detection networks: one tensor
 * 1 x 1 x N x 7: number of the picture, class, score, corners in parts of the canvas. Class 0 is
 * mostly the background. (Liu et al., "SSD", 2016.)
 */
std::optional<Candidates> decodeSsd(const Tensors& tensors, const Reading& reading);

/**
 * Mask R-CNN of TensorFlow: `detection_out_final`, which is as SSD's, and `detection_masks`
 * N x classes x h x w, of which that of the row and its class is the mask over its box. (He et al.,
 * 2017.)
 */
std::optional<Candidates> decodeMaskRcnn(const Tensors& tensors, const Reading& reading);

/** UltraFace: 1 x N x 2, scores of background and face; 1 x N x 4, corners in parts of the canvas.
 */
std::optional<Candidates> decodeUltraFace(const Tensors& tensors, const Reading& reading);

/**
 * YuNet: for each stride s of 8, 16 and 32, cell after cell, row-major: `cls_s` and `obj_s` 1 x N x
 * 1, the product of which is the square of the score; `bbox_s` 1 x N x 4, centre relative to the
 * cell, logarithm of width and height; `kps_s` 1 x N x 10, x and y of right eye, left eye, nose
 * tip, right and left corner of the mouth, relative to the cell; all in strides. Landmarks are as
 * visible as the face. (Wu et al., "YuNet", 2023.)
 */
std::optional<Candidates> decodeYuNet(const Tensors& tensors, const Reading& reading);

/**
 * Joints of one object: one tensor 1 x joints x h x w, for each joint how sure the network is that
 * a place is it. The surest place counts, moved by a quarter of a cell towards the surer neighbour;
 * how sure it is, is the visibility. (Xiao et al., "Simple Baselines for Human Pose Estimation",
 * 2018.)
 */
std::optional<std::vector<Keypoint>> decodeHeatMaps(const Tensors& tensors, Size canvas);

/**
 * RTMPose: two tensors 1 x joints x w and 1 x joints x h, for each joint how sure the network is of
 * a column and of a row, of which there are as many for each pixel of the canvas; those of a square
 * canvas are told apart by names that end in x and y. The surest count, and the less sure of both
 * is the visibility. (Li et al., "SimCC", 2022.)
 */
std::optional<std::vector<Keypoint>> decodeSimCc(const Tensors& tensors, Size canvas);

struct ClassScore {
  std::int64_t labelId = 0;
  /** A probability. */
  float score = 0;
  /** So many there are. */
  std::size_t classes = 0;
};

/**
 * The class of one object: one tensor of as many numbers as there are classes. Numbers that are no
 * probabilities, of sum 1, are taken for logits.
 */
std::optional<ClassScore> decodeClasses(const Tensors& tensors);

/**
 * The strongest of each class, strongest first: of two of one class with more than `mostIou` the
 * weaker one goes. For rotated boxes that is the probabilistic one, and one that has gone yet takes
 * others with it, as their networks' authors have it. At most `most` stay, of the strongest 10000.
 */
std::vector<Candidate> suppress(std::vector<Candidate> candidates, double mostIou,
                                std::size_t most);

}  // namespace elf
