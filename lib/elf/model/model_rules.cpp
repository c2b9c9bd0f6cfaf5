// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/model/model_rules.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace elf {

namespace {

bool possible(Size size) {
  const bool unset = size == Size{};
  return unset || (!size.empty() && size.width <= kMaxPixels && size.height <= kMaxPixels);
}

bool exceeds(Size a, Size b) {
  return a.width > b.width || a.height > b.height;
}

/** Every detection carries its label, which is drawn and becomes a quark that is never freed. */
bool possible(std::span<const std::string> labels) {
  constexpr std::size_t kMaxLabels = 100000;
  constexpr std::size_t kMaxLabelBytes = 128;
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

std::string_view badKey(const ModelRules& rules) {
  constexpr int kMaxGrid = 4096;
  if (!possible(rules.labels.names())) return "labels";
  // A network takes hundreds of bytes for each pixel of its input.
  constexpr double kMaxInput = 4096.0 * 4096;
  if (!possible(rules.fixedSize) || rules.fixedSize.area() > kMaxInput) return "size";
  if (rules.multipleOf < 1 || rules.multipleOf > kMaxGrid) return "multiple-of";
  if (!possible(rules.minSize)) return "min-size";
  if (!possible(rules.maxSize) || (!rules.maxSize.empty() && exceeds(rules.minSize, rules.maxSize)))
    return "max-size";
  if (rules.align < 1 || rules.align > kMaxGrid) return "align";
  if (rules.context < 0 || rules.context > kMaxGrid) return "context";
  // Four times an object's height on each side is as good as the whole frame; NaN is none.
  constexpr float kMaxShare = 4;
  if (!(rules.contextShare >= 0 && rules.contextShare <= kMaxShare)) return "context-share";
  if (rules.objectSize < 0 || rules.objectSize > kMaxPixels) return "object-size";
  if (!std::isfinite(rules.minScore)) return "min-score";
  if (!std::isfinite(rules.sureScore)) return "sure-score";
  if (rules.keypoints < 0 || rules.keypoints > kMaxKeypoints) return "keypoints";
  const auto isJoint = [&](int joint) { return joint >= 0 && joint < rules.keypoints; };
  if (std::cmp_greater(rules.skeleton.size(), 2 * rules.keypoints) ||
      !std::ranges::all_of(rules.skeleton, [&](const std::array<int, 2>& bone) {
        return isJoint(bone[0]) && isJoint(bone[1]);
      }))
    return "skeleton";
  return {};
}

}  // namespace elf
