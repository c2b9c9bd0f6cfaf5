// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/checked_run.h"

#include <cmath>
#include <exception>
#include <string>
#include <utility>

#include "elf/base/printable.h"
#include "elf/wire/detections.h"

namespace elf {

namespace {

/** The tolerance between a box and its rotated box's hull, in pixels: arithmetic, and whole
 * numbers. */
constexpr float kSameSide = 1;

bool isAround(const Box& box, const RotatedBox& rotated, Size picture) {
  const Box hull = clip(rotated.hull(), picture);
  return std::abs(hull.x0 - box.x0) <= kSameSide && std::abs(hull.y0 - box.y0) <= kSameSide &&
         std::abs(hull.x1 - box.x1) <= kSameSide && std::abs(hull.y1 - box.y1) <= kSameSide;
}

/** The fault of a detection. Empty if there is none. */
std::string faultOf(const Detection& detection, const ModelRules& rules, Size picture) {
  const Box& box = detection.box;
  if (!box.finite() || box.empty()) return "its box is empty or not finite";
  if (box != clip(box, picture)) return "its box reaches out of the picture";
  if (!std::isfinite(detection.score)) return "its score is not finite";
  if (detection.score < rules.minScore) return "its score is below min-score";
  if (rules.masks && (!detection.mask || detection.mask->rect() != roundOutwards(box, picture)))
    return "it has no mask over its box rounded outwards";
  if (std::cmp_not_equal(detection.keypoints.size(), rules.keypoints))
    return "it has " + std::to_string(detection.keypoints.size()) + " joints, not " +
           std::to_string(rules.keypoints);
  for (const Keypoint& joint : detection.keypoints)
    if (!std::isfinite(joint.x) || !std::isfinite(joint.y) ||
        !(joint.visibility >= 0 && joint.visibility <= 1))
      return "a joint is not finite, or its visibility not between 0 and 1";
  if (!rules.rotated) return {};
  if (!detection.rotated || !detection.rotated->possible())
    return "it has no rotated box with sides above 0, or no possible one";
  if (!isAround(box, *detection.rotated, picture))
    return "its box is not that around its rotated one";
  return {};
}

using Answer = InferenceModel::Answer;

Answer checked(const InferenceModel& model, Answer result, Size picture) {
  if (!result) return result;
  if (result.value().size() > wire::kMaxDetections)
    return Answer::failure(model.name() + ": finds " + std::to_string(result.value().size()) +
                           " objects in one picture");
  double maskPixels = 0;
  for (std::size_t i = 0; i < result.value().size(); ++i) {
    const Detection& detection = result.value()[i];
    if (const std::string fault = faultOf(detection, model.rules(), picture); !fault.empty())
      return Answer::failure(model.name() + ": object " + std::to_string(i) + ": " + fault);
    if (detection.mask) maskPixels += detection.mask->rect().area();
  }
  if (maskPixels > kMaxMaskPixels)
    return Answer::failure(model.name() + ": its masks have too many pixels");
  return result;
}

}  // namespace

Answer checkedRun(InferenceModel& model, const ImageView& bgr, const Placement& placement) try {
  return checked(model, model.run(bgr, placement), bgr.size);
} catch (const std::exception& error) {
  return Answer::failure(model.name() + ": " + printable(error.what()));
} catch (...) {
  return Answer::failure(model.name() + ": throws something other than std::exception");
}

std::vector<Answer> checkedRunBatch(InferenceModel& model,
                                    std::span<const PlacedPicture> pictures) {
  std::vector<Answer> answers;
  try {
    if (pictures.size() > 1) answers = model.runBatch(pictures);
  } catch (...) {
    // Treated like a result of the wrong length.
  }
  if (answers.size() != pictures.size()) answers.assign(pictures.size(), Answer::failure({}));
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const auto& [bgr, placement] = pictures[i];
    answers[i] = answers[i] ? checked(model, std::move(answers[i]), bgr.size)
                            : checkedRun(model, bgr, placement);
  }
  return answers;
}

}  // namespace elf
