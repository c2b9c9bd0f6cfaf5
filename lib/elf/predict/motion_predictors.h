// SPDX-License-Identifier: LGPL-2.1-or-later
// The predictors that need no training; RpPredictor::create() makes them by name. Not installed.
#pragma once

#include <memory>

#include "elf/predict/predictor.h"

namespace elf {

/** `last`: the box stays where it was; it may be off by what it moved in the past. */
std::unique_ptr<RpPredictor> createLastPredictor();

/**
 * `velocity`: each side moves on along the least-squares line through its latest four observations.
 * On the KITTI tracking boxes fewer are better where boxes are exact, and more where they are not.
 */
std::unique_ptr<RpPredictor> createVelocityPredictor();

/**
 * `kalman`: a Kalman filter of position and velocity for each side, disturbed by white-noise
 * acceleration (Bar-Shalom, Li, Kirubarajan: Estimation with Applications to Tracking and
 * Navigation, 6.2.2). Predictors keep no state, so it runs over the track's observations each time.
 *
 * Not cv::KalmanFilter, which is in opencv_video: that library brings opencv_dnn along, and a
 * client must not load it. The tests hold the two against each other.
 *
 * Standard deviations, in shares of the box's width or height: 0.02 of an observation, 0.06 of the
 * speed after a frame of disturbance, 0.1 of the speed before anything is known of it. On the KITTI
 * tracking boxes a ratio of 1 to 3 of the first two predicts best, and with these values nine of
 * ten errors are within two of the deviations told.
 */
std::unique_ptr<RpPredictor> createKalmanPredictor();

}  // namespace elf
