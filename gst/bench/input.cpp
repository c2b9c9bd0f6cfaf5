// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/bench/input.h"

#include <gst/app/gstappsink.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>

#include "elf/base/error.h"
#include "elf/base/folder_entries.h"
#include "gst/elfvision/gstelfvideo.h"

namespace elf::bench {

namespace {

namespace fs = std::filesystem;

/** The resized frames so far. */
class Collector {
 public:
  Collector(std::size_t limit, double scale, const Progress& progress)
      : limit_(limit), scale_(scale), progress_(progress) {
    gst_video_info_init(&input_.info);
  }

  bool full() const { return input_.frames.size() >= limit_; }

  /** `source` is the sample's file, for errors. */
  void add(GstSample* sample, const std::string& source) {
    GstVideoInfo info;
    if (!gst_video_info_from_caps(&info, gst_sample_get_caps(sample)))
      throw Error(source, "was decoded to something other than video");
    if (input_.frames.empty()) {
      start(info);
    } else if (info.width != decoded_.width || info.height != decoded_.height ||
               GST_VIDEO_INFO_FORMAT(&info) != GST_VIDEO_INFO_FORMAT(&decoded_)) {
      throw Error(source, "changes from " + describe(decoded_) + " to " + describe(info) +
                              ", but all frames must be alike");
    }
    if ((input_.frames.size() + 1) * GST_VIDEO_INFO_SIZE(&input_.info) > memoryLimit())
      throw Error(source, "more than " + std::to_string(input_.frames.size()) +
                              " frames do not fit into half of the memory; ask for fewer with "
                              "--frames");
    GstBuffer* buffer = converter_ ? resize(gst_sample_get_buffer(sample))
                                   : gst_buffer_copy_deep(gst_sample_get_buffer(sample));
    GST_BUFFER_PTS(buffer) = framePts(input_.frames.size());
    GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
    GST_BUFFER_DURATION(buffer) = framePts(1);
    GST_BUFFER_OFFSET(buffer) = GST_BUFFER_OFFSET_END(buffer) = GST_BUFFER_OFFSET_NONE;
    GST_BUFFER_FLAG_UNSET(buffer, GST_BUFFER_FLAG_DISCONT);
    input_.frames.emplace_back(buffer);
    progress_(input_.frames.size());
  }

  Input take() { return std::move(input_); }
  bool empty() const { return input_.frames.empty(); }

 private:
  static std::string describe(const GstVideoInfo& info) {
    return std::to_string(info.width) + "x" + std::to_string(info.height) + " " +
           gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(&info));
  }

  static std::size_t memoryLimit() {
    return static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) *
           static_cast<std::size_t>(sysconf(_SC_PAGE_SIZE)) / 2;
  }

  void start(const GstVideoInfo& info) {
    decoded_ = info;
    input_.sourceSize = {info.width, info.height};
    input_.info = info;
    if (scale_ == 1) return;
    const auto scaled = [this](int side) {
      return std::max(1U, static_cast<unsigned>(std::lround(side * scale_)));
    };
    gst_video_info_set_interlaced_format(&input_.info, GST_VIDEO_INFO_FORMAT(&info),
                                         GST_VIDEO_INFO_INTERLACE_MODE(&info), scaled(info.width),
                                         scaled(info.height));
    input_.info.colorimetry = info.colorimetry;
    input_.info.chroma_site = info.chroma_site;
    input_.info.fps_n = info.fps_n;
    input_.info.fps_d = info.fps_d;
    converter_.reset(gst_video_converter_new(&decoded_, &input_.info, nullptr));
    if (!converter_) throw Error("--scale", "GStreamer can't resize " + describe(info));
  }

  GstBuffer* resize(GstBuffer* from) {
    GstBuffer* to = gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&input_.info), nullptr);
    GstVideoFrame source, target;
    gst_video_frame_map(&source, &decoded_, from, GST_MAP_READ);
    gst_video_frame_map(&target, &input_.info, to, GST_MAP_WRITE);
    gst_video_converter_frame(converter_.get(), &source, &target);
    gst_video_frame_unmap(&target);
    gst_video_frame_unmap(&source);
    return to;
  }

  std::size_t limit_;
  double scale_;
  const Progress& progress_;
  GstVideoInfo decoded_{};
  Input input_{};
  gst::Ref<GstVideoConverter> converter_;
};

