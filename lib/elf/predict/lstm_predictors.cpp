// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/lstm_predictors.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "elf/predict/sides.h"

namespace elf {

namespace {

constexpr int kCoordinates = 4;
constexpr std::size_t kSteps = 2;
constexpr float kMaxRoll = 32;

/** State of a cell, on the stack. */
template <int kHidden>
struct State {
  std::array<float, kHidden> h{};
  std::array<float, kHidden> c{};

  LstmState view() { return {h, c}; }
};

BoxShares toShares(const Box& box, Size frame) {
  const auto w = static_cast<float>(frame.width);
  const auto h = static_cast<float>(frame.height);
  return {box.x0 / w, box.y0 / h, box.x1 / w, box.y1 / h};
}

Box toBox(const BoxShares& shares, Size frame) {
  const auto w = static_cast<float>(frame.width);
  const auto h = static_cast<float>(frame.height);
  return {shares[0] * w, shares[1] * h, shares[2] * w, shares[3] * h};
}

/** The box one frame of `interval` before observation number `i`; its own box if `i` is 0. */
Box boxBefore(const Track& track, std::size_t i, double interval) {
  const Observation& observation = track.observations[i];
  if (i == 0) return observation.box;
  const Observation& before = track.observations[i - 1];
  const float share = 1 / framesAfter(before, observation, interval);
  Box box = observation.box;
  for (const auto side : kSides) box.*side += share * (before.box.*side - box.*side);
  return box;
}

template <typename Network>
class NetworkPredictor final : public RpPredictor {
 public:
  explicit NetworkPredictor(const Weights& weights) : network_(weights) {}

  std::vector<Prediction> predict(const History& history, const FrameTime& when) const override {
    std::vector<Prediction> predictions;
    for (const auto& [id, track] : history.tracks()) {
      const float ahead = framesAfter(track.last(), when);
      predictions.push_back(
          {id, roll(track, track.observations.size() - 1, ahead, when.interval, history.size()),
           uncertainty(track, ahead, when.interval, history.size())});
    }
    return predictions;
  }

 private:
  /** Where the object is `frames` after its observation number `i`, predicted from then. */
  Box roll(const Track& track, std::size_t i, float frames, double interval, Size size) const {
    const Box& last = track.observations[i].box;
    if (size.empty()) return last;
    BoxShares before = toShares(boxBefore(track, i, interval), size);
    BoxShares now = toShares(last, size);
    // The network steps whole frames. The last step may count in part.
    for (float left = std::min(frames, kMaxRoll); left > 0; --left) {
      BoxShares next = network_.next(before, now);
      if (left < 1)
        for (std::size_t k = 0; k < next.size(); ++k) next[k] = now[k] + left * (next[k] - now[k]);
      before = std::exchange(now, next);
    }
    const Box box = toBox(now, size);
    return box.finite() ? box : last;
  }

  Sides uncertainty(const Track& track, float frames, double interval, Size size) const {
    const std::size_t count = track.observations.size();
    // One observation shows no error, and at the second one the network knew no motion.
    if (count < 3) return unknownMotion(track.last().box, frames);
    const float gap = framesAfter(track.observations[count - 2], track.last(), interval);
    const Box expected = roll(track, count - 2, gap, interval, size);
    Sides deviations;
    for (std::size_t side = 0; side < kSides.size(); ++side)
      deviations.*kDeviations[side] =
          frames * std::abs(expected.*kSides[side] - track.last().box.*kSides[side]) / gap;
    return deviations;
  }

  Network network_;
};

}  // namespace

LstmNetwork::LstmNetwork(const Weights& weights)
    : first_(weights, "rnn.", "_l0", kCoordinates, kHidden),
      second_(weights, "rnn.", "_l1", kHidden, kHidden),
      output_(weights, "fc", kHidden, kCoordinates) {}

BoxShares LstmNetwork::next(const BoxShares& before, const BoxShares& last) const {
  State<kHidden> first, second;
  for (const BoxShares* box : {&before, &last}) {
    first_.run(*box, first.view());
    second_.run(first.h, second.view());
  }
  for (float& value : second.h) value = std::max(value, 0.0F);
  BoxShares next;
  output_.run(second.h, next);
  sigmoid(next);
  return next;
}

AttnLstmNetwork::AttnLstmNetwork(const Weights& weights)
    : encoder_(weights, "encoder.rnn.", "_l0", kCoordinates, kHidden),
      attention_(weights, "decoder.attn_layer.0", 3 * kHidden, kHidden),
      score_(weights, "decoder.attn_layer.2", kHidden, 1),
      mix_(weights, "decoder.fc", kHidden + kCoordinates, kCoordinates),
      decoder_(weights, "decoder.lstm_layer.", "_l0", kCoordinates, kHidden),
      output_(weights, "decoder.fc_final", 2 * kHidden, kCoordinates) {}

BoxShares AttnLstmNetwork::next(const BoxShares& before, const BoxShares& last) const {
  const std::array<const BoxShares*, kSteps> boxes{&before, &last};
  std::array<std::array<float, kHidden>, kSteps> codes;
  State<kHidden> encoder, decoder;
  for (std::size_t t = 0; t < kSteps; ++t) {
    encoder_.run(*boxes[t], encoder.view());
    codes[t] = encoder.h;
  }
  // Finally the input of the output layer: the decoder's h, then the attended code.
  std::array<float, 2 * kHidden> answer{};
  const std::span<float> attended = std::span(answer).last<kHidden>();
  for (const BoxShares* box : boxes) {
    std::array<float, kSteps> scores;
    for (std::size_t s = 0; s < kSteps; ++s) {
      std::array<float, 3 * kHidden> seen;
      auto end = std::copy(decoder.h.begin(), decoder.h.end(), seen.begin());
      end = std::copy(decoder.c.begin(), decoder.c.end(), end);
      std::copy(codes[s].begin(), codes[s].end(), end);
      std::array<float, kHidden> inner;
      attention_.run(seen, inner);
      hyperbolicTangent(inner);
      score_.run(inner, std::span(scores).subspan(s, 1));
    }
    // Softmax over two is the logistic function of their difference.
    static_assert(kSteps == 2);
    std::array<float, 1> share{scores[0] - scores[1]};
    sigmoid(share);
    std::array<float, kHidden + kCoordinates> mixed;
    for (std::size_t i = 0; i < kHidden; ++i)
      mixed[i] = attended[i] = share[0] * codes[0][i] + (1 - share[0]) * codes[1][i];
    std::copy(box->begin(), box->end(), mixed.begin() + kHidden);
    BoxShares input;
    mix_.run(mixed, input);
    decoder_.run(input, decoder.view());
  }
  std::copy(decoder.h.begin(), decoder.h.end(), answer.begin());
  BoxShares next;
  output_.run(answer, next);
  return next;
}

std::unique_ptr<RpPredictor> createLstmPredictor(const Weights& weights) {
  return std::make_unique<NetworkPredictor<LstmNetwork>>(weights);
}

std::unique_ptr<RpPredictor> createAttnLstmPredictor(const Weights& weights) {
  return std::make_unique<NetworkPredictor<AttnLstmNetwork>>(weights);
}

}  // namespace elf
