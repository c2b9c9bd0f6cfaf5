// SPDX-License-Identifier: LGPL-2.1-or-later
// A whole run, from options to figures.
#pragma once

#include <functional>
#include <string>

#include "gst/bench/figures.h"
#include "gst/bench/options.h"
#include "research/data/data_warning.h"

namespace elf::bench {

/** Receives the current step and its progress, 0..1. Several threads may call it, but never at the
 * same time. */
using StepProgress = std::function<void(const std::string& step, double done)>;

/**
 * Decodes the input, starts the servers, computes the reference and runs all modes. Throws
 * elf::Error naming the wrong file, model or mode. GStreamer must be initialised, and OpenCV
 * limited to one thread. Warns of what is left out of the truth.
 */
Report runBench(const Options& options, const StepProgress& progress, const DataWarning& warn);

}  // namespace elf::bench
