// SPDX-License-Identifier: LGPL-2.1-or-later
// What an elfoffload tells of its work: the property `stats`, and the way of a frame in the log.
#pragma once

#include <gst/gst.h>

#include <cstdint>

#include "elf/types/frame_record.h"
#include "plugins/elfoffload/offload.h"

namespace elf::offloading {

constexpr double kMilliseconds = 1e3;
constexpr double kMega = 1e6;

double inMilliseconds(Microseconds time);

/** The structure `elf-offload-stats`. */
GstStructure* newStatistics(std::uint64_t frames, std::uint64_t skipped, const Work& work);

/** Each part of an answered frame, and where it went. */
void logWay(GstElement* element, const FrameRecord& record);

}  // namespace elf::offloading
