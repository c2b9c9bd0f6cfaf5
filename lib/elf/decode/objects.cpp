// SPDX-License-Identifier: LGPL-2.1-or-later
// Networks that output objects.
#include <algorithm>

#include "elf/decode/rows.h"

namespace elf {

namespace {

/** Removes the leading dimension of one picture if there are more than `dimensions`. */
cv::Mat ofOnePicture(const cv::Mat& tensor, int dimensions) {
  // OpenCV can't reshape an empty tensor.
  if (tensor.dims != dimensions + 1 || tensor.size[0] != 1 || tensor.empty()) return tensor;
  return tensor.reshape(1, std::vector<int>(tensor.size.p + 1, tensor.size.p + tensor.dims));
}

/** Masks n x h x w of `count` objects, from a tensor that may have one more dimension of 1. Empty
 * if it has no masks. */
cv::Mat masksOf(const cv::Mat& tensor, int count) {
  if (hasShape(tensor, {count, -1, -1})) return tensor;
  if (!hasShape(tensor, {count, 1, -1, -1}) && !hasShape(tensor, {1, count, -1, -1})) return {};
  return tensor.reshape(1, {count, tensor.size[2], tensor.size[3]});
}

struct Objects {
  cv::Mat boxes, scores, labels, masks, keypoints;
};

/** Reads boxes of n x 4, or n x 5 with their scores. */
std::optional<Candidates> read(const Objects& objects, const Reading& reading) {
  const int count = objects.boxes.size[0], columns = objects.boxes.size[1];
  Candidates found;
  for (int i = 0; i < count; ++i) {
    const float* const row = objects.boxes.ptr<float>(i);
    const auto label = classOf(objects.labels.ptr<float>()[i]);
    if (!label) continue;
    Candidate candidate{.box = {row[0], row[1], row[2], row[3]},
                        .score = columns == 5 ? row[4] : objects.scores.ptr<float>()[i],
                        .labelId = *label,
                        .row = static_cast<std::size_t>(i)};
    for (int j = 0; j < reading.keypoints; ++j) {
      const float* const joint = objects.keypoints.ptr<float>(i, j);
      candidate.keypoints.push_back({joint[0], joint[1], std::clamp(joint[2], 0.0F, 1.0F)});
    }
    add(found.list, reading, std::move(candidate));
  }
  if (!objects.masks.empty())
    found.maskOf = [masks = objects.masks, canvas = reading.canvas](const Candidate& candidate) {
      // OpenCV has no read-only Mat.
      const cv::Mat values(masks.size[1], masks.size[2], CV_32F,
                           const_cast<uchar*>(masks.ptr(static_cast<int>(candidate.row))));
      const bool whole = values.rows == canvas.height && values.cols == canvas.width;
      return MaskGrid{values, whole ? toBox(wholeFrame(canvas)) : candidate.box};
    };
  return found;
}

/** An empty tensor does not show its type, and only its first dimension needs to be right. */
bool isEmpty(const cv::Mat& tensor) {
  return tensor.dims > 0 && tensor.total() == 0;
}

/** The tensors that belong to `boxes`. Unset if those are not floating-point n x 4. */
std::optional<Objects> objectsOf(const NamedTensor& boxes, const Tensors& tensors, int joints) {
  Objects objects{.boxes = ofOnePicture(boxes.values, 2)};
  if (boxes.integer || objects.boxes.dims != 2 || !hasShape(objects.boxes, {-1, 4}))
    return std::nullopt;
  const int count = objects.boxes.size[0];
  // Without types, a name must show which are labels.
  const bool typed = std::ranges::any_of(tensors, &NamedTensor::integer);
  for (const NamedTensor& tensor : tensors) {
    const auto& [name, values, integer] = tensor;
    if (&tensor == &boxes) continue;
    const cv::Mat flat = ofOnePicture(values, 1);
    const bool isList = values.total() == static_cast<std::size_t>(count) &&
                        (flat.dims == 1 || (flat.dims == 2 && (flat.rows == 1 || flat.cols == 1)));
    if (isList && (typed ? integer : name.find("label") != std::string::npos))
      objects.labels = values;
    else if (isList)
      objects.scores = values;
    else if (const cv::Mat own = ofOnePicture(values, 3);
             joints > 0 && hasShape(own, {count, joints, 3}))
      objects.keypoints = own;
    else if (const cv::Mat masks = masksOf(values, count); !masks.empty())
      objects.masks = masks;
  }
  if (objects.scores.empty() || objects.labels.empty() || (joints > 0 && objects.keypoints.empty()))
    return std::nullopt;
  return objects;
}

}  // namespace

std::optional<Candidates> decodeObjects(const Tensors& tensors, const Reading& reading) {
  if (tensors.size() >= 3 && std::ranges::all_of(tensors, isEmpty, &NamedTensor::values))
    return Candidates{};
  // Tries each tensor: four scores look like one box.
  for (const NamedTensor& boxes : tensors)
    if (const auto objects = objectsOf(boxes, tensors, reading.keypoints))
      return read(*objects, reading);
  return std::nullopt;
}

std::optional<Candidates> decodeMmDeploy(const Tensors& tensors, const Reading& reading) {
  const cv::Mat* const dets = findTensor(tensors, "dets");
  const cv::Mat* const labels = findTensor(tensors, "labels");
  if (!dets || !labels) return std::nullopt;
  if (isEmpty(*dets)) return Candidates{};
  Objects objects{.boxes = ofOnePicture(*dets, 2), .labels = *labels};
  if (objects.boxes.dims != 2 || !hasShape(objects.boxes, {-1, 5}) ||
      labels->total() != static_cast<std::size_t>(objects.boxes.size[0]))
    return std::nullopt;
  if (const cv::Mat* const masks = findTensor(tensors, "masks"); masks && !isEmpty(*masks)) {
    objects.masks = masksOf(*masks, objects.boxes.size[0]);
    if (objects.masks.empty()) return std::nullopt;
  }
  return read(objects, reading);
}

}  // namespace elf
