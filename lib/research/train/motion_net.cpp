// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/train/motion_net.h"

#include <torch/nn/functional/loss.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/linear.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "elf/base/random.h"
#include "elf/predict/indexing.h"
#include "elf/predict/motion_network.h"
#include "elf/predict/sides.h"
#include "research/data/elf_release_window.h"

namespace elf::train {

namespace {

// The layout of a row of a sample's input.
constexpr std::int64_t kOwn = MotionFeatures::kOwn;
constexpr std::int64_t kShared = kOwn + MotionFeatures::kShared;
constexpr std::int64_t kScene = kShared;
constexpr std::int64_t kAhead = kScene + 1;
constexpr std::int64_t kScale = kAhead + 1;
constexpr std::int64_t kVelocity = kScale + 4;
constexpr std::int64_t kLast = kVelocity + 4;
constexpr std::int64_t kFrame = kLast + 4;
constexpr std::int64_t kInput = kFrame + 2;
// The layout of a row of its target.
constexpr std::int64_t kTargetScale = 4;
constexpr std::int64_t kTargetAhead = 8;
constexpr std::int64_t kThere = 9;
constexpr std::int64_t kWeight = 10;
constexpr std::int64_t kReleased = 11;
constexpr std::int64_t kTarget = 12;

constexpr int kVariants = 12;
constexpr int kMostHorizon = 6;
constexpr int kCoast = 8;
// Windows of the released code: copies of each in the data, and their weight.
constexpr int kReleasedCopies = 3;
constexpr float kReleasedWeight = 2;
constexpr float kLeakedWeight = 0.15F;

constexpr double kSmooth = 0.02;
constexpr double kSmoothWeight = 0.5;
constexpr double kQuantile = 0.97;
constexpr double kPresenceWeight = 0.2;
// Without it the learned widths are too narrow for unseen videos.
constexpr double kDropout = 0.1;

std::size_t below(Random& random, std::size_t count) {
  return static_cast<std::size_t>(random.bits() % count);
}

/** The objects of a trace in every frame. */
struct Tracks {
  Size size;
  std::size_t frames = 0;
  std::size_t objects = 0;
  /** Frame by frame: [frame * objects + object]. */
  std::vector<Box> boxes;
  std::vector<char> there;

