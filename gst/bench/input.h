// SPDX-License-Identifier: LGPL-2.1-or-later
// The frames that elf-bench runs on: decoded once, kept in memory.
#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "elf/geometry/box.h"
#include "gst/elfvision/gstelfref.h"

namespace elf::bench {

/** Decoded frames, all of one size and format; their pixels must not be written. */
struct Input {
  GstVideoInfo info;
  std::vector<gst::Ref<GstBuffer>> frames;
  /** Size before `--scale`. */
  Size sourceSize;

  Size size() const { return {info.width, info.height}; }
};

/** Told how many frames there are so far. */
using Progress = std::function<void(std::size_t)>;

/**
 * Decodes the first `limit` frames (-1: all) of a video file, of the images of a folder in the
 * order of their names, or of a numbered pattern of images (one %d or %0Nd, from 0 or 1 on). The
 * pixels are those of the decoder, in a format that the Elf elements take, resized by `scale`. The
 * frames are numbered from 0 by their PTS (see framePts()).
 *
 * Throws elf::Error naming the file where there is none, where it can't be decoded, where an image
 * has another size than the first one, or where the frames do not fit into half of the memory.
 */
Input readInput(const std::string& path, int limit, double scale, const Progress& progress);

/** The PTS of frame `index`: frames are 40 ms apart, whatever the input's rate. */
inline GstClockTime framePts(std::size_t index) {
  return index * 40 * GST_MSECOND;
}

}  // namespace elf::bench