/** Throws the pipeline's error, if there is one. */
void throwOnError(GstElement* pipeline, const std::string& path) {
  const gst::Ref<GstBus> bus(gst_element_get_bus(pipeline));
  const gst::Ref<GstMessage> message(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR));
  if (!message) return;
  GError* error = nullptr;
  gst_message_parse_error(message.get(), &error, nullptr);
  throw Error(path, "can't be decoded: " + takeReason(error));
}

void decodeFile(const std::string& path, Collector& frames) {
  const gst::Ref<GstElement> pipeline(
      gst_parse_launch("filesrc name=source ! decodebin ! videoconvert ! "
                       "videoflip video-direction=auto ! "
                       "appsink name=sink sync=false max-buffers=4 caps=\"" GST_ELF_VIDEO_CAPS "\"",
                       nullptr));
  if (!pipeline) throw Error(path, "can't be decoded: GStreamer's base plugins are not installed");
  const gst::Ref<GstElement> source(gst_bin_get_by_name(GST_BIN(pipeline.get()), "source"));
  const gst::Ref<GstElement> sink(gst_bin_get_by_name(GST_BIN(pipeline.get()), "sink"));
  g_object_set(source.get(), "location", path.c_str(), nullptr);
  struct Stop {
    GstElement* pipeline;
    ~Stop() { gst_element_set_state(pipeline, GST_STATE_NULL); }
  } const stop{pipeline.get()};
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  while (!frames.full()) {
    const gst::Ref<GstSample> sample(
        gst_app_sink_try_pull_sample(GST_APP_SINK(sink.get()), GST_SECOND));
    if (sample) {
      frames.add(sample.get(), path);
      continue;
    }
    throwOnError(pipeline.get(), path);
    if (gst_app_sink_is_eos(GST_APP_SINK(sink.get()))) return;
  }
}

bool isImage(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return ending == ".jpg" || ending == ".jpeg" || ending == ".png" || ending == ".bmp" ||
         ending == ".webp" || ending == ".ppm" || ending == ".pgm";
}

std::vector<std::string> imagesOfFolder(const std::string& folder) {
  std::vector<std::string> images;
  for (const fs::path& entry : entriesOf(folder))
    if (isImage(entry)) images.push_back(entry);
  if (images.empty()) throw Error(folder, "holds no image");
  return images;
}

/** A path with one number, such as `frames/%06d.png`. */
struct Pattern {
  std::string before;
  std::string after;
  std::size_t digits = 0;

  std::string path(int number) const {
    const std::string text = std::to_string(number);
    return before + std::string(digits > text.size() ? digits - text.size() : 0, '0') + text +
           after;
  }
};

Pattern parsePattern(const std::string& text) {
  const std::size_t percent = text.find('%');
  std::size_t at = percent + 1;
  Pattern pattern;
  if (at < text.size() && text[at] == '0') {
    ++at;
    const std::size_t first = at;
    while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) && at < first + 2)
      pattern.digits = pattern.digits * 10 + static_cast<std::size_t>(text[at++] - '0');
  }
  if (at >= text.size() || text[at] != 'd' || text.find('%', at) != std::string::npos)
    throw Error(text, "a pattern of images holds one number, written %d or %06d");
  pattern.before = text.substr(0, percent);
  pattern.after = text.substr(at + 1);
  return pattern;
}

std::vector<std::string> imagesOfPattern(const std::string& text) {
  const Pattern pattern = parsePattern(text);
  std::vector<std::string> images;
  std::error_code ignored;
  const int first = fs::exists(pattern.path(0), ignored) ? 0 : 1;
  for (int number = first; fs::exists(pattern.path(number), ignored); ++number)
    images.push_back(pattern.path(number));
  if (images.empty())
    throw Error(text, "there is neither " + pattern.path(0) + " nor " + pattern.path(1));
  return images;
}

}  // namespace

Input readInput(const std::string& path, int limit, double scale, const Progress& progress) {
  std::error_code ignored;
  std::vector<std::string> files;
  if (fs::is_directory(path, ignored))
    files = imagesOfFolder(path);
  else if (fs::exists(path, ignored))
    files = {path};
  else if (path.find('%') != std::string::npos)
    files = imagesOfPattern(path);
  else
    throw Error(path, "no such file or folder");

  gst::readOrientationOfPhotos();
  Collector frames(static_cast<std::size_t>(limit), scale, progress);
  for (const std::string& file : files)
    if (!frames.full()) decodeFile(file, frames);
  if (frames.empty()) throw Error(path, "holds no frame");
  return frames.take();
}

}  // namespace elf::bench