  std::size_t at(std::size_t frame, std::size_t object) const { return frame * objects + object; }
};

Tracks tracksOf(const Trace& trace) {
  Tracks tracks;
  if (trace.frames.empty()) return tracks;
  std::map<std::int64_t, std::size_t> columns;
  for (const TraceFrame& frame : trace.frames)
    for (const TraceObject& object : frame.objects)
      if (!object.ignored && object.id != TraceObject::kUnknownId)
        columns.emplace(object.id, columns.size());
  tracks.size = trace.frames.front().size;
  const std::int64_t first = trace.frames.front().number;
  tracks.frames = static_cast<std::size_t>(trace.frames.back().number - first + 1);
  tracks.objects = columns.size();
  tracks.boxes.resize(tracks.frames * tracks.objects);
  tracks.there.resize(tracks.boxes.size());
  for (const TraceFrame& frame : trace.frames)
    for (const TraceObject& object : frame.objects) {
      const auto column = columns.find(object.id);
      if (object.ignored || column == columns.end()) continue;
      const std::size_t i =
          tracks.at(static_cast<std::size_t>(frame.number - first), column->second);
      tracks.boxes[i] = object.box;
      tracks.there[i] = 1;
    }
  return tracks;
}

/** As seen by a camera that takes a frame every `step` frames. */
Tracks atOtherRate(const Tracks& tracks, double step) {
  Tracks result{tracks.size, 0, tracks.objects, {}, {}};
  for (double time = 0; time < static_cast<double>(tracks.frames) - 1; time += step) {
    const auto before = static_cast<std::size_t>(time);
    const auto share = static_cast<float>(time - static_cast<double>(before));
    for (std::size_t object = 0; object < tracks.objects; ++object) {
      const std::size_t a = tracks.at(before, object);
      const std::size_t b = tracks.at(before + 1, object);
      Box box = tracks.boxes[a];
      for (const auto side : kSides) box.*side += share * (tracks.boxes[b].*side - box.*side);
      result.boxes.push_back(box);
      result.there.push_back(tracks.there[a] && (share == 0 || tracks.there[b]));
    }
    ++result.frames;
  }
  return result;
}

void mirror(Tracks& tracks) {
  const auto width = static_cast<float>(tracks.size.width);
  for (Box& box : tracks.boxes) box = {width - box.x1, box.y0, width - box.x0, box.y1};
}

/** The errors of a simulated detector. */
struct Detector {
  double miss = 0;
  /** Mean length of a run of misses. */
  double run = 1;
  double pixels = 0;
  double share = 0;
};

Tracks detect(const Tracks& tracks, const Detector& detector, Random& random) {
  Tracks found = tracks;
  std::vector<char> missing(tracks.objects);
  for (std::size_t frame = 0; frame < tracks.frames; ++frame)
    for (std::size_t object = 0; object < tracks.objects; ++object) {
      const bool goesOn = missing[object] != 0;
      missing[object] = random.chance(goesOn ? 1 - 1 / detector.run : detector.miss / detector.run);
      const std::size_t i = tracks.at(frame, object);
      if (missing[object] || !tracks.there[i]) {
        found.there[i] = 0;
        continue;
      }
      Box& box = found.boxes[i];
      const double deviation =
          detector.pixels + detector.share * std::sqrt(std::max(box.area(), 1.0));
      if (deviation == 0) continue;
      for (const auto side : kSides)
        box.*side += static_cast<float>(deviation) * static_cast<float>(random.normal());
      box.x0 = std::min(box.x0, box.x1 - 1);
      box.y0 = std::min(box.y0, box.y1 - 1);
    }
  return found;
}

/** The data of one object's row. */
struct Row {
  MotionWindow window;
  Box target;
  bool there = true;
  bool released = false;
  float weight = 1;
};

void put(float* to, const Box& box) {
  for (const auto side : kSides) *to++ = box.*side;
}

/** `scene` tells neighbouring samples apart. */
Sample sampleOf(const std::vector<Row>& rows, Size frame, std::size_t scene) {
  const auto count = static_cast<std::int64_t>(rows.size());
  Sample sample{torch::empty({count, kInput}), torch::empty({count, kTarget})};
  auto* input = sample.input.data_ptr<float>();
  auto* target = sample.target.data_ptr<float>();
  for (const Row& row : rows) {
    const MotionFeatures features = motionFeatures(row.window, frame);
    std::copy(features.own.begin(), features.own.end(), input);
    std::copy(features.shared.begin(), features.shared.end(), input + kOwn);
    input[kScene] = static_cast<float>(scene % (1U << 24));
    input[kAhead] = std::min(row.window.ahead, MotionNetwork::kMostAhead);
    std::copy(features.scale.begin(), features.scale.end(), input + kScale);
    std::copy(features.velocity.begin(), features.velocity.end(), input + kVelocity);
    put(input + kLast, row.window.last());
    input[kFrame] = static_cast<float>(frame.width);
    input[kFrame + 1] = static_cast<float>(frame.height);
    put(target, row.target);
    std::copy(features.scale.begin(), features.scale.end(), target + kTargetScale);
    target[kTargetAhead] = row.window.ahead;
    target[kThere] = row.there ? 1 : 0;
    target[kWeight] = row.weight;
    target[kReleased] = row.released ? 1 : 0;
    input += kInput;
    target += kTarget;
  }
  return sample;
}

/** The feedback of a frame for the history. Identities are the objects' numbers, from 1. */
Feedback feedbackOf(const Tracks& found, std::size_t frame) {
  Feedback feedback{
      .id = frame, .when = {.at = static_cast<double>(frame)}, .size = found.size, .looked = true};
  for (std::size_t object = 0; object < found.objects; ++object) {
    if (!found.there[found.at(frame, object)]) continue;
    Detection detection;
    detection.id = object + 1;
    detection.box = found.boxes[found.at(frame, object)];
    feedback.detections.push_back(std::move(detection));
  }
  return feedback;
}

/** Uses each frame of `found` as the last answered one. The truth is some frames later. */
void addScenes(const Tracks& truth, const Tracks& found, Random& random,
               std::vector<Sample>& samples) {
  History history({.length = kMotionFrames, .coastFrames = kCoast});
  for (std::size_t now = 0; now < found.frames; ++now) {
    const std::size_t target = now + 1 + below(random, kMostHorizon);
    history.add(feedbackOf(found, now));
    if (target >= truth.frames) continue;
    std::vector<Row> rows;
    for (const auto& [id, track] : history.tracks()) {
      if (track.last().box.empty()) continue;
      Row row{.window = motionWindow(track, history, {static_cast<double>(target)})};
      const auto object = static_cast<std::size_t>(id - 1);
      row.target = truth.boxes[truth.at(target, object)];
      row.there = truth.there[truth.at(target, object)] != 0;
      rows.push_back(row);
    }
    if (!rows.empty()) samples.push_back(sampleOf(rows, found.size, below(random, 1U << 24)));
  }
}

/** Three consecutive frames as in the released code. */
void addElfReleaseWindows(const Trace& trace, std::vector<Sample>& samples) {
  const auto indexer = RpIndexer::create("elf-release");
  for (std::size_t last = 2; last < trace.frames.size(); ++last) {
    const TraceFrame& frame = trace.frames[last];
    if (frame.number - trace.frames[last - 2].number != 2) continue;
    const ElfReleaseWindow window = elfReleaseWindow(trace, last, *indexer);
    std::vector<Row> rows;
    for (std::size_t i = 0; i < window.targets.size(); ++i) {
      const bool leaks = window.leaks[0][i] && !window.leaks[1][i];
      Row row;
      row.window.boxes[0] = window.history[1][i];
      row.window.boxes[1] = window.history[0][i];
      row.window.seen[0] = row.window.seen[1] = true;
      row.target = window.targets[i].box;
      row.released = true;
      row.weight = kReleasedWeight * (leaks ? kLeakedWeight : 1);
      if (!row.window.last().empty()) rows.push_back(row);
    }
    for (int copy = 0; copy < kReleasedCopies && !rows.empty(); ++copy)
      samples.push_back(sampleOf(rows, frame.size,
                                 static_cast<std::size_t>(frame.number * kReleasedCopies + copy)));
  }
}

/** The same for the same name on every machine. */
std::uint64_t seedOf(const std::string& name) {
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return hash;
}

torch::Tensor columns(const torch::Tensor& rows, std::int64_t first, std::int64_t count) {
  return rows.narrow(1, first, count);
}

torch::Tensor areaOf(const torch::Tensor& boxes) {
  const torch::Tensor sides = (columns(boxes, 2, 2) - columns(boxes, 0, 2)).clamp_min(0);
  return sides.select(1, 0) * sides.select(1, 1);
}

torch::Tensor iouOf(const torch::Tensor& a, const torch::Tensor& b) {
  const torch::Tensor common = areaOf(torch::cat({torch::max(columns(a, 0, 2), columns(b, 0, 2)),
                                                  torch::min(columns(a, 2, 2), columns(b, 2, 2))},
                                                 1));
  return common / (areaOf(a) + areaOf(b) - common).clamp_min(1e-6);
}

class MotionNet final : public TrainableNet {
 public:
  MotionNet() {
    constexpr std::int64_t kIn = kOwn + MotionNetwork::kContext;
    mean_ = register_parameter("mean", torch::zeros({kOwn}), false);
    deviation_ = register_parameter("deviation", torch::ones({kOwn}), false);
    context_ = register_module("context",
                               torch::nn::Linear(std::int64_t{MotionFeatures::kShared}, kContext));
    first_ = register_module("first", torch::nn::Linear(kIn, kHidden));
    second_ = register_module("second", torch::nn::Linear(kHidden, kHidden));
    output_ = register_module("output", torch::nn::Linear(kHidden, kOutputs));
    bypass_ = register_module("bypass", torch::nn::Linear(kIn, std::int64_t{4}));
    // Starts as constant velocity.
    const torch::NoGradGuard guard;
    torch::nn::init::normal_(output_->weight, 0, 0.01);
    torch::nn::init::zeros_(output_->bias);
    torch::nn::init::zeros_(bypass_->weight);
    torch::nn::init::zeros_(bypass_->bias);
  }

