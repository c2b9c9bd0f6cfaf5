// SPDX-License-Identifier: LGPL-2.1-or-later
// Data sets of box traces: the boxes in each frame of each video (docs/data-sets.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "elf/base/choice.h"
#include "elf/geometry/box.h"
#include "research/data/data_warning.h"

namespace elf {

/** One object, or one ignored region, in one frame. */
struct TraceObject {
  /** The `id` of an object whose identity is not in the source (MOTChallenge det). */
  static constexpr std::int64_t kUnknownId = -1;

  /**
   * The same number in all frames of a trace, >= 0 and once in a frame. kUnknownId if it is not
   * known. Ignored regions have the source's number, and several may share one.
   */
  std::int64_t id = kUnknownId;
  /** The class in the source's own numbers, and its name ("" if it has none). */
  std::int64_t labelId = 0;
  std::string label;
  /** In pixels of the frame. It may extend over its edges. Never empty, always finite. */
  Box box;
  float score = 1;
  /** A region that may have unlabelled objects: neither truth nor its absence. */
  bool ignored = false;

  bool operator==(const TraceObject&) const = default;
};

struct TraceFrame {
  /** From 0. Nothing is known of a frame whose number is left out. */
  std::int64_t number = 0;
  /** Never empty, and the same in all frames of a trace. */
  Size size;
  /** In the order of the source. Empty: the frame is known to have no objects. */
  std::vector<TraceObject> objects;
  /** The time of the frame, from any start. Unset if the source has no time stamps. */
  std::optional<std::chrono::nanoseconds> stamp = std::nullopt;
};

/** One video. */
struct Trace {
  std::string name;
  /** In ascending order of their numbers. */
  std::vector<TraceFrame> frames;
};

struct TraceOptions {
  /** One of traceFormatChoices(). Empty: recognised by the names of files and their content. */
  std::string format;
  /** Size of the frames if the source does not state it. Empty: the format's default, if any. */
  Size frameSize;
  DataWarning warn = {};
};

/** All formats. */
std::span<const Choice> traceFormatChoices();

/**
 * The traces at `path`, sorted by name (comesBefore()), at least one. `path` is a data set's
 * folder, or one video of it (a folder or a file, depending on the format):
 *
 * - `elf-release`: VIDEO/N.txt, the text files of the released Elf: one for each frame N, with a
 *   line `x y width height id frame-width frame-height` for each object, in pixels. id = class *
 *   1000 + instance. Class 1 is a car, 2 a person, 10 an ignored region. A missing file is a frame
 *   of which nothing is known, an empty one a frame without objects.
 * - `kitti`: KITTI tracking labels, label_02/SEQUENCE.txt. Type DontCare or identity -1 is an
 *   ignored region. A frame without a line, up to the last with one, has no objects. Frames are
 *   1242x375 unless `frameSize` is set, ten a second.
 * - `mot`: MOTChallenge, SEQUENCE/gt/gt.txt or (only without it, or if named itself)
 *   SEQUENCE/det/det.txt, with SEQUENCE/seqinfo.ini, or else any such file with `frameSize`. Pixels
 *   count from 1 there. An entry of truth with confidence 0 is an ignored region. A frame without a
 * line has no objects. The last frame is that of seqinfo.ini, or else the last with a line. Frames
 * have time stamps if seqinfo.ini states the frame rate.
 * - `jsonl`: NAME.jsonl, the JSON lines of elfmerge, with their time stamps. Coasted boxes and
 * those of earlier stages are left out. Each generation is a separate trace: NAME, NAME#2, NAME#3.
 * A line that was cut off while it was written is skipped with a warning.
 *
 * Boxes without width or height are left out with a warning.
 *
 * Throws elf::Error that names `format` or `frame-size`, or the file (and the number of the line,
 * as FILE:LINE) and its fault. Skips nothing else that can't be read.
 */
std::vector<Trace> readTraces(const std::string& path, const TraceOptions& options = {});

/** Changes it as if the video had been scaled to frames of `size`, which is not empty. */
void scaleTo(Size size, Trace& trace);

}  // namespace elf
