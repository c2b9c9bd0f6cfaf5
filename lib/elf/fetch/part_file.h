// SPDX-License-Identifier: LGPL-2.1-or-later
// An incomplete file. Not installed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace elf {

/**
 * GOAL.part collects the bytes of GOAL until they are whole and right. Only commit() makes GOAL.
 * While the object lives no other process writes the file. Bytes with a tag outlive the object, so
 * that a later one can continue.
 *
 * The tag states the file that the bytes are a part of. It is stored in GOAL.part.tag.
 *
 * All functions throw elf::Error naming the file and the system's reason.
 */
class PartFile {
 public:
  /** Opens or makes the file, with the bytes of an earlier object. */
  explicit PartFile(std::string goal);
  ~PartFile();
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  /** Empty for bytes that can't be continued. */
  const std::string& tag() const { return tag_; }
  /** The end of an error: the bytes that are kept for later. Empty if none are. */
  std::string remains() const;

  /** Discards all bytes. The next ones have this tag. */
  void restart(const std::string& tag);
  void append(const void* data, std::size_t size);
  /** Gives the file its name, once it is on the disk. */
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
