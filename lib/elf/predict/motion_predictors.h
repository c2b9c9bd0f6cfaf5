// SPDX-License-Identifier: LGPL-2.1-or-later
// The predictors that need no training; RpPredictor::create() makes them by name. Not installed.
#pragma once

#include <memory>

#include "elf/predict/predictor.h"

namespace elf {

/** `last`: the box stays where it was; its uncertainty is how far it moved in the past. */
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
 * Not cv::KalmanFilter, which is in opencv_video: that library loads opencv_dnn, which a client
 * must not load. The tests compare the two.
 *
 * Standard deviations, in shares of the box's width or height: 0.02 of an observation, 0.06 of the
 * speed after a frame of disturbance, 0.1 of the initial, unknown speed. On the KITTI tracking
 * boxes a ratio of 1 to 3 of the first two predicts best, and with these values nine of ten errors
 * are within two predicted deviations.
 */
std::unique_ptr<RpPredictor> createKalmanPredictor();

}  // namespace elf
