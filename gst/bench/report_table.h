// SPDX-License-Identifier: LGPL-2.1-or-later
// The texts that the table on the terminal and the one on the page share.
#pragma once

#include <string>
#include <vector>

#include "gst/bench/figures.h"
#include "gst/bench/options.h"

namespace elf::bench {

/** The header and one row per mode. The first column is its name, the last its notes. */
std::vector<std::vector<std::string>> tableRows(const Report& report);

/** Describes the frames, the model and the servers. */
std::string describeRun(const Report& report, const Options& options);

/** Explains the table, one sentence per entry. */
std::vector<std::string> explainTable(const Report& report, const Options& options);

}  // namespace elf::bench
