// SPDX-License-Identifier: LGPL-2.1-or-later
// The part of a .model file that a client needs: how to cut parts for this model, how to read its
// output.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "elf/geometry/box.h"

namespace elf {

/** Names of classes, by label id. Copies share them: a model's rules are copied for each frame. */
class Labels {
 public:
  Labels() = default;
  Labels(std::initializer_list<std::string> names) : Labels(std::vector(names)) {}
  Labels(std::vector<std::string> names)
      : names_(std::make_shared<const std::vector<std::string>>(std::move(names))) {}

  std::span<const std::string> names() const {
    if (!names_) return {};
    return *names_;
  }
  std::size_t size() const { return names().size(); }
  const std::string& operator[](std::size_t id) const { return names()[id]; }
  bool operator==(const Labels& other) const {
    return names_ == other.names_ || std::ranges::equal(names(), other.names());
  }

 private:
  std::shared_ptr<const std::vector<std::string>> names_;
};

/**
 * The client-side keys of a `.model` file (docs/model-files.md). A server sends them as the
 * `parameters` object of `GET /v2/models/NAME`. If it does not, they are read from a local `.model`
 * file of that name. The defaults suit a model that takes any picture.
 */
struct ModelRules {
  /** Empty where the model has no names for its classes. */
  Labels labels;

  // [input]
  /** The one size that the model runs at; empty: it runs at any size. */
  Size fixedSize;
  /** The server pads width and height up to a multiple of this, in pixels; 1: free. */
  int multipleOf = 1;
  /** A part is at least this large; empty: no bound. */
  Size minSize;
  /** A larger part is scaled down before inference; empty: no bound. */
  Size maxSize;

  // [parts]
  /** Part origins are multiples of this, in pixels, so that a crop sees the model's own grid. */
  int align = 1;
  /** Requests state their part's place in the frame: the model finds the same as in the frame. */
  bool placed = false;
  /** Pixels that the model needs to see around an object to find it. */
  int context = 0;
  /** The same as a share of the object's height, >= 0; the larger of both counts. */
  float contextShare = 0;
  /** Smallest object height in pixels that the model still finds; 0: unknown. */
  int objectSize = 0;

  // [output]
  /** Detections below this score are not reported. */
  float minScore = 0;
  /** From this score on the model is sure; elf-bench's `confident` figures use it. */
  float sureScore = 0.5F;
  /** Each object has a mask. */
  bool masks = false;
  /** Each object has a rotated box. */
  bool rotated = false;
  /** Labels and scores are from a classifier that looked at each box. */
  bool classified = false;
  /** Joints of each object; 0: none. */
  int keypoints = 0;
  /** Pairs of joints that a bone connects, counted from 0. */
  std::vector<std::array<int, 2>> skeleton = {};

  bool operator==(const ModelRules&) const = default;

  /** What a larger picture is scaled down to: `fixedSize` or else `maxSize`; empty: no bound. */
  Size largestInput() const { return fixedSize.empty() ? maxSize : fixedSize; }

  /**
   * The factor by which the server scales a picture before inference: into `fixedSize`, or down to
   * `maxSize`. It exceeds 1 only with a fixed size. The picture is not empty.
   */
  double inputScale(Size picture) const;
  /** The size that the model then computes, padding included. The model's time depends on it. */
  Size inputSize(Size picture) const;

  /** The name of a class, or its number as text where it has no name. */
  std::string label(std::int64_t labelId) const {
    if (labelId >= 0 && static_cast<std::size_t>(labelId) < labels.size())
      return labels[static_cast<std::size_t>(labelId)];
    return std::to_string(labelId);
  }
};

/**
 * "segmentation" where each object has a mask, "keypoints" where it has joints, "obb" where it has
 * a rotated box, else "detection".
 */
inline std::string_view taskOf(const ModelRules& rules) {
  if (rules.masks) return "segmentation";
  if (rules.keypoints > 0) return "keypoints";
  return rules.rotated ? "obb" : "detection";
}

/** Longest side of a picture that any key of a model may ask for. */
inline constexpr int kMaxPixels = 65536;
/** Most joints of an object; it has at most twice as many bones. */
inline constexpr int kMaxKeypoints = 256;

struct BadKey {
  /** As written in a `.model` file. */
  const char* key;
  /** The rest of the sentence, as "is not between 1 and 4096". */
  std::string why;
};

/** The first value that no model can have; unset if all are possible. */
std::optional<BadKey> badKey(const ModelRules& rules);

}  // namespace elf
