// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/predictor.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "elf/base/error.h"

namespace elf {

namespace {

// An object seen once may move by this share of its size in a frame.
constexpr float kUnknownMotion = 0.05F;

using SideMember = float Box::*;
constexpr std::array<SideMember, 4> kSides{&Box::x0, &Box::y0, &Box::x1, &Box::y1};
using DeviationMember = float Sides::*;
constexpr std::array<DeviationMember, 4> kDeviations{&Sides::left, &Sides::top, &Sides::right,
                                                     &Sides::bottom};

Sides unknownMotion(const Box& box, float frames) {
  const float x = kUnknownMotion * box.width() * frames;
  const float y = kUnknownMotion * box.height() * frames;
  return {x, y, x, y};
}

float framesBetween(const Sighting& from, std::uint64_t to) {
  return static_cast<float>(to - from.frame);
}

/** The box stays where it was; it may be off by what it moved in the past. */
class LastPredictor final : public RpPredictor {
 public:
  std::vector<Prediction> predict(const History& history, std::uint64_t frame) const override {
    std::vector<Prediction> predictions;
    for (const auto& [id, track] : history.tracks()) {
      const float ahead = framesBetween(track.last(), frame);
      Prediction prediction{id, track.last().box, unknownMotion(track.last().box, ahead)};
      for (std::size_t side = 0; side < kSides.size() && track.sightings.size() > 1; ++side) {
        float squares = 0;
        for (std::size_t i = 1; i < track.sightings.size(); ++i) {
          const Sighting& a = track.sightings[i - 1];
          const Sighting& b = track.sightings[i];
          const float step =
              (b.box.*kSides[side] - a.box.*kSides[side]) / framesBetween(a, b.frame);
          squares += step * step;
        }
        prediction.uncertainty.*kDeviations[side] =
            ahead * std::sqrt(squares / static_cast<float>(track.sightings.size() - 1));
      }
      predictions.push_back(prediction);
    }
    return predictions;
  }
};

/** Each side moves on along the least-squares line through its sightings. */
class VelocityPredictor final : public RpPredictor {
 public:
  std::vector<Prediction> predict(const History& history, std::uint64_t frame) const override {
    std::vector<Prediction> predictions;
    for (const auto& [id, track] : history.tracks()) {
      const Sighting& last = track.last();
      const float ahead = framesBetween(last, frame);
      Prediction prediction{id, last.box, unknownMotion(last.box, ahead)};
      if (track.sightings.size() > 1)
        for (std::size_t side = 0; side < kSides.size(); ++side)
          extrapolate(track, frame, side, prediction);
      // Sides that cross say nothing of where the object is.
      if (prediction.box.empty()) prediction.box = last.box;
      predictions.push_back(prediction);
    }
    return predictions;
  }

 private:
  static void extrapolate(const Track& track, std::uint64_t frame, std::size_t side,
                          Prediction& prediction) {
    const Sighting& last = track.last();
    const auto n = static_cast<float>(track.sightings.size());
    float t = 0, y = 0, tt = 0, ty = 0;
    for (const Sighting& s : track.sightings) {
      const float time = -framesBetween(s, last.frame);
      const float value = s.box.*kSides[side] - last.box.*kSides[side];
      t += time;
      y += value;
      tt += time * time;
      ty += time * value;
    }
    const float slope = (n * ty - t * y) / (n * tt - t * t);
    const float offset = (y - slope * t) / n;
    float squares = 0;
    for (const Sighting& s : track.sightings) {
      const float value = s.box.*kSides[side] - last.box.*kSides[side];
      const float error = value - (offset - slope * framesBetween(s, last.frame));
      squares += error * error;
    }
    const float ahead = framesBetween(last, frame);
    prediction.box.*kSides[side] = last.box.*kSides[side] + offset + slope * ahead;
    // Two sightings always lie on their line: take half of the motion as what is not known of it.
    const float deviation =
        track.sightings.size() > 2 ? std::sqrt(squares / (n - 2)) : std::abs(slope) / 2;
    prediction.uncertainty.*kDeviations[side] = deviation * std::sqrt(1 + ahead);
  }
};

}  // namespace

std::span<const Choice> predictorChoices() {
  static constexpr Choice kChoices[] = {
      {"velocity", "Each side of the box moves on as it moved in the history"},
      {"last", "The box stays where it was seen last"},
  };
  return kChoices;
}

std::unique_ptr<RpPredictor> RpPredictor::create(std::string_view name,
                                                  const std::string&) {
  if (name == "velocity") return std::make_unique<VelocityPredictor>();
  if (name == "last") return std::make_unique<LastPredictor>();
  throw Error("predictor", "there is none called \"" + std::string(name) + "\"");
}

std::vector<Rp> makeRps(const std::vector<Prediction>& predictions, const History& history,
                        Size frame, const Padding& padding) {
  std::vector<Rp> rps;
  for (const Prediction& prediction : predictions) {
    const Box& box = prediction.box;
    const auto width = [&](float side, float deviation) {
      return static_cast<float>(std::max(padding.ratio * side, padding.minimum) +
                                padding.deviations * deviation);
    };
    const Sides& deviation = prediction.uncertainty;
    Rp rp;
    rp.box = clip(
        grow(box, {width(box.width(), deviation.left), width(box.height(), deviation.top),
                   width(box.width(), deviation.right), width(box.height(), deviation.bottom)}),
        frame);
    rp.expected = clip(box, frame);
    if (rp.expected.empty()) continue;
    rp.id = prediction.id;
    if (const auto track = history.tracks().find(prediction.id); track != history.tracks().end()) {
      rp.labelId = track->second.labelId;
      rp.label = track->second.label;
      rp.score = track->second.last().score;
    }
    rps.push_back(std::move(rp));
  }
  return rps;
}

}  // namespace elf
