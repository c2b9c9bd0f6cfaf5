// SPDX-License-Identifier: LGPL-2.1-or-later
// Finds the box traces of a data set and their format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "research/data/traces.h"

namespace elf {

/** In the order of traceFormatChoices(). */
enum class TraceFormat { ElfRelease, Kitti, Mot, JsonLines };

/** Four days at 30 frames per second. A larger number is a mistake, and would fill the memory. */
inline constexpr std::int64_t kMostFrames = 10'000'000;

/** A file or folder with one trace, or with consecutive ones. */
struct TraceSource {
  TraceFormat format;
  std::filesystem::path path;
  std::string name;
};

/** Unset for an empty name. Throws elf::Error for an unknown one. */
std::optional<TraceFormat> traceFormatCalled(const std::string& name);

/** The files of `folder` with this ending. Leaves out the released Elf's list of videos. */
std::vector<std::filesystem::path> traceFilesOf(const std::filesystem::path& folder,
                                                std::string_view extension);

/** The number in a file's name, below kMostFrames. Unset if it has none. */
std::optional<std::int64_t> frameNumber(const std::filesystem::path& file);

/**
 * The sources at `path`: one file, a folder of traces, or a folder of such folders, all of one
 * format. If `wanted` is unset, the format is recognised. Throws elf::Error naming the file or
 * folder.
 */
std::vector<TraceSource> traceSourcesAt(const std::filesystem::path& path,
                                        std::optional<TraceFormat> wanted);

}  // namespace elf
