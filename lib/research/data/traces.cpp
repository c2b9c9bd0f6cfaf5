// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/data/traces.h"

#include <glib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "elf/base/data_files.h"
#include "elf/base/error.h"
#include "elf/base/folder_entries.h"
#include "elf/base/glib.h"
#include "elf/base/printable.h"
#include "elf/base/text_file.h"
#include "research/data/columns.h"
#include "research/data/mot.h"
#include "research/data/trace_sources.h"

namespace elf {

namespace {

namespace fs = std::filesystem;

/** The size of most KITTI frames. The others differ by less than two per cent. */
constexpr Size kKittiSize{1242, 375};
constexpr double kKittiRate = 10;
/** Frames per second. With kMostFrames a lower rate would overflow the time stamps. */
constexpr double kLeastRate = 0.01;
std::string place(const std::string& file, std::size_t line) {
  return file + ":" + std::to_string(line);
}

// --- Shared by all formats ---

/** Finds identities that are in a frame more than once. */
class OnceInAFrame {
 public:
  void clear() { seen_.clear(); }
  /** False if the object's identity was there already. */
  bool take(const TraceObject& object) {
    return object.ignored || object.id == TraceObject::kUnknownId || seen_.insert(object.id).second;
  }

 private:
  std::set<std::int64_t> seen_;
};

constexpr const char* kTwice = "it is in this frame already";

/** Frames 0 to `count` - 1, without objects. */
std::vector<TraceFrame> emptyFrames(std::int64_t count, Size size) {
  std::vector<TraceFrame> frames(static_cast<std::size_t>(count));
  for (std::int64_t number = 0; number < count; ++number)
    frames[static_cast<std::size_t>(number)] = {number, size, {}};
  return frames;
}

/** Sets the time stamps of frames at `rate` frames per second. */
void setRate(double rate, Trace& trace) {
  constexpr double kSecond = 1e9;
  for (TraceFrame& frame : trace.frames)
    frame.stamp =
        std::chrono::nanoseconds(std::llround(static_cast<double>(frame.number) * kSecond / rate));
}

// --- The released Elf ---

constexpr std::array<const char*, 7> kReleasedColumns = {
    "x", "y", "width", "height", "id", "frame-width", "frame-height"};
constexpr std::int64_t kInstances = 1000;
constexpr std::int64_t kIgnoredClass = 10;

const char* releasedLabel(std::int64_t labelId) {
  return labelId == 1 ? "car" : labelId == 2 ? "person" : labelId == kIgnoredClass ? "ignore" : "";
}

/** `size` is that of the earlier lines, empty if there are none. */
TraceObject releasedObject(const Columns& line, Size& size) {
  line.needAtLeast(kReleasedColumns.size());
  if (line.size() > kReleasedColumns.size())
    throw Error(line.place(), "has " + std::to_string(line.size()) + " columns, " +
                                  std::to_string(kReleasedColumns.size()) + " are needed");
  TraceObject object;
  const auto x = line.number<float>(0);
  const auto y = line.number<float>(1);
  object.box = {x, y, x + line.number<float>(2), y + line.number<float>(3)};
  if (!(object.box.x1 >= x) || !object.box.finite()) line.bad(2);
  if (!(object.box.y1 >= y)) line.bad(3);
  object.id = line.number<std::int64_t>(4);
  if (object.id < 0) line.bad(4);
  object.labelId = object.id / kInstances;
  object.label = releasedLabel(object.labelId);
  object.ignored = object.labelId == kIgnoredClass;
  const Size here{line.number<int>(5), line.number<int>(6)};
  if (here.width <= 0) line.bad(5);
  if (here.height <= 0) line.bad(6);
  if (size.empty()) size = here;
  const auto before = [](int pixels) { return "it was " + std::to_string(pixels) + " before"; };
  if (here.width != size.width) line.bad(5, before(size.width));
  if (here.height != size.height) line.bad(6, before(size.height));
  return object;
}

Trace readReleased(const TraceSource& source, const TraceOptions& options) {
  std::map<std::int64_t, fs::path> files;
  for (const fs::path& file : traceFilesOf(source.path, ".txt")) {
    const auto number = frameNumber(file);
    if (!number) throw Error(file, "its name is not a frame number");
    if (!files.emplace(*number, file).second)
      throw Error(file, "is the same frame as " + files[*number].string());
  }
  if (files.empty()) throw Error(source.path, "holds no frames");
  Trace trace{source.name, {}};
  Size size;
  FlatBoxes flat;
  for (const auto& [number, file] : files) {
    TraceFrame frame{number, {}, {}};
    OnceInAFrame once;
    forEachLine(readText(file), [&](const std::string& text, std::size_t row) {
      const Columns line(text, Columns::Separator::Blanks, kReleasedColumns, place(file, row));
      TraceObject object = releasedObject(line, size);
      if (object.box.empty()) return flat.add(line.place());
      if (!once.take(object)) line.bad(4, kTwice);
      frame.objects.push_back(std::move(object));
    });
    trace.frames.push_back(std::move(frame));
  }
  flat.report(options.warn);
  if (size.empty()) size = options.frameSize;
  if (size.empty())
    throw Error("frame-size", "must be given: no line in " + source.path.string() + " tells it");
  for (TraceFrame& frame : trace.frames) frame.size = size;
  return trace;
}

// --- KITTI ---

constexpr std::array<const char*, 18> kKittiColumns = {
    "frame",  "track",  "type",  "truncated", "occluded", "alpha", "left", "top",      "right",
    "bottom", "height", "width", "length",    "x",        "y",     "z",    "rotation", "score"};
constexpr std::size_t kKittiRequired = 17;
/** In the order of TrackEval's numbers, from 1. */
constexpr std::array<std::string_view, 8> kKittiTypes = {"Car",    "Van",     "Truck", "Pedestrian",
                                                         "Person", "Cyclist", "Tram",  "Misc"};

TraceObject kittiObject(const Columns& line) {
  TraceObject object;
  object.id = line.number<std::int64_t>(1);
  if (object.id < -1) line.bad(1);
  object.label = line[2];
  const std::string_view type = object.label == "Person_sitting" ? "Person" : line[2];
  const auto known = std::find(kKittiTypes.begin(), kKittiTypes.end(), type);
  if (known != kKittiTypes.end())
    object.labelId = known - kKittiTypes.begin() + 1;
  else if (type != "DontCare")
    line.bad(2);
  object.ignored = type == "DontCare" || object.id == -1;
  object.box = {line.number<float>(6), line.number<float>(7), line.number<float>(8),
                line.number<float>(9)};
  if (!(object.box.x1 >= object.box.x0)) line.bad(8);
  if (!(object.box.y1 >= object.box.y0)) line.bad(9);
  if (line.size() > kKittiRequired) object.score = line.number<float>(kKittiRequired);
  return object;
}

Trace readKitti(const TraceSource& source, const TraceOptions& options) {
  struct Entry {
    std::int64_t frame;
    TraceObject object;
  };
  std::vector<Entry> entries;
  FlatBoxes flat;
  std::int64_t count = 0;
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  forEachLine(readText(source.path), [&](const std::string& text, std::size_t row) {
    const Columns line(text, Columns::Separator::Blanks, kKittiColumns, place(source.path, row));
    line.needAtLeast(kKittiRequired);
    if (line.size() > kKittiColumns.size())
      throw Error(line.place(), "has " + std::to_string(line.size()) + " columns, at most " +
                                    std::to_string(kKittiColumns.size()) + " are known");
    const auto frame = line.number<std::int64_t>(0);
    if (frame < 0 || frame >= kMostFrames) line.bad(0);
    TraceObject object = kittiObject(line);
    count = std::max(count, frame + 1);
    if (object.box.empty()) return flat.add(line.place());
    if (!object.ignored && !seen.insert({frame, object.id}).second) line.bad(1, kTwice);
    entries.push_back({frame, std::move(object)});
  });
  flat.report(options.warn);
  Trace trace{source.name,
              emptyFrames(count, options.frameSize.empty() ? kKittiSize : options.frameSize)};
  for (Entry& entry : entries)
    trace.frames[static_cast<std::size_t>(entry.frame)].objects.push_back(std::move(entry.object));
  setRate(kKittiRate, trace);
  return trace;
}

// --- MOTChallenge ---

struct SequenceInfo {
  Size size;
  /** Unset if the file does not state it. */
  std::optional<std::int64_t> length;
  std::optional<double> rate;
};

/** Throws if the file exists but does not state the size. */
std::optional<SequenceInfo> readSequenceInfo(const fs::path& file) {
  if (!fs::exists(file)) return std::nullopt;
  const Ref<GKeyFile> keys = parseKeyFile(file, readFile(file));
  const auto has = [&](const char* key) {
    return g_key_file_has_key(keys.get(), "Sequence", key, nullptr);
  };
  const auto read = [&](const char* key, auto& value) {
    GError* error = nullptr;
    const Ref<gchar> text(g_key_file_get_string(keys.get(), "Sequence", key, &error));
    if (error) throw Error(file, takeReason(error));
    const auto number = parseNumber<std::remove_reference_t<decltype(value)>>(text.get());
    if (!number) throw Error(file, std::string(key) + " can't be '" + printable(text.get()) + "'");
    value = *number;
  };
  SequenceInfo info;
  read("imWidth", info.size.width);
  read("imHeight", info.size.height);
  if (has("seqLength")) read("seqLength", info.length.emplace());
  if (has("frameRate")) read("frameRate", info.rate.emplace());
  if (info.size.empty()) throw Error(file, "imWidth and imHeight must be above 0");
  if (info.length && (*info.length < 0 || *info.length > kMostFrames))
    throw Error(file, "seqLength can't be " + std::to_string(*info.length));
  if (info.rate && !(*info.rate >= kLeastRate))
    throw Error(file, "frameRate must be 0.01 at least");
  return info;
}

Trace readMotTrace(const TraceSource& source, const TraceOptions& options) {
  const std::vector<MotEntry> entries = readMot(source.path, options.warn);
  const fs::path beside = fs::absolute(source.path).parent_path().parent_path() / "seqinfo.ini";
  std::optional<SequenceInfo> info = readSequenceInfo(beside);
  if (!info && options.frameSize.empty())
    throw Error("frame-size", "must be given: there is no " + beside.string() + " to tell it");
  if (!info) info = SequenceInfo{.size = options.frameSize};
  const std::int64_t most = info->length.value_or(kMostFrames);
  std::int64_t count = info->length.value_or(0);
  // In detections no object is known, and 0 is a score.
  const bool isTruth = std::ranges::any_of(
      entries, [](const MotEntry& entry) { return entry.id != TraceObject::kUnknownId; });
  const auto isIgnored = [isTruth](const MotEntry& entry) {
    return isTruth && entry.confidence == 0;
  };
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  for (const MotEntry& entry : entries) {
    const std::string where = place(source.path, entry.line);
    if (entry.frame >= most)
      throw Error(where, "frame can't be '" + std::to_string(entry.frame + 1) + "': there are " +
                             std::to_string(most));
    count = std::max(count, entry.frame + 1);
    if (entry.box.empty()) continue;
    if (entry.id < TraceObject::kUnknownId)
      throw Error(where, "id can't be '" + std::to_string(entry.id) + "'");
    if (entry.id != TraceObject::kUnknownId && !isIgnored(entry) &&
        !seen.insert({entry.frame, entry.id}).second)
      throw Error(where, "id can't be '" + std::to_string(entry.id) + "': " + kTwice);
  }
  Trace trace{source.name, emptyFrames(count, info->size)};
  for (const MotEntry& entry : entries) {
    if (entry.box.empty()) continue;
    TraceObject object;
    object.id = entry.id;
    object.box = entry.box;
    object.score = entry.confidence;
    object.ignored = isIgnored(entry);
    trace.frames[static_cast<std::size_t>(entry.frame)].objects.push_back(std::move(object));
  }
  if (info->rate) setRate(*info->rate, trace);
  return trace;
}

// --- elfmerge's JSON lines ---

using Json = nlohmann::json;

/** A JSON object of a line. Errors state its place and the wrong field. */
class Fields {
 public:
  Fields(const Json& object, const std::string& place) : object_(object), place_(place) {
    if (!object.is_object())
      throw Error(place, "not a JSON object, or holds something other than JSON objects");
  }

