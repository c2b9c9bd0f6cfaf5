// SPDX-License-Identifier: LGPL-2.1-or-later
// Draws the content of a record into the picture, in the picture's own format.
#pragma once

#include <memory>

#include "elf/image/image_view.h"
#include "elf/types/frame_record.h"

namespace elf {

/** What to draw. */
struct PaintOptions {
  /** Outlines of the detections, at their angle if it is known, in a colour per identity. Coasted
   * ones are grey. */
  bool boxes = true;
  /** Name and score at each detection, such as "person 0.87", on a bar of its colour. */
  bool labels = true;
  /** The pixels of each object, if the model has masks, in its colour, 40 % opaque. */
  bool masks = true;
  /** Visible joints (kSeenJoint), and the model's bones between them. */
  bool keypoints = true;
  /** Dashed outlines of the RPs. */
  bool rps = false;
  /** Thin outlines of the parts, each with the URL of its server, without "http://". */
  bool parts = false;
  /** One line at the bottom: milliseconds, kilobytes sent, objects and parts of this frame. */
  bool statistics = false;
};

/** False if Painter::paint() would change no pixel. The picture need not be writable then. */
bool paintsAnything(const FrameRecord& record, const PaintOptions& options);

/** Keeps the letters of the last size. For one thread. */
class Painter {
 public:
  Painter();
  ~Painter();
  Painter(Painter&&) noexcept;
  Painter& operator=(Painter&&) noexcept;

  /**
   * Draws into `picture`, whose size is the record's. Lines and letters grow with the height of the
   * frame, and letters are always readable. A label is placed where it covers no other one, if
   * there is such a place beside its box. It never reaches out of the frame: a long one loses its
   * end. Boxes, masks and joints may lie outside the frame or hold NaN: invisible ones are not
   * drawn. Labels are drawn in any script for which Pango, if it is built in, finds a font. Other
   * texts of servers, and labels without a font, are drawn as printable().
   */
  void paint(const FrameRecord& record, const PaintOptions& options,
             const MutableImageView& picture);

 private:
  std::unique_ptr<class Letters> letters_;
};

}  // namespace elf
