// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/eval/frame_pictures.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string_view>
#include <utility>

#include "elf/base/error.h"
#include "elf/base/folder_entries.h"

namespace elf::eval {

namespace {

namespace fs = std::filesystem;

bool isPicture(const fs::path& file) {
  std::string extension = file.extension();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array<std::string_view, 5> kExtensions = {".png", ".jpg", ".jpeg", ".ppm", ".bmp"};
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

}  // namespace

FramePictures::FramePictures(std::string folder) : folder_(std::move(folder)) {
  if (!fs::is_directory(folder_)) throw Error(folder_, "not a folder");
}

const std::vector<std::string>& FramePictures::filesOf(const std::string& trace) {
  const auto [known, added] = files_.try_emplace(trace);
  std::vector<std::string>& files = known->second;
  if (!added) return files;
  fs::path folder = fs::path(folder_) / trace;
  if (fs::is_directory(folder / "img1")) folder /= "img1";
  if (!fs::is_directory(folder)) folder = folder_;
  for (const fs::path& entry : entriesOf(folder))
    if (isPicture(entry)) files.push_back(entry);
  return files;
}

ImageView FramePictures::read(const std::string& trace, std::int64_t frame, Size size) {
  const std::vector<std::string>& files = filesOf(trace);
  const auto index = static_cast<std::size_t>(frame);
  if (index >= files.size())
    throw Error(folder_, "has no picture of frame " + std::to_string(frame) + " of " + trace);
  const cv::Mat picture = cv::imread(files[index], cv::IMREAD_COLOR);
  if (picture.empty()) throw Error(files[index], "not a readable picture");
  constexpr int kBytes = 3;
  const int stride = kBytes * size.width;
  pixels_.resize(static_cast<std::size_t>(stride) * static_cast<std::size_t>(size.height));
  cv::Mat scaled(size.height, size.width, CV_8UC3, pixels_.data());
  cv::resize(picture, scaled, scaled.size(), 0, 0, cv::INTER_AREA);
  return {
      .format = PixelFormat::BGR, .size = size, .planes = {pixels_.data()}, .strides = {stride}};
}

}  // namespace elf::eval
