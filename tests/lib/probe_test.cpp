// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/probe.h"

#include <gtest/gtest.h>

#include "elf/server/image_decoder.h"

namespace elf {
namespace {

std::vector<Probe> probes(const ModelRules& rules) {
  JpegEncoder encoder;
  return makeProbes(rules, encoder);
}

/** The small and the large one, or the only one. */
std::vector<Size> sizes(const ModelRules& rules) {
  const auto all = probes(rules);
  const Size first = all.at(kWarmUpProbes).size, second = all.at(kWarmUpProbes + 1).size;
  if (first == second) return {first};
  return {first, second};
}

TEST(Probes, DifferInPixelsAloneAndInBytesAlone) {
  const auto all = probes({});
  ASSERT_EQ(all.size(), kWarmUpProbes + 4);
  const Probe *small = &all[kWarmUpProbes], *large = small + 1, *some = small + 2,
              *many = small + 3;
  EXPECT_GT(large->size.area(), 5 * small->size.area());
  EXPECT_EQ(large->image.data.size(), small->image.data.size());
  EXPECT_EQ(some->size, large->size);
  EXPECT_GT(some->image.data.size(), 20 * large->image.data.size());
  EXPECT_EQ(many->size, small->size);
  EXPECT_GT(many->image.data.size(), 15 * some->image.data.size());
}

TEST(Probes, AreSmallEnoughForSlowServersAndLinks) {
  auto all = probes({});
  all.pop_back();  // for fast links
  double pixels = 0, bytes = 0;
  for (const Probe& probe : all) {
    pixels += probe.size.area();
    bytes += static_cast<double>(probe.image.data.size());
  }
  EXPECT_LT(pixels, 0.1e6);
  EXPECT_LT(bytes, 40e3);
}

TEST(Probes, AreJpegFilesOfTheSizeThatTheySay) {
  ImageDecoder decoder(1000000);
  for (const Probe& probe : probes({.multipleOf = 32, .minSize = {64, 128}})) {
    const auto decoded = decoder.decode(probe.image);
    ASSERT_TRUE(decoded) << decoded.error();
    EXPECT_EQ(decoded.value().size, probe.size);
  }
}

TEST(Probes, SuitTheModel) {
  using Sizes = std::vector<Size>;
  EXPECT_EQ(sizes({.minSize = {64, 128}}), (Sizes{{64, 128}, {192, 192}}));
  EXPECT_EQ(sizes({.multipleOf = 50}), (Sizes{{100, 100}, {200, 200}}));
}

TEST(Probes, AreOfOneSizeWhereTheModelComputesTheSameOfBoth) {
  using Sizes = std::vector<Size>;
  EXPECT_EQ(sizes({.fixedSize = {100, 80}}), (Sizes{{64, 64}}));
  EXPECT_EQ(sizes({.maxSize = {32, 32}}), (Sizes{{32, 32}}));
  EXPECT_EQ(sizes({.minSize = {400, 400}}), (Sizes{{400, 400}}));
  const auto all = probes({.fixedSize = {416, 416}});
  ASSERT_EQ(all.size(), kWarmUpProbes + 3);
  for (const Probe& probe : all) EXPECT_EQ(probe.size, all.front().size);
  EXPECT_LT(all[kWarmUpProbes].image.data.size(), all[kWarmUpProbes + 1].image.data.size());
  EXPECT_LT(all[kWarmUpProbes + 1].image.data.size(), all[kWarmUpProbes + 2].image.data.size());
}

TEST(Probes, OfRawPixelsAreOfBothSizesToo) {
  const auto all = makeRawProbes({});
  ASSERT_EQ(all.size(), kWarmUpProbes + 4);
  EXPECT_EQ(all[kWarmUpProbes].size, (Size{64, 64}));
  EXPECT_EQ(all[kWarmUpProbes + 1].size, (Size{192, 192}));
  for (const Probe& probe : all) {
    EXPECT_EQ(probe.image.type, wire::DataType::Uint8);
    EXPECT_EQ(static_cast<double>(probe.image.data.size()), 3 * probe.size.area());
  }
  EXPECT_EQ(makeRawProbes({.fixedSize = {100, 80}}).size(), kWarmUpProbes + 2);
}

TEST(Probes, AreNoneWhereTheModelComputesMuchWhateverItGets) {
  EXPECT_TRUE(probes({.minSize = {kMaxPixels, kMaxPixels}}).empty());
  EXPECT_TRUE(probes({.fixedSize = {1280, 1280}}).empty());
  EXPECT_TRUE(makeRawProbes({.fixedSize = {1280, 1280}}).empty());
}

}  // namespace
}  // namespace elf
