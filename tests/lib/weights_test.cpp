// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <random>

#include "elf/base/error.h"
#include "tests/support/folder.h"

namespace elf {
namespace {

using testing::Folder;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Weights sample() {
  Weights weights("sample");
  weights.setMetadata("predictor", "lstm");
  weights.setTensor("b", {{2, 3}, {1, -2, 3.5F, 0, 1e-30F, 6}});
  weights.setTensor("a", {{1}, {7}});
  weights.setTensor("scalar", {{}, {8}});
  return weights;
}

// A file of that header and as many bytes of data.
std::vector<std::uint8_t> file(const std::string& header, std::size_t data,
                               std::int64_t length = -1) {
  std::vector<std::uint8_t> bytes;
  const auto told = length < 0 ? header.size() : static_cast<std::size_t>(length);
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<std::uint8_t>(told >> (8 * i)));
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.resize(bytes.size() + data);
  return bytes;
}

std::string why(const std::vector<std::uint8_t>& bytes) {
  try {
    Weights::parse(bytes, "broken.safetensors");
  } catch (const Error& error) {
    EXPECT_EQ(error.subject(), "broken.safetensors");
    return error.what();
  }
  return "no error";
}

TEST(Weights, WhatWasWrittenIsReadBack) {
  const Folder folder;
  const std::string path = folder.file("some.safetensors");
  sample().write(path);
  const Weights read = Weights::read(path);
  EXPECT_EQ(read.name(), path);
  EXPECT_EQ(read.tensors(), sample().tensors());
  EXPECT_EQ(read.metadata(), sample().metadata());
  EXPECT_EQ(read.bytes(), sample().bytes());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Weights, DataIsAligned) {
  EXPECT_EQ(sample().bytes()[0] % 8, 0);
}

TEST(Weights, TheExampleOfTheFormatIsRead) {
  auto bytes = file(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}   )", 8);
  bytes[bytes.size() - 5] = 0x40;  // the first value, little-endian: 2.0
  EXPECT_EQ(Weights::parse(bytes, "x").tensor("w", {2}).values, (std::vector<float>{2, 0}));
}

TEST(Weights, ATensorThatIsMissingOrOfAnotherShapeIsAnErrorThatNamesIt) {
  const Weights weights = sample();
  EXPECT_EQ(weights.tensor("b", {2, 3}).values[2], 3.5F);
  for (const auto& [key, shape] :
       {std::pair("nowhere", std::vector<int>{1}), std::pair("b", std::vector<int>{3, 2})}) {
    try {
      weights.tensor(key, shape);
      FAIL() << key;
    } catch (const Error& error) {
      EXPECT_EQ(error.subject(), "sample");
      EXPECT_THAT(error.what(), HasSubstr(std::string("'") + key + "'"));
    }
  }
  EXPECT_THROW(weights.metadata("nowhere"), Error);
}

TEST(Weights, EveryCutIsAnError) {
  const auto whole = sample().bytes();
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_THROW(Weights::parse({whole.data(), size}, "cut"), Error) << size;
}

TEST(Weights, AnyDamageIsAnErrorOrFiniteWeights) {
  const auto whole = sample().bytes();
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    auto bytes = whole;
    for (int k = 0; k < 2; ++k)
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    try {
      const Weights weights = Weights::parse(bytes, "damaged");
      for (const auto& [key, tensor] : weights.tensors())
        for (const float value : tensor.values) ASSERT_TRUE(std::isfinite(value));
    } catch (const Error& error) {
      ASSERT_EQ(error.subject(), "damaged");
    }
  }
}

TEST(Weights, WhatIsWrongIsSaid) {
  const auto one = [](const std::string& entry) { return R"({"w":)" + entry + "}"; };
  const std::string w = "tensor 'w' ";
  EXPECT_THAT(why({1, 2, 3}), HasSubstr("not a safetensors file"));
  EXPECT_THAT(why(file("{}", 0, 1LL << 40)), HasSubstr("header of 1099511627776 bytes"));
  EXPECT_THAT(why(file("{}", 0, 3)), HasSubstr("ends in its header"));
  EXPECT_THAT(why(file("[[[[", 0)), HasSubstr("not a JSON object"));
  EXPECT_THAT(why(file("{}", 4)), HasSubstr("belong to no tensor"));
  EXPECT_THAT(why(file(R"({"__metadata__":{"predictor":3}})", 0)), HasSubstr("'predictor'"));
  EXPECT_THAT(why(file(one("3"), 0)), HasSubstr(w + "lacks dtype"));
  EXPECT_THAT(why(file(one(R"({"dtype":"F16","shape":[2],"data_offsets":[0,4]})"), 4)),
              HasSubstr(w + "is not of dtype F32"));
  EXPECT_THAT(why(file(one(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})"), 4)),
              HasSubstr(w + "has an impossible shape"));
  EXPECT_THAT(
      why(file(one(R"({"dtype":"F32","shape":[2147483647,2147483647],"data_offsets":[0,4]})"), 4)),
      HasSubstr(w + "is larger than the file"));
  EXPECT_THAT(why(file(one(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})"), 4)),
              HasSubstr(w + "has data_offsets beyond the end"));
  EXPECT_THAT(why(file(one(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})"), 8)),
              HasSubstr(w + "follows a gap"));
  EXPECT_THAT(why(file(one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,8]})"), 8)),
              HasSubstr(w + "has data_offsets that do not fit its shape"));
  EXPECT_THAT(why(file(R"({"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                       R"("w":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                       12)),
              HasSubstr(w + "overlaps"));
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Weights weights = sample();
    weights.setTensor("w", {{1}, {bad}});
    EXPECT_THAT(why(weights.bytes()), HasSubstr(w + "holds a value that is not finite"));
  }
}

TEST(Weights, AFileThatCannotBeReadOrWrittenIsNamed) {
  const Folder folder;
  EXPECT_THROW(Weights::read(folder.file("nowhere")), Error);
  EXPECT_THROW(Weights::read(folder.path()), Error);
  try {
    sample().write(folder.file("nowhere/some"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.subject(), folder.file("nowhere/some"));
  }
}

TEST(LoadWeights, RefusesThoseOfAnotherPredictor) {
  const Folder folder;
  const std::string path = folder.file("some.safetensors");
  sample().write(path);
  EXPECT_EQ(loadWeights("lstm", path).tensors().size(), 3U);
  try {
    loadWeights("attn-lstm", path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.subject(), path);
    EXPECT_THAT(error.what(), HasSubstr("of the predictor 'lstm', not 'attn-lstm'"));
  }
}

TEST(LoadWeights, SaysWhereItLooked) {
  try {
    loadWeights("attn-lstm");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), StartsWith("weights: predictor attn-lstm needs some: attn-lstm: no "
                                         "such .safetensors file, looked in "));
  }
}

}  // namespace
}  // namespace elf
