// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/eval/frame_pictures.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/folder.h"

namespace elf::eval {
namespace {

/** A picture of one grey pixel. */
void writePixel(const std::string& path, int grey) {
  std::ofstream(path, std::ios::binary) << "P6 1 1 255\n"
                                        << std::string(3, static_cast<char>(grey));
}

TEST(FramePictures, AreInTheOrderOfTheNumbersInTheirNames) {
  for (const std::vector<std::string>& names :
       {std::vector<std::string>{"1", "2", "3", "9", "10", "11"}, {"a_8", "a_9", "a_10", "b_1"}}) {
    const elf::testing::Folder folder;
    std::filesystem::create_directories(folder.file("v/img1"));
    writePixel(folder.file("v/img1/.hidden.ppm"), 255);
    for (std::size_t i = 0; i < names.size(); ++i)
      writePixel(folder.file("v/img1/" + names[i] + ".ppm"), static_cast<int>(i));
    FramePictures pictures(folder.path());
    for (std::size_t i = 0; i < names.size(); ++i)
      EXPECT_EQ(pictures.read("v", static_cast<std::int64_t>(i), {1, 1}).planes[0][0], i)
          << names[i];
  }
}

}  // namespace
}  // namespace elf::eval