  Recipe recipe() const override { return {.epochs = 12, .batch = 64, .learningRate = 0.003}; }

  std::vector<Sample> makeSamples(const Trace& trace) const override {
    std::vector<Sample> samples;
    addElfReleaseWindows(trace, samples);
    const Tracks tracks = tracksOf(trace);
    for (int variant = 0; variant < kVariants; ++variant) {
      Random random(seedOf(trace.name + "/" + std::to_string(variant)));
      constexpr std::array kSteps{0.34, 0.5, 0.7, 1.5, 2.0};
      constexpr std::array kMisses{0.0, 0.05, 0.1, 0.2};
      const bool asItIs = variant % 2 == 0;
      Tracks truth = asItIs ? tracks : atOtherRate(tracks, kSteps[below(random, kSteps.size())]);
      if (truth.frames < 4) continue;
      if (random.chance(0.5)) mirror(truth);
      Detector detector;
      detector.miss = kMisses[below(random, kMisses.size())];
      if (random.chance(1.0 / 3)) detector.run = 3;
      if (random.chance(0.6)) detector.pixels = random.uniform(0, 3);
      if (random.chance(0.5)) detector.share = random.uniform(0, 0.03);
      if (variant == 0) detector = {};
      addScenes(truth, detect(truth, detector, random), random, samples);
    }
    return samples;
  }

