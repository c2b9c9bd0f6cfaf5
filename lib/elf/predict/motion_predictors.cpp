// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/motion_predictors.h"

#include <algorithm>
#include <cmath>
#include <ranges>

#include "elf/predict/sides.h"

namespace elf {

namespace {

class LastPredictor final : public RpPredictor {
 public:
  std::vector<Prediction> predict(const History& history, const FrameTime& when) const override {
    std::vector<Prediction> predictions;
    for (const auto& [id, track] : history.tracks()) {
      const float ahead = framesAfter(track.last(), when);
      Prediction prediction{id, track.last().box, unknownMotion(track.last().box, ahead)};
      for (std::size_t side = 0; side < kSides.size() && track.observations.size() > 1; ++side) {
        float squares = 0;
        for (std::size_t i = 1; i < track.observations.size(); ++i) {
          const Observation& a = track.observations[i - 1];
          const Observation& b = track.observations[i];
          const float step =
              (b.box.*kSides[side] - a.box.*kSides[side]) / framesAfter(a, b, when.interval);
          squares += step * step;
        }
        prediction.uncertainty.*kDeviations[side] =
            ahead * std::sqrt(squares / static_cast<float>(track.observations.size() - 1));
      }
      predictions.push_back(prediction);
    }
    return predictions;
  }
};

class VelocityPredictor final : public RpPredictor {
  static constexpr std::size_t kObservations = 4;

 public:
  std::vector<Prediction> predict(const History& history, const FrameTime& when) const override {
    std::vector<Prediction> predictions;
    for (const auto& [id, track] : history.tracks()) {
      const Observation& last = track.last();
      const float ahead = framesAfter(last, when);
      Prediction prediction{id, last.box, unknownMotion(last.box, ahead)};
      if (track.observations.size() > 1)
        for (std::size_t side = 0; side < kSides.size(); ++side)
          extrapolate(track, when, side, prediction);
      // Sides that cross do not show where the object is.
      if (prediction.box.empty()) prediction.box = last.box;
      predictions.push_back(prediction);
    }
    return predictions;
  }

 private:
  static void extrapolate(const Track& track, const FrameTime& when, std::size_t side,
                          Prediction& prediction) {
    const Observation& last = track.last();
    const std::size_t count = std::min(track.observations.size(), kObservations);
    const std::ranges::subrange latest(
        track.observations.end() - static_cast<std::ptrdiff_t>(count), track.observations.end());
    const auto n = static_cast<float>(count);
    float t = 0, y = 0, tt = 0, ty = 0;
    for (const Observation& s : latest) {
      const float time = -framesAfter(s, last, when.interval);
      const float value = s.box.*kSides[side] - last.box.*kSides[side];
      t += time;
      y += value;
      tt += time * time;
      ty += time * value;
    }
    const float slope = (n * ty - t * y) / (n * tt - t * t);
    const float offset = (y - slope * t) / n;
    float squares = 0;
    for (const Observation& s : latest) {
      const float value = s.box.*kSides[side] - last.box.*kSides[side];
      const float error = value - (offset - slope * framesAfter(s, last, when.interval));
      squares += error * error;
    }
    const float ahead = framesAfter(last, when);
    prediction.box.*kSides[side] = last.box.*kSides[side] + offset + slope * ahead;
    // Two observations always lie on their line: half of the motion is taken as unknown.
    const float deviation = count > 2 ? std::sqrt(squares / (n - 2)) : std::abs(slope) / 2;
    prediction.uncertainty.*kDeviations[side] = deviation * std::sqrt(1 + ahead);
  }
};

/** Position and speed of one side, in pixels and frames, and their variances. */
class SideFilter {
 public:
  SideFilter(double position, double size)
      : position_(position),
        observation_(square(kObservation * size)),
        disturbance_(square(kDisturbance * size)),
        pp_(observation_),
        vv_(square(kSpeed * size)) {}

  double position() const { return position_; }
  double variance() const { return pp_; }

  /** Advances `frames` frames in one step. */
  void predict(double frames) {
    const double t = frames;
    position_ += t * speed_;
    pp_ += t * (2 * pv_ + t * vv_) + disturbance_ * t * t * t / 3;
    pv_ += t * vv_ + disturbance_ * t * t / 2;
    vv_ += disturbance_ * t;
  }

  void correct(double seen) {
    const double gainP = pp_ / (pp_ + observation_);
    const double gainV = pv_ / (pp_ + observation_);
    const double error = seen - position_;
    position_ += gainP * error;
    speed_ += gainV * error;
    vv_ -= gainV * pv_;
    pv_ -= gainP * pv_;
    pp_ -= gainP * pp_;
  }

 private:
  static constexpr double kObservation = 0.02;
  static constexpr double kDisturbance = 0.06;
  static constexpr double kSpeed = 0.1;
  static double square(double x) { return x * x; }

  double position_;
  double speed_ = 0;
  double observation_;
  double disturbance_;
  double pp_;
  double pv_ = 0;
  double vv_;
};

class KalmanPredictor final : public RpPredictor {
 public:
  std::vector<Prediction> predict(const History& history, const FrameTime& when) const override {
    std::vector<Prediction> predictions;
    for (const auto& [id, track] : history.tracks()) {
      const Observation& last = track.last();
      Prediction prediction{id, last.box, {}};
      for (std::size_t side = 0; side < kSides.size(); ++side) {
        const Observation* before = &track.observations.front();
        SideFilter filter(before->box.*kSides[side], extent(last.box, side));
        for (const Observation& observation : track.observations) {
          if (&observation == before) continue;
          filter.predict(framesAfter(*before, observation, when.interval));
          filter.correct(observation.box.*kSides[side]);
          before = &observation;
        }
        filter.predict(framesAfter(last, when));
        prediction.box.*kSides[side] = static_cast<float>(filter.position());
        prediction.uncertainty.*kDeviations[side] =
            static_cast<float>(std::sqrt(filter.variance()));
      }
      // Sides that cross do not show where the object is.
      if (prediction.box.empty()) prediction.box = last.box;
      predictions.push_back(prediction);
    }
    return predictions;
  }
};

}  // namespace

std::unique_ptr<RpPredictor> createLastPredictor() {
  return std::make_unique<LastPredictor>();
}

std::unique_ptr<RpPredictor> createVelocityPredictor() {
  return std::make_unique<VelocityPredictor>();
}

std::unique_ptr<RpPredictor> createKalmanPredictor() {
  return std::make_unique<KalmanPredictor>();
}

}  // namespace elf
