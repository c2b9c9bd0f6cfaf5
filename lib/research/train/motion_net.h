// SPDX-License-Identifier: LGPL-2.1-or-later
// The default predictor's network, for training. createNet() makes it by name. Not installed.
#pragma once

#include <memory>

#include "research/train/trainable_net.h"

namespace elf::train {

/**
 * The network of MotionNetwork. Learns from the true tracks of a trace as seen by several simulated
 * detectors: boxes missed singly or in runs, shaken by pixels or by shares of their size, mirrored,
 * at other frame rates. Each frame is predicted 1 to 6 frames ahead. To predict from two frames
 * alone, it also learns from the windows of the released code. There, a target without partner in
 * the older frame has a low weight, because its own box replaces the partner.
 *
 * Its loss is 1 - IoU, plus a smooth absolute error of the sides in shares of the box, plus the
 * pinball loss of the error that a side exceeds once in 33 times, plus the cross entropy of whether
 * the object is there. Errors farther ahead count less.
 */
std::shared_ptr<TrainableNet> createMotionNet();

}  // namespace elf::train
