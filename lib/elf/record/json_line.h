// SPDX-License-Identifier: LGPL-2.1-or-later
// The JSON line of a frame, as `elfmerge results-location=` writes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "elf/types/frame_record.h"

namespace elf {

/** The fields of frameFields() as one JSON object, without the line's end, in ASCII. */
std::string toJsonLine(const FrameRecord& record, std::optional<std::int64_t> ptsNs);

}  // namespace elf
