// SPDX-License-Identifier: LGPL-2.1-or-later
// A folder for the files of one test.
#pragma once

#include <glib.h>

#include <filesystem>
#include <string>

namespace elf::testing {

/** Made empty by the constructor, removed with all that is in it by the destructor. */
class Folder {
 public:
  Folder() {
    gchar* made = g_dir_make_tmp("elf-test-XXXXXX", nullptr);
    if (made) path_ = made;
    g_free(made);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace elf::testing
