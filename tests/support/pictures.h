// SPDX-License-Identifier: LGPL-2.1-or-later
// Real pictures, and models run on them.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <opencv2/imgcodecs.hpp>
#include <string>

#include "elf/server/backends.h"
#include "tests/support/shared_files.h"

namespace elf::testing {

/** What `model` finds in a picture that is a frame of its own. */
inline Result<std::vector<Detection>> run(InferenceModel& model, const cv::Mat& bgr) {
  return model.run(viewOf(bgr), {.frame = {bgr.cols, bgr.rows}});
}

/** Frame `number` of a video, through GStreamer's command; empty where it cannot be had. */
inline cv::Mat frameOf(const std::string& video, int number) {
  namespace fs = std::filesystem;
  if (!fs::exists(video)) return {};
  const fs::path folder = fs::temp_directory_path() / ("elf-frame-" + std::to_string(getpid()));
  fs::create_directory(folder);
  const std::string command =
      "gst-launch-1.0 -q filesrc location=" + video +
      " ! decodebin ! videoconvert ! identity eos-after=" + std::to_string(number + 2) +
      " ! pngenc ! multifilesink location=" + (folder / "%d.png").string() + " > /dev/null 2>&1";
  cv::Mat frame;
  if (std::system(command.c_str()) == 0)
    frame = cv::imread((folder / (std::to_string(number) + ".png")).string());
  fs::remove_all(folder);
  return frame;
}

}  // namespace elf::testing
