// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/wire/detections.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "elf/wire/tensor_bytes.h"

namespace elf::wire {

namespace {

const Tensor* findOutput(const InferResponse& response, std::string_view name) {
  const auto found = std::ranges::find(response.outputs, name, &Tensor::name);
  return found == response.outputs.end() ? nullptr : &*found;
}

const Tensor& outputNamed(const InferResponse& response, std::string_view name) {
  if (const Tensor* found = findOutput(response, name)) return *found;
  fail("outputs", std::string(name) + " is missing");
}

/** Throws unless the output is of that type and `shape`, where -1 means any extent. */
void expect(const Tensor& tensor, DataType type, const std::vector<std::int64_t>& shape) {
  if (tensor.type != type)
    fail(tensor.name, "has datatype " + std::string(toString(tensor.type)) + ", not " +
                          std::string(toString(type)));
  const bool fits =
      std::equal(tensor.shape.begin(), tensor.shape.end(), shape.begin(), shape.end(),
                 [](std::int64_t is, std::int64_t want) { return want < 0 || is == want; });
  if (!fits) fail(tensor.name, "has a wrong shape or length");
  if (elementCount(tensor.shape, elementSize(type), tensor.name) * elementSize(type) !=
      tensor.data.size())
    fail(tensor.name, "has more or less data than its shape says");
}

/** A copy without data, and without a leading batch dimension of 1 if the tensor has more than
 * `rank` dimensions. */
Tensor emptyLike(const Tensor& tensor, DataType type, std::size_t rank) {
  Tensor copy{.name = tensor.name, .type = type, .shape = tensor.shape};
  if (copy.shape.size() > rank && copy.shape[0] == 1) copy.shape.erase(copy.shape.begin());
  return copy;
}

/** A tensor of any numbers as FP32. */
Tensor floatsOf(const Tensor& tensor, std::size_t rank) {
  Tensor floats = emptyLike(tensor, DataType::Fp32, rank);
  if (!forEachFloat(tensor, [&](float value) { append(floats.data, value); }))
    fail(tensor.name,
         "has datatype " + std::string(toString(tensor.type)) + " (numbers, such as FP32)");
  return floats;
}

/** A tensor of any integers that fit as INT64. */
Tensor integersOf(const Tensor& tensor, std::size_t rank) {
  Tensor integers = emptyLike(tensor, DataType::Int64, rank);
  const bool whole = withIntegerOf(tensor.type, [&]<typename T>(T) {
    forEach<T>(tensor, [&](T value) {
      if (!std::in_range<std::int64_t>(value)) fail(tensor.name, "holds a number above 2^63 - 1");
      append(integers.data, static_cast<std::int64_t>(value));
    });
  });
  if (!whole)
    fail(tensor.name,
         "has datatype " + std::string(toString(tensor.type)) + " (integers, such as INT64)");
  return integers;
}

bool isEmpty(const Tensor& tensor) {
  return std::ranges::find(tensor.shape, 0) != tensor.shape.end() && tensor.data.empty();
}

/** The same for a column of `n` values: MLServer's codec of arrays writes [n] as [n,1]. */
void expectValues(const Tensor& tensor, DataType type, std::int64_t n) {
  if (tensor.shape.size() == 2)
    expect(tensor, type, {n, 1});
  else
    expect(tensor, type, {n});
}

Box boxAt(const Tensor& boxes, std::size_t i) {
  std::array<float, 4> corners;
  std::memcpy(corners.data(), boxes.data.data() + i * sizeof(corners), sizeof(corners));
  return {corners[0], corners[1], corners[2], corners[3]};
}

Tensor encodeMasks(std::span<const Detection> detections) {
  Tensor tensor{.name = "masks",
                .type = DataType::Bytes,
                .shape = {static_cast<std::int64_t>(detections.size())}};
  for (const Detection& detection : detections)
    appendBytes(tensor, toRuns(detection.mask.value_or(Mask()).over(roundOutwards(detection.box))));
  return tensor;
}

Tensor encodeKeypoints(std::span<const Detection> detections, int count) {
  Tensor tensor{.name = "keypoints",
                .type = DataType::Fp32,
                .shape = {static_cast<std::int64_t>(detections.size()), count, 3}};
  for (const Detection& detection : detections)
    for (std::size_t i = 0; std::cmp_less(i, count); ++i) {
      const Keypoint joint = i < detection.keypoints.size() ? detection.keypoints[i] : Keypoint{};
      for (const float value : {joint.x, joint.y, joint.visibility}) append(tensor.data, value);
    }
  return tensor;
}

Tensor encodeRotated(std::span<const Detection> detections) {
  Tensor tensor{.name = "rotated",
                .type = DataType::Fp32,
                .shape = {static_cast<std::int64_t>(detections.size()), 5}};
  for (const Detection& detection : detections)
    append(tensor.data, detection.rotated.value_or(toRotated(detection.box)));
  return tensor;
}

/** Masks for the checked `boxes`, which must lie in the picture that was `sent`; none without
 * tensor. */
std::vector<Mask> decodeMasks(const Tensor* tensor, const Tensor& boxes, Size sent) {
  if (!tensor) return {};
  const std::vector<std::int64_t> shape = emptyLike(*tensor, tensor->type, 1).shape;
  if (tensor->type != DataType::Bytes || shape.empty() || shape[0] != boxes.shape[0])
    fail(tensor->name, "is not BYTES with an element for each box");
  const std::vector<Bytes> elements = elementsOf(*tensor);
  if (std::cmp_not_equal(elements.size(), boxes.shape[0]))
    fail(tensor->name, "is not BYTES with an element for each box");
  std::vector<Mask> masks;
  double pixels = 0;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const Box box = boxAt(boxes, i);
    if (!box.finite() || clip(box, sent) != box)
      fail(tensor->name, "are of a box that reaches out of the picture");
    const Rect rect = box.empty() ? Rect{} : roundOutwards(box);
    pixels += rect.area();
    if (pixels > kMaxMaskPixels) fail(tensor->name, "have too many pixels");
    std::optional<Mask> mask = fromRuns(elements[i], rect);
    if (!mask) fail(tensor->name, "not runs that fill their boxes");
    masks.push_back(std::move(*mask));
  }
  return masks;
}

std::vector<std::vector<Keypoint>> decodeKeypoints(const Tensor* tensor, std::int64_t n,
                                                   int count) {
  if (!tensor) return {};
  const Tensor joints = floatsOf(*tensor, 3);
  expect(joints, DataType::Fp32, {n, count, 3});
  if (n * count > kMaxJoints) fail(tensor->name, "are too many");
  constexpr float kFarthest = kMaxPixels;
  std::vector<std::vector<Keypoint>> all(static_cast<std::size_t>(n));
  const std::uint8_t* at = joints.data.data();
  for (std::vector<Keypoint>& each : all)
    for (int i = 0; i < count; ++i, at += sizeof(Keypoint)) {
      const auto joint = load<Keypoint>(at);
      if (!(std::abs(joint.x) <= kFarthest && std::abs(joint.y) <= kFarthest) ||
          !std::isfinite(joint.visibility))
        fail(tensor->name, "hold a joint that can be nowhere");
      each.push_back({joint.x, joint.y, std::clamp(joint.visibility, 0.0F, 1.0F)});
    }
  return all;
}

// Copied to and from memory as it is.
static_assert(sizeof(RotatedBox) == 5 * sizeof(float));

std::vector<RotatedBox> decodeRotated(const Tensor* tensor, std::int64_t n) {
  if (!tensor) return {};
  const Tensor boxes = floatsOf(*tensor, 2);
  expect(boxes, DataType::Fp32, {n, 5});
  std::vector<RotatedBox> all;
  for (std::size_t i = 0; std::cmp_less(i, n); ++i) {
    all.push_back(load<RotatedBox>(boxes.data.data() + i * sizeof(RotatedBox)));
    if (!all.back().possible()) fail(tensor->name, "hold a box that can be nowhere");
  }
  return all;
}

}  // namespace

