// SPDX-License-Identifier: LGPL-2.1-or-later
// A file that grows by lines: results, logs.
#pragma once

#include <cstdint>
#include <string>
#include <system_error>

namespace elf {

/**
 * Appends lines to a file. A line that was cut off, by a power cut, a full disk or a killed
 * process, stays as it is, and the next line begins on a new line. Belongs to one thread.
 */
class LineFile {
 public:
  /** Creates the file if it does not exist. Throws elf::Error that names it and the reason. */
  explicit LineFile(const std::string& path);
  /** Takes an open descriptor. `name` is for the texts of append(). */
  LineFile(const std::string& name, int descriptor);
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;
  ~LineFile();

  /**
   * Writes `line` and the end of the line; nothing stays in memory. A line that can't be written is
   * left out, and the next call tries again. Returns a sentence for the user if writing has just
   * begun to fail, or works again, otherwise an empty text.
   */
  std::string append(const std::string& line);

  const std::string& name() const { return name_; }
  /** Why the last line was left out. Unset if it was written. */
  std::error_code failure() const { return failure_; }

 private:
  const std::string name_;
  int descriptor_;
  /** The last byte of the file does not end a line. */
  bool torn_ = false;
  std::error_code failure_;
  std::uint64_t missing_ = 0;
};

}  // namespace elf