  /** False also for null. */
  bool has(const char* name) const {
    const auto field = object_.find(name);
    return field != object_.end() && !field->is_null();
  }

  std::int64_t integer(const char* name, std::int64_t least, std::int64_t most) const {
    const Json& value = get(name);
    // An unsigned number that does not fit is above every `most`. Other programs write 7 as 7.0.
    if (!(value.is_number_integer() || isWhole(value)) ||
        (value.is_number_unsigned() &&
         value.get<std::uint64_t>() > static_cast<std::uint64_t>(most)))
      bad(name);
    const auto number = value.get<std::int64_t>();
    if (number < least || number > most) bad(name);
    return number;
  }

  float number(const char* name) const { return toFloat(get(name), name); }

  bool boolean(const char* name) const {
    if (!get(name).is_boolean()) bad(name);
    return get(name).get<bool>();
  }

  std::string text(const char* name) const {
    if (!get(name).is_string()) bad(name);
    return get(name).get<std::string>();
  }

  const Json& list(const char* name) const {
    if (!get(name).is_array()) bad(name);
    return get(name);
  }

  Box box(const char* name) const {
    const Json& corners = list(name);
    if (corners.size() != 4) bad(name);
    const Box box{toFloat(corners[0], name), toFloat(corners[1], name), toFloat(corners[2], name),
                  toFloat(corners[3], name)};
    if (box.empty()) bad(name);
    return box;
  }

