// SPDX-License-Identifier: LGPL-2.1-or-later
// Reports of an elfoffload: the property `stats`, and the log lines about a frame's parts.
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
GstStructure* newStatistics(std::uint64_t frames, const ClientWork& work);

/** The labels of the element's metrics: its name, and that of its pipeline. */
ClientLabels labelsOf(GstElement* element);

/** Logs each part of an answered frame and its servers. */
void logWay(GstElement* element, const FrameRecord& record);

}  // namespace elf::offloading
