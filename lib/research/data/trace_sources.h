// SPDX-License-Identifier: LGPL-2.1-or-later
// Where the box traces of a data set are, and in which format.
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

/** Four days at 30 frames per second: a larger number is a slip, and would fill the memory. */
inline constexpr std::int64_t kMostFrames = 10'000'000;

/** A file or folder that holds one trace, or one after another. */
struct TraceSource {
  TraceFormat format;
  std::filesystem::path path;
  std::string name;
};

/** Unset for an empty name. Throws elf::Error for one that there is not. */
std::optional<TraceFormat> traceFormatCalled(const std::string& name);

/** The files of `folder` that end so. The list of videos of the released Elf is no video. */
std::vector<std::filesystem::path> traceFilesOf(const std::filesystem::path& folder,
                                                std::string_view extension);

/** The number that a file is named by, below kMostFrames; unset where there is none. */
std::optional<std::int64_t> frameNumber(const std::filesystem::path& file);

/**
 * What is at `path`: one file, a folder of traces, or a folder of such folders, all of one format.
 * It is recognised where `wanted` is unset. Throws elf::Error naming the file or folder.
 */
std::vector<TraceSource> traceSourcesAt(const std::filesystem::path& path,
                                        std::optional<TraceFormat> wanted);

}  // namespace elf
