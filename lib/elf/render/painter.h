// SPDX-License-Identifier: LGPL-2.1-or-later
// Draws what a record says into the picture, in the picture's own format.
#pragma once

#include <memory>

#include "elf/image/image_view.h"
#include "elf/types/frame_record.h"

namespace elf {

/** What to draw. */
struct PaintOptions {
  /** Outlines of the detections, at their angle where it is known, a colour for each identity;
   * coasted ones grey. */
  bool boxes = true;
  /** Name and score at each detection, such as "person 0.87", on a bar of its colour. */
  bool labels = true;
  /** The pixels of each object, where the model tells them, in its colour, 40 % opaque. */
  bool masks = true;
  /** Joints that are seen (kSeenJoint), and the model's bones between them. */
  bool keypoints = true;
  /** Dashed outlines of the RPs. */
  bool rps = false;
  /** Thin outlines of the parts, each with the URL of its server, without "http://". */
  bool parts = false;
  /** One line at the bottom: milliseconds and kilobytes sent of this frame, objects, parts. */
  bool statistics = false;
};

/** False where Painter::paint() would change no pixel, so that the picture need not be writable. */
bool paintsAnything(const FrameRecord& record, const PaintOptions& options);

/** Keeps the letters of the last size that it drew. For one thread. */
class Painter {
 public:
  Painter();
  ~Painter();
  Painter(Painter&&) noexcept;
  Painter& operator=(Painter&&) noexcept;

  /**
   * Draws into `picture`, whose size is the record's. Lines and letters grow with the height of
   * the frame, and letters are never smaller than can be read. A label stands where no other one
   * does if there is such a place beside its box, and never reaches out of the frame: its end is
   * left out where it is too long. Boxes, masks and joints may lie outside the frame or hold NaN:
   * what can't be seen is not drawn. A label is drawn in any script that Pango, where it is built
   * in, finds a font for; other text of servers, and what it finds none for, as printable() makes
   * it.
   */
  void paint(const FrameRecord& record, const PaintOptions& options,
             const MutableImageView& picture);

 private:
  std::unique_ptr<class Letters> letters_;
};

}  // namespace elf
