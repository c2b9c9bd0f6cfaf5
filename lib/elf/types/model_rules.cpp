// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/types/model_rules.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace elf {

namespace {

bool possible(Size size) {
  const bool unset = size == Size{};
  return unset || (!size.empty() && size.width <= kMaxPixels && size.height <= kMaxPixels);
}

constexpr const char* kNotFinite = "is not finite";

std::optional<BadKey> impossible(const char* key, Size size) {
  if (possible(size)) return std::nullopt;
  return BadKey{key, "has a side that is not between 1 and " + std::to_string(kMaxPixels)};
}

std::optional<BadKey> outside(const char* key, int value, int least, int most) {
  if (value >= least && value <= most) return std::nullopt;
  return BadKey{key, "is not between " + std::to_string(least) + " and " + std::to_string(most)};
}

bool exceeds(Size a, Size b) {
  return a.width > b.width || a.height > b.height;
}

/** Every detection carries its label, which is drawn and becomes a quark that is never freed. */
constexpr std::size_t kMaxLabels = 100000;
constexpr std::size_t kMaxLabelBytes = 128;

bool possible(std::span<const std::string> labels) {
  return labels.size() <= kMaxLabels && std::ranges::all_of(labels, [](const std::string& label) {
           return label.size() <= kMaxLabelBytes &&
                  std::ranges::none_of(label, [](unsigned char c) { return c < ' '; });
         });
}

}  // namespace

double ModelRules::inputScale(Size picture) const {
  const Size bound = largestInput();
  if (bound.empty()) return 1;
  const double fits = std::min(static_cast<double>(bound.width) / picture.width,
                               static_cast<double>(bound.height) / picture.height);
  return fixedSize.empty() ? std::min(fits, 1.0) : fits;
}

Size ModelRules::inputSize(Size picture) const {
  if (!fixedSize.empty()) return fixedSize;
  const Size scaled = picture.scaled(inputScale(picture));
  return {roundUp(std::max(scaled.width, minSize.width), multipleOf),
          roundUp(std::max(scaled.height, minSize.height), multipleOf)};
}

std::optional<BadKey> badKey(const ModelRules& rules) {
  constexpr int kMaxGrid = 4096;
  // A network takes hundreds of bytes for each pixel of its input.
  constexpr double kMaxInput = 4096.0 * 4096;
  // Four times an object's height on each side is as good as the whole frame.
  constexpr int kMaxShare = 4;
  if (!possible(rules.labels.names()))
    return BadKey{"labels", "are more than " + std::to_string(kMaxLabels) +
                                ", or one is longer than " + std::to_string(kMaxLabelBytes) +
                                " bytes or holds a control character"};
  if (auto bad = impossible("size", rules.fixedSize)) return bad;
  if (rules.fixedSize.area() > kMaxInput) return BadKey{"size", "is of more pixels than 4096x4096"};
  if (auto bad = outside("multiple-of", rules.multipleOf, 1, kMaxGrid)) return bad;
  if (auto bad = impossible("min-size", rules.minSize)) return bad;
  if (auto bad = impossible("max-size", rules.maxSize)) return bad;
  if (!rules.maxSize.empty() && exceeds(rules.minSize, rules.maxSize))
    return BadKey{"max-size", "is below min-size"};
  if (auto bad = outside("align", rules.align, 1, kMaxGrid)) return bad;
  if (auto bad = outside("context", rules.context, 0, kMaxGrid)) return bad;
  // Also rejects NaN.
  if (!(rules.contextShare >= 0 && rules.contextShare <= kMaxShare))
    return BadKey{"context-share", "is not between 0 and " + std::to_string(kMaxShare)};
  if (auto bad = outside("object-size", rules.objectSize, 0, kMaxPixels)) return bad;
  if (!std::isfinite(rules.minScore)) return BadKey{"min-score", kNotFinite};
  if (!std::isfinite(rules.sureScore)) return BadKey{"sure-score", kNotFinite};
  if (auto bad = outside("keypoints", rules.keypoints, 0, kMaxKeypoints)) return bad;
  if (std::cmp_greater(rules.skeleton.size(), 2 * rules.keypoints))
    return BadKey{"skeleton", "has more than two bones for each of keypoints"};
  const auto isJoint = [&](int joint) { return joint >= 0 && joint < rules.keypoints; };
  if (!std::ranges::all_of(rules.skeleton, [&](const std::array<int, 2>& bone) {
        return isJoint(bone[0]) && isJoint(bone[1]);
      }))
    return BadKey{"skeleton",
                  "names a joint that is not between 0 and " + std::to_string(rules.keypoints - 1)};
  return std::nullopt;
}

}  // namespace elf
