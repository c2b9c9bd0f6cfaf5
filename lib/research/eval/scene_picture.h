// SPDX-License-Identifier: LGPL-2.1-or-later
// Pictures of predictions against truth, and of plans.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "research/eval/frame_pictures.h"
#include "research/eval/scene.h"

namespace elf::eval {

struct SceneWriterOptions {
  /** The folder for the pictures, as TRACE-FRAME.png. Made if it does not exist. */
  std::string folder;
  /** Folder of the FramePictures to draw on. Empty: a blank canvas. */
  std::string frames;
  /** Each n-th scene is drawn, >= 1, from the first on. */
  std::size_t every = 1;
};

/**
 * Draws scenes: the truth, predictions and padded predictions, with a legend below. If there is a
 * plan, draws the truth, RPs and parts in the colours of their servers, RPs in no part white, and
 * below them a bar for each server, in pieces for its parts, with its time.
 */
class SceneWriter {
 public:
  /** Throws elf::Error naming a folder that can't be made or read. */
  explicit SceneWriter(SceneWriterOptions options);

  /** Throws elf::Error naming a picture that can't be written, or as FramePictures does. */
  void write(const Scene& scene);

  std::size_t written() const { return written_; }

 private:
  SceneWriterOptions options_;
  std::size_t seen_ = 0;
  std::size_t written_ = 0;
  std::optional<FramePictures> frames_;
};

}  // namespace elf::eval
