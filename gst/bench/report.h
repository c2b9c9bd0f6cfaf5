// SPDX-License-Identifier: LGPL-2.1-or-later
// The report of elf-bench in its three forms.
#pragma once

#include <string>

#include "gst/bench/figures.h"
#include "gst/bench/options.h"

namespace elf::bench {

/** A table for the terminal, and notes that explain it. */
std::string reportText(const Report& report, const Options& options);

/** All settings and figures (docs/elf-bench.md). */
std::string reportJson(const Report& report, const Options& options);

/** One self-contained page with plots. */
std::string reportHtml(const Report& report, const Options& options);

}  // namespace elf::bench
