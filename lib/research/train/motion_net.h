// SPDX-License-Identifier: LGPL-2.1-or-later
// The default predictor's network, to be trained; createNet() makes it by name. Not installed.
#pragma once

#include <memory>

#include "research/train/trainable_net.h"

namespace elf::train {

/**
 * What MotionNetwork runs. Learns from the true tracks of a trace, seen through several made-up
 * detectors: boxes missed singly or in runs, shaken by pixels or by shares of their size, mirrored,
 * at other frame rates; each frame is predicted 1 to 6 frames ahead. So that it can also predict
 * from two frames alone, it learns from the windows of the released code too; there, a target
 * without partner in the older frame counts little, since its own box stands in for the partner.
 *
 * Its loss is 1 - IoU, plus a smooth absolute error of the sides in shares of the box, plus the
 * pinball loss of what a side's error exceeds once in 33 times, plus the cross entropy of whether
 * the object is there; errors farther ahead count less.
 */
std::shared_ptr<TrainableNet> createMotionNet();

}  // namespace elf::train
