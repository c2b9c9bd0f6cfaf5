// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/folder_entries.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "elf/base/error.h"
#include "tests/support/folder.h"

namespace elf {
namespace {

using Names = std::vector<std::string>;

TEST(FolderEntries, NumbersInNamesCountAsNumbers) {
  const std::vector<Names> ordered = {
      {"1.jpg", "2.jpg", "9.jpg", "10.jpg", "11.jpg", "100.jpg"},
      {"a1b2.png", "a1b10.png", "a2b1.png", "a10b1.png"},
      {"frame", "frame-2", "frame-10", "frame10"},
      {"08.jpg", "9.jpg", "010.jpg", "11.jpg"},
      {"0.jpg", "00.jpg", "01.jpg", "1.jpg"},
      {"img.jpg", "img1.jpg", "img1a.jpg", "img2.jpg", "imgs.jpg"},
      {"b#1", "b#2", "b#10"},
      {"18446744073709551615.jpg", "18446744073709551616.jpg", "100000000000000000000.jpg"},
      {"A2", "A10", "a1", "\xc3\xa4"},
      {"", "0", "a"},
  };
  std::mt19937 random(1);
  for (const Names& names : ordered) {
    Names shuffled = names;
    std::ranges::shuffle(shuffled, random);
    std::ranges::sort(shuffled, comesBefore);
    EXPECT_EQ(shuffled, names);
    for (std::size_t a = 0; a < names.size(); ++a)
      for (std::size_t b = 0; b < names.size(); ++b)
        EXPECT_EQ(comesBefore(names[a], names[b]), a < b) << names[a] << " " << names[b];
  }
}

TEST(FolderEntries, AreSortedWithoutHiddenOnes) {
  const testing::Folder folder;
  for (const char* name : {"10.jpg", "2.jpg", ".1.jpg", "._2.jpg"})
    std::ofstream(folder.file(name)) << "";
  std::filesystem::create_directory(folder.file("3"));
  Names found;
  for (const auto& entry : entriesOf(folder.path())) found.push_back(entry.filename());
  EXPECT_EQ(found, (Names{"2.jpg", "3", "10.jpg"}));
}

TEST(FolderEntries, OfAFolderThatCannotBeReadAreAnError) {
  try {
    entriesOf("/no/such/folder");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()),
              "/no/such/folder: can't be read: No such file or directory");
  }
}

}  // namespace
}  // namespace elf
