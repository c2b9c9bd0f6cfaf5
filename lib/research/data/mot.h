// SPDX-License-Identifier: LGPL-2.1-or-later
// MOTChallenge text files: boxes of objects, frame by frame, as truth or as detections.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "elf/geometry/box.h"
#include "research/data/data_warning.h"

namespace elf {

/**
 * One line of a MOTChallenge file: `frame,id,x,y,width,height[,confidence[,...]]`, or with blanks
 * instead of commas.
 */
struct MotEntry {
  /** From 0, while the file counts from 1. */
  std::int64_t frame = 0;
  /** The object's number in the file. -1 in files of detections. */
  std::int64_t id = 0;
  /** In pixels of the frame, from 0, while the file counts from 1. It may extend over its edges.
   * Empty if the entry has no size. */
  Box box;
  /** A detection's score. In a file of truth 0 means that the entry is ignored. */
  float confidence = 1;
  /** Number of its line in the file, from 1. */
  std::size_t line = 0;

  bool operator==(const MotEntry&) const = default;
};

/**
 * All entries of `text`, in the order of its lines. Skips empty lines and columns after the
 * confidence, and warns of entries without size. Throws elf::Error naming `name` and the number of
 * the first line that has too few columns, a text that is not a number, or a frame below 1.
 */
std::vector<MotEntry> parseMot(const std::string& text, const std::string& name,
                               const DataWarning& warn = {});

/** The entries of a file. Throws elf::Error also if the file can't be read. */
std::vector<MotEntry> readMot(const std::string& path, const DataWarning& warn = {});

}  // namespace elf
