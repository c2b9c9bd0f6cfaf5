// SPDX-License-Identifier: LGPL-2.1-or-later
// The frames that elf-bench runs on. They are decoded once and kept in memory.
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

/** Decoded frames of one size and format. Their pixels must not be written. */
struct Input {
  GstVideoInfo info;
  std::vector<gst::Ref<GstBuffer>> frames;
  /** Size before `--scale`. */
  Size sourceSize;

  Size size() const { return {info.width, info.height}; }
};

/** Receives the number of frames so far. */
using Progress = std::function<void(std::size_t)>;

/**
 * Decodes the first `limit` frames (-1: all) of a video file, of a folder's images in the order of
 * comesBefore(), or of a numbered pattern of images (one %d or %0Nd, from 0 or 1 on). The pixels
 * are the decoder's, in a format that the Elf elements accept, resized by `scale`. The PTS number
 * the frames from 0 (see framePts()).
 *
 * Throws elf::Error naming the file if it does not exist or can't be decoded, if an image differs
 * in size from the first one, or if the frames do not fit into half of the memory.
 */
Input readInput(const std::string& path, int limit, double scale, const Progress& progress);

/** The PTS of frame `index`. Frames are 40 ms apart, whatever the input's rate. */
inline GstClockTime framePts(std::size_t index) {
  return index * 40 * GST_MSECOND;
}

}  // namespace elf::bench
