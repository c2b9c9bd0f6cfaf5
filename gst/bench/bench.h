// SPDX-License-Identifier: LGPL-2.1-or-later
// The whole of a run, from options to figures.
#pragma once

#include <functional>
#include <string>

#include "gst/bench/figures.h"
#include "gst/bench/options.h"

namespace elf::bench {

/** Told what is being done, and how much of it, 0..1. May be called from several threads, but
 * never at the same time. */
using StepProgress = std::function<void(const std::string& step, double done)>;

/**
 * Decodes the input, starts the servers, computes the reference and runs all modes. Throws
 * elf::Error naming the file, model or mode that is wrong. GStreamer is initialised, OpenCV limited
 * to one thread.
 */
Report runBench(const Options& options, const StepProgress& progress);

}  // namespace elf::bench
