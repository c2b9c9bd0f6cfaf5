// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/offload/probe.h"

#include <gtest/gtest.h>

#include "elf/server/image_decoder.h"

namespace elf {
namespace {

std::vector<Probe> probes(const ModelRules& rules) {
  JpegEncoder encoder;
  return makeProbes(rules, encoder);
}

/** Without the warm-up and the last two, which are small. */
std::vector<Size> sizes(const ModelRules& rules) {
  std::vector<Size> sizes;
  for (const Probe& probe : probes(rules)) sizes.push_back(probe.size);
  EXPECT_GE(sizes.size(), 4U);
  for (const std::size_t small : {std::size_t{0}, sizes.size() - 2, sizes.size() - 1})
    EXPECT_EQ(sizes.at(small), sizes.at(kWarmUpProbes));
  return {sizes.begin() + kWarmUpProbes, sizes.end() - 2};
}

TEST(Probes, DifferInPixelsAloneAndInBytesAlone) {
  const auto all = probes({});
  ASSERT_EQ(all.size(), kWarmUpProbes + 4);
  const Probe *small = &all[kWarmUpProbes], *large = small + 1, *some = small + 2,
              *many = small + 3;
  EXPECT_GT(large->size.area(), 5 * small->size.area());
  EXPECT_LT(large->image.data.size(), small->image.data.size() + 1000);
  EXPECT_EQ(some->image.data.size(), small->image.data.size() + (32U << 10));
  EXPECT_EQ(many->image.data.size(), small->image.data.size() + (512U << 10));
}

TEST(Probes, AreSmallEnoughForSlowServersAndLinks) {
  auto all = probes({});
  all.pop_back();  // for fast links
  double pixels = 0, bytes = 0;
  for (const Probe& probe : all) {
    pixels += probe.size.area();
    bytes += static_cast<double>(probe.image.data.size());
  }
  EXPECT_LT(pixels, 0.05e6);
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
  EXPECT_EQ(sizes({.fixedSize = {100, 80}}), (Sizes{{64, 64}, {100, 80}}));
  EXPECT_EQ(sizes({.maxSize = {32, 32}}), (Sizes{{32, 32}}));
  EXPECT_EQ(sizes({.minSize = {400, 400}}), (Sizes{{400, 400}}));
}

TEST(Probes, AreNoneWhereTheModelTakesOnlyHugeParts) {
  EXPECT_TRUE(probes({.minSize = {kMaxPixels, kMaxPixels}}).empty());
}

}  // namespace
}  // namespace elf
