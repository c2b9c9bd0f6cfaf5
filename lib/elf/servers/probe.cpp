// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/probe.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "elf/base/random.h"
#include "elf/servers/remote_network.h"

namespace elf {

namespace {

using File = std::vector<std::uint8_t>;

constexpr int kSmallSide = 64;
constexpr int kLargeSide = 192;
constexpr double kMostPixels = 250000;
constexpr std::uint8_t kGrey = 128;
constexpr std::size_t kSomeBytes = std::size_t{32} << 10;
constexpr std::size_t kManyBytes = std::size_t{512} << 10;

/** About `side`, within the bounds of the model. */
int suited(int side, int least, int most, int multipleOf) {
  const int wanted = roundUp(std::max(side, least), multipleOf);
  return most > 0 ? std::min(wanted, most) : wanted;
}

Size suited(int side, const ModelRules& rules) {
  const Size most = rules.largestInput();
  return {suited(side, rules.minSize.width, most.width, rules.multipleOf),
          suited(side, rules.minSize.height, most.height, rules.multipleOf)};
}

/** A grey picture; empty if the JPEG can't be made. */
File flatPicture(Size size, JpegEncoder& encoder) {
  constexpr int kQuality = 90;
  const File plane(static_cast<std::size_t>(size.area()), kGrey);
  const int half = (size.width + 1) / 2;
  const ImageView view{.format = PixelFormat::I420,
                       .size = size,
                       .planes = {plane.data(), plane.data(), plane.data()},
                       .strides = {size.width, half, half}};
  const auto file = encoder.encode(view, wholeFrame(size), size, kQuality);
  return file ? File(file.value().begin(), file.value().end()) : File();
}

/** The picture in a file of `size` bytes, filled with comments that no link can compress. */
File padded(const File& picture, std::size_t size) {
  constexpr std::size_t kMarker = 2;     // one begins the file, and one each segment
  constexpr std::size_t kLength = 2;     // of a segment, without its marker
  constexpr std::size_t kMost = 0xFFFF;  // that it can state
  File file(picture.begin(), picture.begin() + kMarker);
  Random random(1);
  for (std::size_t missing = size - std::min(size, picture.size()); missing >= kMarker + kLength;) {
    const std::size_t length = std::min(missing - kMarker, kMost);
    file.insert(file.end(), {0xFF, 0xFE, static_cast<std::uint8_t>(length >> 8),
                             static_cast<std::uint8_t>(length)});
    for (std::size_t i = kLength; i < length; ++i)
      file.push_back(static_cast<std::uint8_t>(random.bits()));
    missing -= kMarker + length;
  }
  file.insert(file.end(), picture.begin() + kMarker, picture.end());
  return file;
}

struct Sizes {
  Size small, large;
};

/** Equal if the model computes the same of both; unset if it computes too much. */
std::optional<Sizes> sizesFor(const ModelRules& rules) {
  const Size small = suited(kSmallSide, rules), large = suited(kLargeSide, rules);
  const Size computed = rules.inputSize(large);
  if (computed.area() > kMostPixels) return std::nullopt;
  return Sizes{small, computed == rules.inputSize(small) ? small : large};
}

/** Probes of grey pixels. `encode` makes a tensor of them. */
template <typename Encode>
std::vector<Probe> probesOf(const ModelRules& rules, Encode encode) {
  const auto sizes = sizesFor(rules);
  std::vector<Probe> probes;
  if (!sizes) return probes;
  const auto add = [&](Size size) {
    constexpr std::size_t kChannels = 3;
    const File pixels(static_cast<std::size_t>(size.area()) * kChannels, kGrey);
    probes.push_back({size, encode(pixels, size)});
  };
  for (std::size_t i = 0; i < kWarmUpProbes; ++i) add(sizes->small);
  for (int i = 0; i < 2; ++i) {
    add(sizes->small);
    if (sizes->large != sizes->small) add(sizes->large);
  }
  return probes;
}

}  // namespace

std::vector<Probe> makeProbes(const ModelRules& rules, JpegEncoder& encoder) {
  const auto sizes = sizesFor(rules);
  std::vector<Probe> probes;
  if (!sizes) return probes;
  const auto [small, large] = *sizes;
  const File smallFile = flatPicture(small, encoder), largeFile = flatPicture(large, encoder);
  if (smallFile.empty() || largeFile.empty()) return probes;
  const auto add = [&](Size size, std::size_t bytes) {
    const File& file = size == large ? largeFile : smallFile;
    probes.push_back({size, wire::encodedImage(padded(file, bytes))});
  };
  for (std::size_t i = 0; i < kWarmUpProbes + 1; ++i) add(small, largeFile.size());
  if (large != small) add(large, largeFile.size());
  add(large, kSomeBytes);
  add(small, kManyBytes);
  return probes;
}

std::vector<Probe> makeRawProbes(const ModelRules& rules) {
  return probesOf(rules, wire::rawImage);
}

std::vector<Probe> makeNetworkProbes(const RemoteNetwork& network) {
  return probesOf(network.rules(), [&](std::span<const std::uint8_t> rgb, Size size) {
    return network.prepare(rgb, size);
  });
}

}  // namespace elf
