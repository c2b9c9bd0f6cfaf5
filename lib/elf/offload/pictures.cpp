// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/offload/pictures.h"

#include <algorithm>
#include <utility>

namespace elf {

namespace {

Rect placeOf(const Part& part) {
  const Size sent = part.sentSize();
  return {part.place->x, part.place->y, sent.width, sent.height};
}

/** Moves a detection from the canvas to the part at `place`, whose size is at least 1x1. */
Detection movedInto(const Rect& place, Detection detection) {
  detection.box =
      clip(shift(detection.box, static_cast<float>(-place.x), static_cast<float>(-place.y)),
           place.size());
  if (detection.mask)
    detection.mask = detection.mask->shifted(-place.x, -place.y)
                         .over(roundOutwards(detection.box, place.size()));
  for (Keypoint& joint : detection.keypoints) {
    joint.x -= static_cast<float>(place.x);
    joint.y -= static_cast<float>(place.y);
  }
  if (detection.rotated)
    detection.rotated =
        detection.rotated->shifted(static_cast<float>(-place.x), static_cast<float>(-place.y));
  return detection;
}

void divide(PartAnswer canvas, const Plan& plan, const Picture& picture,
            std::vector<PartAnswer>& answers) {
  const std::vector<Detection> detections = std::exchange(canvas.detections, {});
  const std::size_t bytes = std::exchange(canvas.bytesSent, 0);
  double pixels = 0;
  for (const std::size_t i : picture.shown) pixels += plan.parts[i].sentSize().area();
  std::size_t left = bytes;
  for (const std::size_t i : picture.shown) {
    answers[i] = canvas;
    const double share = plan.parts[i].sentSize().area() / pixels;
    answers[i].bytesSent = static_cast<std::size_t>(share * static_cast<double>(bytes));
    left -= std::min(left, answers[i].bytesSent);
  }
  answers[picture.shown.front()].bytesSent += left;
  for (const Detection& detection : detections)
    for (const std::size_t i : picture.shown) {
      const Rect place = placeOf(plan.parts[i]);
      const double inside = intersect(detection.box, toBox(place)).area();
      if (inside < kOfOnePart * detection.box.area() || inside <= 0) continue;
      answers[i].detections.push_back(movedInto(place, detection));
      break;
    }
}

}  // namespace

std::vector<Picture> picturesOf(const Plan& plan) {
  std::vector<Picture> pictures;
  for (std::size_t i = 0; i < plan.parts.size(); ++i)
    if (!plan.parts[i].place) pictures.push_back({plan.parts[i], {i}});
  const std::size_t first = pictures.size();
  for (const PartCanvas& canvas : plan.canvases)
    pictures.push_back({{.rect = wholeFrame(canvas.size), .server = canvas.server}, {}, true});
  for (std::size_t i = 0; i < plan.parts.size(); ++i)
    if (const auto& place = plan.parts[i].place)
      pictures[first + static_cast<std::size_t>(place->canvas)].shown.push_back(i);
  return pictures;
}

std::vector<PartAnswer> answersOfParts(const Plan& plan, const std::vector<Picture>& pictures,
                                       std::vector<PartAnswer> answers) {
  std::vector<PartAnswer> ofParts(plan.parts.size());
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    if (pictures[i].isCanvas)
      divide(std::move(answers[i]), plan, pictures[i], ofParts);
    else
      ofParts[pictures[i].shown.front()] = std::move(answers[i]);
  }
  return ofParts;
}

}  // namespace elf
