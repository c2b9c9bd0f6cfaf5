// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/eval/scene_picture.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string_view>
#include <utility>

#include "elf/base/error.h"

namespace elf::eval {

namespace {

namespace fs = std::filesystem;

/** A kind of box: blue, green, red; width of its line; its name. */
struct Kind {
  int blue, green, red;
  int thickness;
  const char* name;

  cv::Scalar colour() const { return {double(blue), double(green), double(red)}; }
};
constexpr Kind kPadded{60, 170, 255, 1, "padded"};
constexpr Kind kTruth{90, 220, 90, 2, "truth"};
constexpr Kind kPredicted{70, 70, 255, 1, "predicted"};

const cv::Scalar canvasColour() {
  return {40, 40, 40};
}

constexpr int kBand = 32;
constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
constexpr double kFontScale = 0.5;

void outline(cv::Mat& picture, const Box& box, const Kind& kind) {
  if (!box.finite()) return;
  // Far outside only the direction matters; OpenCV's fixed-point lines overflow there.
  const auto pixel = [](float side) { return cvRound(std::clamp(side, -10000.0F, 20000.0F)); };
  cv::rectangle(picture, {pixel(box.x0), pixel(box.y0)}, {pixel(box.x1) - 1, pixel(box.y1) - 1},
                kind.colour(), kind.thickness);
}

int textWidth(const std::string& text) {
  int baseline = 0;
  return cv::getTextSize(text, kFont, kFontScale, 1, &baseline).width;
}

/** The band below the picture; grows to the right where the frame is too narrow for it. */
cv::Mat addLegend(const cv::Mat& picture, const std::string& title) {
  constexpr int kLine = 24;
  constexpr int kGap = 10;
  int width = kGap + textWidth(title) + 2 * kGap;
  for (const Kind& kind : {kTruth, kPredicted, kPadded})
    width += kLine + kGap / 2 + textWidth(kind.name) + 2 * kGap;
  cv::Mat whole(picture.rows + kBand, std::max(picture.cols, width), CV_8UC3, cv::Scalar::all(0));
  picture.copyTo(whole(cv::Rect(0, 0, picture.cols, picture.rows)));
  const int baseline = picture.rows + kBand - 11;
  int x = kGap;
  const auto write = [&](const std::string& text) {
    cv::putText(whole, text, {x, baseline}, kFont, kFontScale, cv::Scalar::all(255), 1,
                cv::LINE_AA);
    x += textWidth(text) + 2 * kGap;
  };
  write(title);
  for (const Kind& kind : {kTruth, kPredicted, kPadded}) {
    cv::line(whole, {x, baseline - 5}, {x + kLine, baseline - 5}, kind.colour(),
             kind.thickness + 1);
    x += kLine + kGap / 2;
    write(kind.name);
  }
  return whole;
}

bool isPicture(const fs::path& file) {
  std::string extension = file.extension();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array<std::string_view, 5> kExtensions = {".png", ".jpg", ".jpeg", ".ppm", ".bmp"};
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

}  // namespace

SceneWriter::SceneWriter(SceneWriterOptions options) : options_(std::move(options)) {
  std::error_code error;
  fs::create_directories(options_.folder, error);
  if (error) throw Error(options_.folder, "can't be made: " + error.message());
  if (!options_.frames.empty() && !fs::is_directory(options_.frames))
    throw Error(options_.frames, "is no folder");
}

const std::vector<std::string>& SceneWriter::picturesOf(const std::string& trace) {
  const auto [known, added] = pictures_.try_emplace(trace);
  std::vector<std::string>& pictures = known->second;
  if (!added) return pictures;
  fs::path folder = fs::path(options_.frames) / trace;
  if (fs::is_directory(folder / "img1")) folder /= "img1";
  if (!fs::is_directory(folder)) folder = options_.frames;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (isPicture(it->path())) pictures.push_back(it->path());
  if (error) throw Error(folder, "can't be read: " + error.message());
  std::sort(pictures.begin(), pictures.end());
  return pictures;
}

void SceneWriter::write(const Scene& scene) {
  if (seen_++ % options_.every != 0) return;
  cv::Mat picture(scene.size.height, scene.size.width, CV_8UC3, canvasColour());
  if (!options_.frames.empty()) {
    const std::vector<std::string>& pictures = picturesOf(scene.trace);
    const auto index = static_cast<std::size_t>(scene.frame);
    if (index >= pictures.size())
      throw Error(options_.frames,
                  "has no picture of frame " + std::to_string(scene.frame) + " of " + scene.trace);
    cv::Mat frame = cv::imread(pictures[index], cv::IMREAD_COLOR);
    if (frame.empty()) throw Error(pictures[index], "is no picture that can be read");
    cv::resize(frame, picture, picture.size(), 0, 0, cv::INTER_AREA);
  }
  for (const Rp& rp : scene.rps)
    if (rp.box != rp.expected) outline(picture, rp.box, kPadded);
  for (const Box& box : scene.truth) outline(picture, box, kTruth);
  for (const Rp& rp : scene.rps) outline(picture, rp.expected, kPredicted);

  std::string number = std::to_string(scene.frame);
  number.insert(0, 6 - std::min<std::size_t>(number.size(), 6), '0');
  const std::string file =
      (fs::path(options_.folder) / (scene.trace + "-" + number + ".png")).string();
  const std::string title = scene.trace + "  frame " + std::to_string(scene.frame);
  bool done = false;
  try {
    done = cv::imwrite(file, addLegend(picture, title));
  } catch (const cv::Exception&) {
    // Falls through to the one error below.
  }
  if (!done) throw Error(file, "can't be written");
  ++written_;
}

}  // namespace elf::eval
