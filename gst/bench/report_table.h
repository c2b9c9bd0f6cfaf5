// SPDX-License-Identifier: LGPL-2.1-or-later
// The words that the table on the terminal and the one on the page have in common.
#pragma once

#include <string>
#include <vector>

#include "gst/bench/figures.h"
#include "gst/bench/options.h"

namespace elf::bench {

/** The head and one row for each mode. The first column is its name, the last its notes. */
std::vector<std::vector<std::string>> tableRows(const Report& report);

/** Which frames, model and servers. */
std::string describeRun(const Report& report, const Options& options);

/** How to read the table, one sentence each. */
std::vector<std::string> explainTable(const Report& report, const Options& options);

}  // namespace elf::bench