std::vector<Tensor> encodeDetections(std::span<const Detection> detections,
                                     const ModelRules& rules) {
  const auto n = static_cast<std::int64_t>(detections.size());
  std::vector<Tensor> outputs{{.name = "boxes", .type = DataType::Fp32, .shape = {n, 4}},
                              {.name = "scores", .type = DataType::Fp32, .shape = {n}},
                              {.name = "labels", .type = DataType::Int64, .shape = {n}}};
  for (const Detection& detection : detections) {
    const Box& box = detection.box;
    for (const float corner : {box.x0, box.y0, box.x1, box.y1}) append(outputs[0].data, corner);
    append(outputs[1].data, detection.score);
    append(outputs[2].data, detection.labelId);
  }
  if (rules.masks) outputs.push_back(encodeMasks(detections));
  if (rules.keypoints > 0) outputs.push_back(encodeKeypoints(detections, rules.keypoints));
  if (rules.rotated) outputs.push_back(encodeRotated(detections));
  return outputs;
}

Result<std::vector<Detection>> decodeDetections(const InferResponse& response,
                                                const ModelRules& rules, Size sent,
                                                const TensorNames& names) try {
  const Tensor boxes = floatsOf(outputNamed(response, names.boxes), 2);
  const Tensor scores = floatsOf(outputNamed(response, names.scores), 1);
  const Tensor labels = integersOf(outputNamed(response, names.labels), 1);
  // Servers give an empty result all kinds of shapes.
  if (isEmpty(boxes) && isEmpty(scores) && isEmpty(labels)) return std::vector<Detection>();
  expect(boxes, DataType::Fp32, {-1, 4});
  const std::int64_t n = boxes.shape[0];
  if (std::cmp_greater(n, kMaxDetections))
    fail(names.boxes,
         "has " + std::to_string(n) + " rows, more than " + std::to_string(kMaxDetections));
  expectValues(scores, DataType::Fp32, n);
  expectValues(labels, DataType::Int64, n);
  // Only outputs that `rules` name: other servers use these names for something else.
  std::vector<Mask> masks =
      decodeMasks(rules.masks ? findOutput(response, names.masks) : nullptr, boxes, sent);
  std::vector<std::vector<Keypoint>> keypoints = decodeKeypoints(
      rules.keypoints > 0 ? findOutput(response, names.keypoints) : nullptr, n, rules.keypoints);
  const std::vector<RotatedBox> rotated =
      decodeRotated(rules.rotated ? findOutput(response, names.rotated) : nullptr, n);

  std::vector<Detection> detections;
  for (std::size_t i = 0; std::cmp_less(i, n); ++i) {
    Detection detection;
    detection.box = boxAt(boxes, i);
    detection.score = load<float>(scores.data.data() + i * sizeof(float));
    if (!detection.box.finite()) fail(names.boxes, "holds a number that is not finite");
    if (!std::isfinite(detection.score)) fail(names.scores, "holds a number that is not finite");
    detection.labelId = load<std::int64_t>(labels.data.data() + i * sizeof(std::int64_t));
    if (std::cmp_greater_equal(detection.labelId, 0) &&
        std::cmp_less(detection.labelId, rules.labels.size()))
      detection.label = rules.labels[static_cast<std::size_t>(detection.labelId)];
    detection.box = clip(detection.box, sent);
    if (!masks.empty()) detection.mask = std::move(masks[i]);
    if (!keypoints.empty()) detection.keypoints = std::move(keypoints[i]);
    if (!rotated.empty()) detection.rotated = rotated[i];
    if (!detection.box.empty()) detections.push_back(std::move(detection));
  }
  return detections;
} catch (const Malformed& malformed) {
  return Result<std::vector<Detection>>::failure(malformed.why);
}

}  // namespace elf::wire
