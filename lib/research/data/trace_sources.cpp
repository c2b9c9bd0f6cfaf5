// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/data/trace_sources.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string_view>

#include "elf/base/error.h"
#include "elf/base/folder_entries.h"
#include "elf/base/text_file.h"
#include "research/data/columns.h"

namespace elf {

namespace fs = std::filesystem;

namespace {

constexpr Choice kFormats[] = {
    {"elf-release", "Text files of the released Elf, one for each frame"},
    {"kitti", "KITTI tracking labels"},
    {"mot", "MOTChallenge truth or detections"},
    {"jsonl", "JSON lines that elfmerge writes"},
};

/** The format of a line without commas. */
TraceFormat formatOfColumns(const Columns& line) {
  constexpr std::size_t kReleasedColumns = 7, kType = 2;
  if (line.size() <= kReleasedColumns) return TraceFormat::ElfRelease;
  const bool hasType = std::isalpha(static_cast<unsigned char>(line[kType].front())) != 0;
  return hasType ? TraceFormat::Kitti : TraceFormat::Mot;
}

/** Text formats differ in their columns. Unset for a file without lines. */
std::optional<TraceFormat> formatOfText(const fs::path& file) {
  std::optional<TraceFormat> format;
  forEachLine(readText(file), [&](const std::string& line, std::size_t) {
    if (format) return;
    if (line.starts_with('{'))
      format = TraceFormat::JsonLines;
    else if (line.find(',') != std::string::npos)
      format = TraceFormat::Mot;
    else
      format = formatOfColumns(Columns(line, Columns::Separator::Blanks, {}, {}));
  });
  return format;
}

/** The format of text files in a folder. Unset without files. */
std::optional<TraceFormat> formatOfTexts(const std::vector<fs::path>& files) {
  if (files.empty()) return std::nullopt;
  for (const fs::path& file : files)
    if (const auto format = formatOfText(file)) return format;
  // No file has a line. KITTI's numbers have leading zeros.
  const bool numbers = std::all_of(files.begin(), files.end(), [](const fs::path& file) {
    const auto number = frameNumber(file);
    return number && std::to_string(*number) == file.stem();
  });
  return numbers ? TraceFormat::ElfRelease : TraceFormat::Kitti;
}

/** MOTChallenge's file of a sequence: the truth, or else detections. Empty if it has none. */
fs::path motFile(const fs::path& sequence) {
  for (const char* name : {"gt/gt.txt", "det/det.txt"})
    if (fs::is_regular_file(sequence / name)) return sequence / name;
  return {};
}

/** The name of the sequence of `file`. */
std::string motName(const fs::path& file) {
  const std::string stem = file.stem();
  const fs::path folder = fs::absolute(file).parent_path();
  const bool inSequence = (stem == "gt" || stem == "det") && folder.filename() == stem;
  return inSequence ? folder.parent_path().filename().string() : stem;
}

std::string folderName(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  return whole.has_filename() ? whole.filename() : whole.parent_path().filename();
}

std::vector<TraceSource> sourcesOf(TraceFormat format, const std::vector<fs::path>& files) {
  std::vector<TraceSource> sources;
  for (const fs::path& file : files)
    sources.push_back(
        {format, file, format == TraceFormat::Mot ? motName(file) : file.stem().string()});
  return sources;
}

/** The sources directly in `folder`. Empty if none is of format `wanted`. */
std::vector<TraceSource> sourcesIn(const fs::path& folder, std::optional<TraceFormat> wanted) {
  const auto may = [&](TraceFormat format) { return !wanted || *wanted == format; };
  if (may(TraceFormat::JsonLines))
    if (const auto files = traceFilesOf(folder, ".jsonl"); !files.empty())
      return sourcesOf(TraceFormat::JsonLines, files);
  if (may(TraceFormat::Mot))
    if (const fs::path file = motFile(folder); !file.empty())
      return sourcesOf(TraceFormat::Mot, {file});
  if (may(TraceFormat::Kitti) && fs::is_directory(folder / "label_02"))
    return sourcesOf(TraceFormat::Kitti, traceFilesOf(folder / "label_02", ".txt"));
  const std::vector<fs::path> texts = traceFilesOf(folder, ".txt");
  if (texts.empty()) return {};
  const std::optional<TraceFormat> format = wanted ? wanted : formatOfTexts(texts);
  if (format == TraceFormat::ElfRelease)
    return {{TraceFormat::ElfRelease, folder, folderName(folder)}};
  if (format == TraceFormat::Kitti || format == TraceFormat::Mot) return sourcesOf(*format, texts);
  return {};
}

}  // namespace

std::span<const Choice> traceFormatChoices() {
  return kFormats;
}

std::optional<TraceFormat> traceFormatCalled(const std::string& name) {
  if (name.empty()) return std::nullopt;
  for (std::size_t i = 0; i < std::size(kFormats); ++i)
    if (name == kFormats[i].name) return static_cast<TraceFormat>(i);
  throw Error("format", "unknown name \"" + name + "\"");
}

std::vector<fs::path> traceFilesOf(const fs::path& folder, std::string_view extension) {
  std::vector<fs::path> files = entriesOf(folder);
  std::erase_if(files, [&](const fs::path& file) {
    return file.extension() != extension || file.filename() == "whitelist.txt" ||
           fs::is_directory(file);
  });
  return files;
}

std::optional<std::int64_t> frameNumber(const fs::path& file) {
  const std::string stem = file.stem();
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), number);
  if (error != std::errc{} || end != stem.data() + stem.size()) return std::nullopt;
  if (number < 0 || number >= kMostFrames) return std::nullopt;
  return number;
}

std::vector<TraceSource> traceSourcesAt(const fs::path& path, std::optional<TraceFormat> wanted) {
  if (!fs::exists(path)) throw Error(path, "does not exist");
  if (!fs::is_directory(path)) {
    std::optional<TraceFormat> format = wanted;
    if (!format && path.extension() == ".jsonl") format = TraceFormat::JsonLines;
    if (!format) format = formatOfText(path);
    if (!format) throw Error(path, "is empty: its format can't be told");
    if (format == TraceFormat::ElfRelease)
      throw Error(path, "is one file, not a trace of a known format");
    return sourcesOf(*format, {path});
  }
  if (std::vector<TraceSource> sources = sourcesIn(path, wanted); !sources.empty()) return sources;
  std::vector<TraceSource> all;
  for (const fs::path& folder : entriesOf(path)) {
    if (!fs::is_directory(folder)) continue;
    std::vector<TraceSource> sources = sourcesIn(folder, wanted);
    if (sources.empty()) throw Error(folder, "holds no traces of a known format");
    if (!all.empty() && sources.front().format != all.front().format)
      throw Error(folder, "holds traces of another format than " + all.front().path.string());
    all.insert(all.end(), sources.begin(), sources.end());
  }
  if (all.empty()) throw Error(path, "holds no traces of a known format");
  return all;
}

}  // namespace elf
