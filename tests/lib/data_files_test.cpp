// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/data_files.h"

#include <glib/gstdio.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "elf/base/error.h"

namespace elf {
namespace {

namespace fs = std::filesystem;

class DataFiles : public testing::Test {
 protected:
  DataFiles() {
    g_autofree char* made = g_dir_make_tmp("elf-data-files-XXXXXX", nullptr);
    root_ = made;
    fs::create_directories(root_ / "a");
    fs::create_directories(root_ / "b");
    g_setenv(kKind.variable, ((root_ / "a").string() + ":" + (root_ / "b").string()).c_str(), TRUE);
  }
  ~DataFiles() override { fs::remove_all(root_); }
  void make(const char* name) { std::ofstream(root_ / name) << "\n"; }

  static constexpr DataFileKind kKind{"ELF_TEST_DATA_PATH", "tests", ".thing"};
  fs::path root_;
};

TEST_F(DataFiles, TheFirstFolderWins) {
  make("a/x.thing");
  make("b/x.thing");
  EXPECT_EQ(findDataFile(kKind, "x"), root_ / "a/x.thing");
}

TEST_F(DataFiles, TheUsersFolderIsOneOfThem) {
  const auto folders = dataFolders(kKind);
  EXPECT_EQ(folders.at(2), userDataFolder(kKind));
  EXPECT_TRUE(userDataFolder(kKind).ends_with("/elf/tests"));
}

TEST_F(DataFiles, APathIsTakenAsItIs) {
  make("b/y.thing");
  EXPECT_EQ(findDataFile(kKind, root_ / "b/y.thing"), root_ / "b/y.thing");
}

TEST_F(DataFiles, AMissingOneIsAnErrorThatNamesItAndTheFolders) {
  try {
    findDataFile(kKind, "z");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.subject(), "z");
    EXPECT_NE(std::string(error.what()).find((root_ / "b").string()), std::string::npos);
  }
}

TEST_F(DataFiles, AFileComesWithItsContent) {
  make("b/y.thing");
  const DataFile file = readDataFile(kKind, "y");
  EXPECT_EQ(file.path, root_ / "b/y.thing");
  EXPECT_EQ(file.content, "\n");
}

TEST_F(DataFiles, WhatIsBuiltInIsThereWithoutAnyFile) {
  constexpr DataFileKind kModels{"ELF_TEST_DATA_PATH", "models", ".model"};
  const DataFile builtIn = readDataFile(kModels, "hog");
  EXPECT_EQ(builtIn.path, "");
  EXPECT_NE(builtIn.content.find("[model]"), std::string::npos);
  EXPECT_EQ(listDataFiles(kModels), std::vector<std::string>{"hog"});
  EXPECT_THROW(readDataFile(kModels, "dog"), Error);

  make("b/hog.model");
  EXPECT_EQ(readDataFile(kModels, "hog").path, root_ / "b/hog.model");
}

TEST_F(DataFiles, AListHoldsEachNameOnceInOrder) {
  make("b/one.thing");
  make("a/two.thing");
  make("a/one.thing");
  make("a/other.txt");
  EXPECT_EQ(listDataFiles(kKind), (std::vector<std::string>{"one", "two"}));
}

}  // namespace
}  // namespace elf
