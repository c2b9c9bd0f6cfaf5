// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/render/letters.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <string>

namespace elf {

namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
// In the units of the font: above the baseline, below it, and how thick a stroke is, half of which
// sticks out on both sides.
constexpr double kAbove = 22;
constexpr double kBelow = 7;
constexpr double kStroke = 2.8;
constexpr int kFiner = 4;

}  // namespace

const Letters::Letter& Letters::letter(char c) {
  if (c < kFirst || c > kLast) c = ' ';
  Letter& letter = letters_[static_cast<std::size_t>(c - kFirst)];
  if (!letter.ink.empty()) return letter;

  const std::string text(1, c);
  const double scale = kFiner * height_ / (kAbove + kBelow + kStroke);
  const int stroke = std::max(1, static_cast<int>(std::lround(kStroke * scale)));
  // OpenCV adds the thickness, here 1, to the width.
  const int wide = cv::getTextSize(text, kFont, scale, 1, nullptr).width - 1;
  letter.advance = std::max(1, static_cast<int>(std::lround(static_cast<double>(wide) / kFiner)));
  const cv::Size size(letter.advance + 2 * kOverhang, height_);
  cv::Mat fine = cv::Mat::zeros(size * kFiner, CV_8UC1);
  const int baseline = static_cast<int>(std::lround((kAbove + kStroke / 2) * scale));
  cv::putText(fine, text, {kOverhang * kFiner, baseline}, kFont, scale, 255, stroke, cv::LINE_AA);
  letter.ink.resize(static_cast<std::size_t>(size.area()));
  cv::Mat ink(size, CV_8UC1, letter.ink.data());
  cv::resize(fine, ink, size, 0, 0, cv::INTER_AREA);
  return letter;
}

int Letters::width(std::string_view words) {
  int sum = 0;
  for (const char c : words) sum += letter(c).advance;
  return sum;
}

std::vector<std::uint8_t> Letters::drawn(std::string_view words) {
  const int width = this->width(words);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(width) *
                                   static_cast<std::size_t>(height_));
  int left = -kOverhang;
  for (const char c : words) {
    const Letter& letter = this->letter(c);
    const int side = letter.advance + 2 * kOverhang;
    const int from = std::max(0, -left);
    const int to = std::min(side, width - left);
    for (int y = 0; y < height_; ++y)
      for (int x = from; x < to; ++x) {
        std::uint8_t& pixel = pixels[static_cast<std::size_t>(y * width + left + x)];
        pixel = std::max(pixel, letter.ink[static_cast<std::size_t>(y * side + x)]);
      }
    left += letter.advance;
  }
  return pixels;
}

}  // namespace elf