  [[noreturn]] void bad(const char* name, const std::string& why = {}) const {
    throw Error(place_, std::string(name) + " can't be " + printable(get(name).dump()) +
                            (why.empty() ? "" : ": " + why));
  }

 private:
  const Json& get(const char* name) const {
    const auto field = object_.find(name);
    if (field == object_.end()) throw Error(place_, std::string("has no ") + name);
    return *field;
  }

  static bool isWhole(const Json& value) {
    return value.is_number_float() && wholeNumber(value.get<double>()).has_value();
  }

  float toFloat(const Json& value, const char* name) const {
    if (!value.is_number()) bad(name);
    const auto number = static_cast<float>(value.get<double>());
    if (!std::isfinite(number)) bad(name);
    return number;
  }

  const Json& object_;
  const std::string& place_;
};

TraceFrame jsonFrame(const Fields& line, const std::string& where) {
  constexpr std::int64_t kMostPixels = 1 << 20;
  TraceFrame frame;
  frame.number = line.integer("frame", 0, INT64_MAX);
  frame.size = {static_cast<int>(line.integer("width", 1, kMostPixels)),
                static_cast<int>(line.integer("height", 1, kMostPixels))};
  if (line.has("pts_ns"))
    frame.stamp = std::chrono::nanoseconds(line.integer("pts_ns", 0, INT64_MAX));
  OnceInAFrame once;
  const std::int64_t stage = line.has("stage") ? line.integer("stage", 0, INT_MAX) : 0;
  for (const Json& item : line.list("detections")) {
    const Fields detection(item, where);
    if (detection.has("stage") && detection.integer("stage", 0, INT_MAX) != stage) continue;
    TraceObject object;
    object.id = detection.integer("id", 0, INT64_MAX);
    object.labelId = detection.integer("label_id", INT64_MIN, INT64_MAX);
    object.label = detection.text("label");
    object.score = detection.number("score");
    object.box = detection.box("box");
    if (detection.boolean("coasted")) continue;
    if (!once.take(object)) detection.bad("id", kTwice);
    frame.objects.push_back(std::move(object));
  }
  return frame;
}

/** Collects the frames of one file. */
class JsonTraces {
 public:
  explicit JsonTraces(std::string name) : name_(std::move(name)) {}

