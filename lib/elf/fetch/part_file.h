// SPDX-License-Identifier: LGPL-2.1-or-later
// A file that is not all there yet. Not installed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace elf {

/**
 * GOAL.part, in which the bytes of GOAL gather until they are whole and right: nothing else writes
 * GOAL, and only commit() makes it. While the object lives no other process writes the file. What
 * of it outlives the object is what a later one can go on from: bytes with a tag.
 *
 * The tag says what the bytes are a part of, and lies in GOAL.part.tag.
 *
 * All throw elf::Error naming the file and the system's reason.
 */
class PartFile {
 public:
  /** Opens or makes the file, with what an earlier object left. */
  explicit PartFile(std::string goal);
  ~PartFile();
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  /** Empty for bytes that nobody can go on from. */
  const std::string& tag() const { return tag_; }
  /** For the end of an error: what is kept for later, and nothing where nothing is. */
  std::string remains() const;

  /** Forgets all bytes; those that come have this tag. */
  void restart(const std::string& tag);
  void append(const void* data, std::size_t size);
  /** The file gets its name, once it is on the disk. */
  void commit();
  /** Removes it. */
  void discard() noexcept;

 private:
  [[noreturn]] void fail(int error) const;
  void open();
  bool isStillNamed() const;

  const std::string goal_, path_, tagPath_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::string tag_;
};

}  // namespace elf