  void prepare(const Sample& all) override {
    const torch::NoGradGuard guard;
    const torch::Tensor own = columns(all.input, 0, kOwn);
    mean_.copy_(own.mean(0));
    deviation_.copy_(own.std(0) + 1e-3);
  }

  torch::Tensor forward(torch::Tensor input) override {
    const torch::Tensor own = ((columns(input, 0, kOwn) - mean_) / deviation_)
                                  .clamp(-MotionNetwork::kMostFeature, MotionNetwork::kMostFeature);
    const torch::Tensor x = torch::cat({own, contextOf(input)}, 1);
    torch::Tensor z = torch::dropout(torch::relu(first_->forward(x)), kDropout, is_training());
    z = z + torch::relu(second_->forward(z));
    const torch::Tensor y = output_->forward(z);
    const torch::Tensor ahead = columns(input, kAhead, 1);
    const torch::Tensor scale = columns(input, kScale, 4);
    const torch::Tensor speed =
        columns(input, kVelocity, 4) + columns(y, 0, 4) + bypass_->forward(x);
    torch::Tensor box = columns(input, kLast, 4) + scale * speed * ahead;
    const torch::Tensor frame = columns(input, kFrame, 2);
    box = torch::min(box.clamp_min(0), torch::cat({frame, frame}, 1));
    const torch::Tensor reach =
        scale * torch::softplus(columns(y, 4, 4) - MotionNetwork::kNarrow) * ahead.sqrt();
    return torch::cat({box, reach, columns(y, 8, 1)}, 1);
  }

  torch::Tensor loss(const torch::Tensor& output, const torch::Tensor& target) const override {
    const torch::Tensor scale = columns(target, kTargetScale, 4);
    const torch::Tensor there = target.select(1, kThere);
    const torch::Tensor online = 1 - target.select(1, kReleased);
    const torch::Tensor box = columns(output, 0, 4);
    const torch::Tensor error = (columns(target, 0, 4) - box) / scale;
    const torch::Tensor size = error.abs();
    const torch::Tensor smooth =
        torch::where(size < kSmooth, size * size / (2 * kSmooth), size - kSmooth / 2).sum(1);
    const torch::Tensor outwards = torch::tensor({-1.0F, -1.0F, 1.0F, 1.0F});
    const torch::Tensor beyond = error.detach() * outwards - columns(output, 4, 4) / scale;
    const torch::Tensor pinball = torch::max(kQuantile * beyond, (kQuantile - 1) * beyond).sum(1);
    const torch::Tensor presence = torch::binary_cross_entropy_with_logits(
        output.select(1, 8), there, {}, {}, at::Reduction::None);
    const torch::Tensor place =
        (1 - iouOf(box, columns(target, 0, 4)) + kSmoothWeight * smooth + pinball * online) *
        there * target.select(1, kWeight) / target.select(1, kTargetAhead).sqrt();
    return (place + kPresenceWeight * presence * online).mean();
  }

 private:
  static constexpr std::int64_t kContext = MotionNetwork::kContext;
  static constexpr std::int64_t kHidden = MotionNetwork::kHidden;
  static constexpr std::int64_t kOutputs = MotionNetwork::kOutputs;

  /** The mean of the others' codes, for each object. */
  torch::Tensor contextOf(const torch::Tensor& input) {
    const torch::Tensor codes =
        torch::relu(context_->forward(columns(input, kOwn, MotionFeatures::kShared)));
    const torch::Tensor number = input.select(1, kScene);
    const torch::Tensor changes = number.slice(0, 1).ne(number.slice(0, 0, -1)).to(torch::kLong);
    const torch::Tensor scene = torch::cat({torch::zeros({1}, torch::kLong), changes.cumsum(0)});
    const std::int64_t scenes = scene[-1].item<std::int64_t>() + 1;
    const torch::Tensor sums = torch::zeros({scenes, kContext}).index_add(0, scene, codes);
    const torch::Tensor counts =
        torch::zeros({scenes}).index_add(0, scene, torch::ones({input.size(0)}));
    const torch::Tensor others = (counts.index_select(0, scene) - 1).clamp_min(1).unsqueeze(1);
    return (sums.index_select(0, scene) - codes) / others;
  }

  torch::Tensor mean_;
  torch::Tensor deviation_;
  torch::nn::Linear context_{nullptr};
  torch::nn::Linear first_{nullptr};
  torch::nn::Linear second_{nullptr};
  torch::nn::Linear output_{nullptr};
  torch::nn::Linear bypass_{nullptr};
};

}  // namespace

std::shared_ptr<TrainableNet> createMotionNet() {
  return std::make_shared<MotionNet>();
}

}  // namespace elf::train