  void add(const Json& parsed, const std::string& where) {
    const Fields line(parsed, where);
    const std::int64_t generation = line.integer("generation", 0, INT64_MAX);
    TraceFrame frame = jsonFrame(line, where);
    // A run appended to the file counts from 0 again, and its generations may, too.
    if (traces_.empty() || generation != generation_ || frame.number == 0 || isOfNextRun(frame)) {
      const std::size_t part = traces_.size() + 1;
      traces_.push_back({name_ + (part > 1 ? "#" + std::to_string(part) : ""), {}});
      generation_ = generation;
    } else {
      const TraceFrame& before = traces_.back().frames.back();
      if (frame.number <= before.number)
        line.bad("frame", "the line before has " + std::to_string(before.number));
      if (frame.size != before.size) line.bad("width", "the size changes within a generation");
    }
    torn_ = false;
    traces_.back().frames.push_back(std::move(frame));
  }

  /** A line was cut off here. A run may have ended, and the first frames of the next may be lost.
   */
  void tear() { torn_ = true; }

  std::vector<Trace> take() { return std::move(traces_); }

 private:
  bool isOfNextRun(const TraceFrame& frame) const {
    const TraceFrame& before = traces_.back().frames.back();
    return torn_ && (frame.number <= before.number || frame.size != before.size);
  }

