// SPDX-License-Identifier: LGPL-2.1-or-later
// Synthetic box traces: people and cars in a made world, seen by a camera.
#pragma once

#include <cstdint>
#include <vector>

#include "research/data/traces.h"

namespace elf {

/**
 * Traces of `videos` (>= 0) synthetic videos with 160 frames each, named `synthetic-0000`,
 * `synthetic-0001`, ... They are free of any data set's licence. The first ones are the same for
 * any number of videos.
 *
 * The world is a plane, in metres and seconds, with 6 to 39 movers. Half of them are cars (1.6 to 2
 * wide, 1.4 to 1.9 high, 3.5 to 5 long), parked or with an initial speed of 2 to 16 per second.
 * Half are people (0.45 to 0.8, 1.5 to 1.9, 0.4 to 0.9), a fifth of them standing, the others at
 * 0.5 to 2 per second. Their speed and their turning drift at random. A walker gets longer and
 * shorter by half with each step, which is the effect of legs and arms on a box. Each mover is 5 to
 * 45 away and roughly in front of the camera at some moment of the video, and exists for some time
 * before and after it.
 *
 * The camera is a pinhole. Half of them are fixed, 1.5 to 8 high, and look down on the ground 8 to
 * 30 away. The others are on a car, 1.2 to 2 high, that stands or drives, turns, and may pitch on
 * its springs. Frames have one of five usual sizes from 640x480 to 1920x1080, at 7 to 30 per
 * second. The focal length is 0.5 to 1.3 times their width.
 *
 * A box is the visible part of a mover's cuboid, clipped to the frame. It is left out if more than
 * three quarters of it are outside, or covered by one nearer box, if it is not over 4 pixels wide
 * and 12 high, or if it is nearer than 0.8. As in data labelled by people, in three of ten videos
 * only every 4th to 10th box is true. Those between are on a straight line, even while the mover
 * was hidden. In three of ten videos, sides are whole pixels.
 *
 * Classes and identities are those of the format `elf-release`: `labelId` 1 is "car" and 2
 * "person", and `id` is 1000 * labelId + a number < 1000. Score is 1, nothing is ignored.
 *
 * Random numbers come from a std::mt19937_64 of `seed` and no distribution of the standard library,
 * so that a seed gives the same traces anywhere, up to the last digits of the maths library.
 */
std::vector<Trace> syntheticMotion(int videos, std::uint64_t seed);

}  // namespace elf
