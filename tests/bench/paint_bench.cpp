// SPDX-License-Identifier: LGPL-2.1-or-later
// What drawing costs for each frame, on one core.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "elf/render/painter.h"
#include "tests/bench/benchmark_main.h"

namespace elf {
namespace {

constexpr Size kFrame{1920, 1080};
constexpr int kObjects = 20;
constexpr int kLabels = 32;
constexpr Size kObject{150, 400};

/** A person-like ellipse that fills `rect`. */
Mask ellipse(const Rect& rect) {
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < rect.height; ++y)
    for (int x = 0; x < rect.width; ++x) {
      const double dx = (2 * x + 1.0) / rect.width - 1;
      const double dy = (2 * y + 1.0) / rect.height - 1;
      pixels.push_back(dx * dx + dy * dy < 1);
    }
  return {rect, std::move(pixels)};
}

/** Objects in two rows, at odd places too, each with a mask and 17 joints of a person. */
FrameRecord makeFrame() {
  FrameRecord record;
  record.size = kFrame;
  Capacity capacity;
  capacity.rules.skeleton = {{15, 13}, {13, 11}, {16, 14}, {14, 12}, {11, 12}, {5, 11}, {6, 12},
                             {5, 6},   {5, 7},   {6, 8},   {7, 9},   {8, 10},  {1, 2},  {0, 1},
                             {0, 2},   {1, 3},   {2, 4},   {3, 5},   {4, 6}};
  // In thousandths of the box.
  const std::vector<std::pair<int, int>> pose = {
      {500, 80},  {540, 60},  {460, 60},  {590, 80},  {410, 80},  {720, 220},
      {280, 220}, {850, 360}, {150, 360}, {900, 500}, {100, 500}, {640, 520},
      {360, 520}, {660, 740}, {340, 740}, {680, 950}, {320, 950}};
  for (int i = 0; i < kObjects; ++i) {
    const Rect rect{13 + 189 * (i % 10), 60 + 503 * (i / 10), kObject.width, kObject.height};
    Detection d;
    d.id = i + 1;
    d.label = "person";
    d.score = 0.87F;
    d.box = toBox(rect);
    d.mask = ellipse(rect);
    for (const auto& [x, y] : pose)
      d.keypoints.push_back({d.box.x0 + d.box.width() * 1e-3F * static_cast<float>(x),
                             d.box.y0 + d.box.height() * 1e-3F * static_cast<float>(y), 0.9F});
    record.detections.push_back(std::move(d));
  }
  record.capacity = std::make_shared<const Capacity>(std::move(capacity));
  return record;
}

/** Small objects, each with one of a few names of classes and a score of its own. */
FrameRecord makeLabels(const std::vector<std::string>& names) {
  FrameRecord record;
  record.size = kFrame;
  for (int i = 0; i < kLabels; ++i) {
    Detection d;
    d.id = i + 1;
    d.label = names[static_cast<std::size_t>(i) % names.size()];
    d.score = 0.5F + 0.01F * static_cast<float>(i);
    d.box = toBox({20 + 230 * (i % 8), 100 + 250 * (i / 8), 100, 100});
    record.detections.push_back(std::move(d));
  }
  return record;
}

void paint(benchmark::State& state, PixelFormat format, PaintOptions options,
           const FrameRecord& record) {
  // As much memory as any format needs, so that all are laid out in one way.
  constexpr int kStride = kFrame.width * 4;
  std::array<std::vector<std::uint8_t>, 3> memory;
  MutableImageView picture{.format = format, .size = kFrame};
  for (std::size_t i = 0; i < memory.size(); ++i) {
    memory[i].assign(static_cast<std::size_t>(kStride) * kFrame.height, 100);
    picture.planes[i] = memory[i].data();
    picture.strides[i] = kStride;
  }
  Painter painter;
  for (auto _ : state) {
    painter.paint(record, options, picture);
    benchmark::ClobberMemory();
  }
}

void registerAll() {
  constexpr PaintOptions kNone{false, false, false, false, false, false, false};
  PaintOptions outlines = kNone, masks = kNone, skeletons = kNone;
  outlines.boxes = outlines.labels = true;
  masks.masks = true;
  skeletons.keypoints = true;
  for (const auto& [what, options] : {std::pair{"outlines+labels", outlines},
                                      std::pair{"masks", masks}, std::pair{"skeletons", skeletons}})
    for (const auto& [name, format] :
         {std::pair{"I420", PixelFormat::I420}, std::pair{"NV12", PixelFormat::NV12},
          std::pair{"BGR", PixelFormat::BGR}, std::pair{"RGB", PixelFormat::RGB},
          std::pair{"BGRx", PixelFormat::BGRx}, std::pair{"GRAY8", PixelFormat::GRAY8}})
      benchmark::RegisterBenchmark(("paint/" + std::string(what) + "/" + name).c_str(), paint,
                                   format, options, makeFrame())
          ->Unit(benchmark::kMillisecond);
  PaintOptions labels = kNone;
  labels.labels = true;
  for (const auto& [what, names] :
       {std::pair{"ascii", std::vector<std::string>{"person", "car", "bicycle", "dog"}},
        std::pair{"unicode",
                  std::vector<std::string>{"Fußgänger", "Kfz-Anhänger", "Zügel", "Ärmel"}}})
    benchmark::RegisterBenchmark(("paint/labels/" + std::string(what)).c_str(), paint,
                                 PixelFormat::I420, labels, makeLabels(names))
        ->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace elf

int main(int argc, char** argv) {
  return elf::runBenchmarks(argc, argv, elf::registerAll);
}