  const std::string name_;
  std::vector<Trace> traces_;
  std::int64_t generation_ = 0;
  bool torn_ = false;
};

/** Cuts a line where elfmerge began one: runs that were killed left beginnings before others. */
std::vector<std::string_view> linesWithin(std::string_view text) {
  constexpr std::string_view kBegin = "{\"frame\":";
  std::vector<std::string_view> lines;
  for (std::size_t at = 0; at != std::string_view::npos;) {
    const std::size_t next = text.find(kBegin, at + 1);
    lines.push_back(text.substr(at, next - at));
    at = next;
  }
  return lines;
}

std::vector<Trace> readJsonLines(const TraceSource& source, const DataWarning& warn) {
  JsonTraces traces(source.name);
  forEachLine(readText(source.path), [&](const std::string& text, std::size_t row) {
    const std::string where = place(source.path, row);
    if (const Json whole = Json::parse(text, nullptr, false); !whole.is_discarded())
      return traces.add(whole, where);
    // After a power cut a file may end in zeros.
    if (text.front() != '{' && text.front() != '\0')
      throw Error(where, "not a complete line of JSON");
    bool isTorn = false;
    for (const std::string_view part : linesWithin(text)) {
      if (const Json parsed = Json::parse(part, nullptr, false); !parsed.is_discarded()) {
        traces.add(parsed, where);
      } else {
        traces.tear();
        isTorn = true;
      }
    }
    if (isTorn && warn) warn(where + ": not a complete line of JSON (skipped)");
  });
  std::vector<Trace> read = traces.take();
  if (read.empty()) throw Error(source.path, "holds no frames");
  return read;
}

}  // namespace

std::vector<Trace> readTraces(const std::string& path, const TraceOptions& options) {
  const std::optional<TraceFormat> wanted = traceFormatCalled(options.format);
  std::vector<Trace> traces;
  try {
    for (const TraceSource& source : traceSourcesAt(path, wanted)) {
      switch (source.format) {
        case TraceFormat::ElfRelease:
          traces.push_back(readReleased(source, options));
          break;
        case TraceFormat::Kitti:
          traces.push_back(readKitti(source, options));
          break;
        case TraceFormat::Mot:
          traces.push_back(readMotTrace(source, options));
          break;
        case TraceFormat::JsonLines:
          for (Trace& trace : readJsonLines(source, options.warn))
            traces.push_back(std::move(trace));
          break;
      }
    }
  } catch (const fs::filesystem_error& error) {
    throw Error(path, error.code().message());
  }
  std::stable_sort(traces.begin(), traces.end(),
                   [](const Trace& a, const Trace& b) { return comesBefore(a.name, b.name); });
  return traces;
}

void scaleTo(Size size, Trace& trace) {
  for (TraceFrame& frame : trace.frames) {
    const float x = static_cast<float>(size.width) / static_cast<float>(frame.size.width);
    const float y = static_cast<float>(size.height) / static_cast<float>(frame.size.height);
    for (TraceObject& object : frame.objects) object.box = scaled(object.box, x, y);
    frame.size = size;
  }
}

}  // namespace elf
