// SPDX-License-Identifier: LGPL-2.1-or-later
// Data sets of box traces: which boxes were in which frame of which video (docs/data-sets.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "elf/base/choice.h"
#include "elf/geometry/box.h"

namespace elf {

/** One object, or one region to be ignored, in one frame. */
struct TraceObject {
  /** What `id` says of an object whose identity the source does not know (MOTChallenge det). */
  static constexpr std::int64_t kUnknownId = -1;

  /**
   * The same number in all frames of a trace, >= 0 and once in a frame; kUnknownId where it is not
   * known. Regions to be ignored have the source's number, and several may share one.
   */
  std::int64_t id = kUnknownId;
  /** The class in the source's own numbers, and its name ("" where there is none). */
  std::int64_t labelId = 0;
  std::string label;
  /** In pixels of the frame; may reach over its edges. Never empty, always finite. */
  Box box;
  float score = 1;
  /** A region in which objects may be that nobody labelled: neither truth nor the absence of it. */
  bool ignored = false;

  bool operator==(const TraceObject&) const = default;
};

struct TraceFrame {
  /** Counts from 0. A number that is left out is a frame of which nothing is known. */
  std::int64_t number = 0;
  /** Never empty, and the same in all frames of a trace. */
  Size size;
  /** In the order of the source. Empty: it is known that nothing was there. */
  std::vector<TraceObject> objects;
  /** When it was, from any start; unset where the source has no time stamps. */
  std::optional<std::chrono::nanoseconds> stamp = std::nullopt;
};

/** One video. */
struct Trace {
  std::string name;
  /** In ascending order of their numbers. */
  std::vector<TraceFrame> frames;
};

struct TraceOptions {
  /** One of traceFormatChoices(); empty recognises it by the names of files and their content. */
  std::string format;
  /** Size of the frames where the source does not tell; empty: the format's own default if any. */
  Size frameSize;
};

/** The formats there are. */
std::span<const Choice> traceFormatChoices();

/**
 * The traces at `path`, sorted by name; at least one. `path` is a data set's folder, or one video
 * of it (a folder or a file, as the format has it):
 *
 * - `elf-release`: VIDEO/N.txt, the text files of the released Elf: one for each frame N, with a
 * line `x y width height id frame-width frame-height` for each object, in pixels. id = class * 1000
 * + instance; class 1 is a car, 2 a person, 10 a region to be ignored. A missing file is a frame of
 *   which nothing is known, an empty one held nothing.
 * - `kitti`: KITTI tracking labels, label_02/SEQUENCE.txt. Type DontCare or identity -1 is a region
 *   to be ignored. A frame without line, up to the last with one, held nothing. Frames are
 *   1242x375 unless `frameSize` says otherwise, ten a second.
 * - `mot`: MOTChallenge, SEQUENCE/gt/gt.txt or (only where there is none, or if named itself)
 *   SEQUENCE/det/det.txt, with SEQUENCE/seqinfo.ini, or else any such file with `frameSize`. An
 *   entry of truth with confidence 0 is a region to be ignored. A frame without line held nothing;
 *   the last is that of seqinfo.ini, or else the last with a line. They have time stamps where
 *   seqinfo.ini tells the frame rate.
 * - `jsonl`: NAME.jsonl, the JSON lines that elfmerge writes, with their time stamps. Coasted boxes
 *   and those of earlier stages are left out. Each generation is a trace of its own, NAME, NAME#2,
 * NAME#3.
 *
 * Throws elf::Error that names `format` or `frame-size`, or the file (and the number of the line,
 * as FILE:LINE) and what is wrong with it. Nothing that can't be read is ever passed over.
 */
std::vector<Trace> readTraces(const std::string& path, const TraceOptions& options = {});

/** Makes of it what it were had the video been scaled to frames of `size`, which is not empty. */
void scaleTo(Size size, Trace& trace);

}  // namespace elf
