// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/offload/probe.h"

#include <gtest/gtest.h>

#include <numeric>

#include "elf/server/image_decoder.h"
#include "elf/wire/infer.h"

namespace elf {
namespace {

std::vector<ProbePicture> pictures(const ModelRules& rules) {
  JpegEncoder encoder;
  return probePictures(rules, encoder);
}

std::vector<Size> sizes(const ModelRules& rules) {
  std::vector<Size> all;
  for (const ProbePicture& picture : pictures(rules)) all.push_back(picture.size);
  return all;
}

TEST(ProbePictures, DifferInPixelsAloneAndInBytesAlone) {
  const auto all = pictures({});
  ASSERT_EQ(all.size(), kWarmUpProbes + 3);
  const ProbePicture *small = &all[kWarmUpProbes], *flat = small + 1, *noisy = small + 2;
  EXPECT_GT(flat->size.area(), 5 * small->size.area());
  EXPECT_LT(flat->file.size(), small->file.size() + 1000);
  EXPECT_EQ(noisy->size, flat->size);
  EXPECT_GT(noisy->file.size(), 10 * flat->file.size());
}

TEST(ProbePictures, AreSmallEnoughForSlowServersAndLinks) {
  double pixels = 0, bytes = 0;
  for (const ProbePicture& picture : pictures({})) {
    pixels += picture.size.area();
    bytes += static_cast<double>(picture.file.size());
  }
  EXPECT_LT(pixels, 0.1e6);
  EXPECT_LT(bytes, 40e3);
}

TEST(ProbePictures, AreOfTheSizeThatTheySay) {
  ImageDecoder decoder(1000000);
  for (const ProbePicture& picture : pictures({.multipleOf = 32, .minSize = {64, 128}})) {
    const auto decoded = decoder.decode(wire::encodedImage(picture.file));
    ASSERT_TRUE(decoded) << decoded.error();
    EXPECT_EQ(decoded.value().size, picture.size);
  }
}

TEST(ProbePictures, SuitTheModel) {
  EXPECT_EQ(sizes({.minSize = {64, 128}}),
            (std::vector<Size>{{64, 128}, {64, 128}, {192, 192}, {192, 192}}));
  EXPECT_EQ(sizes({.multipleOf = 50}),
            (std::vector<Size>{{100, 100}, {100, 100}, {200, 200}, {200, 200}}));
  EXPECT_EQ(sizes({.fixedSize = {100, 80}}),
            (std::vector<Size>{{64, 64}, {64, 64}, {100, 80}, {100, 80}}));
  EXPECT_EQ(sizes({.maxSize = {32, 32}}), (std::vector<Size>{{32, 32}, {32, 32}, {32, 32}}));
  EXPECT_EQ(sizes({.minSize = {400, 400}}),
            (std::vector<Size>{{400, 400}, {400, 400}, {400, 400}}));
}

TEST(ProbePictures, AreNoneWhereTheModelTakesOnlyHugeParts) {
  EXPECT_TRUE(pictures({.minSize = {kMaxPixels, kMaxPixels}}).empty());
}

}  // namespace
}  // namespace elf
