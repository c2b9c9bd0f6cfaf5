// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/render/letters.h"

#include <glib.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "elf/base/printable.h"

namespace elf {

namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
// In the units of the font: above the baseline, below it, and the width of a stroke, half of which
// extends on both sides.
constexpr double kAbove = 22;
constexpr double kBelow = 7;
constexpr double kStroke = 2.8;
constexpr double kHeight = kAbove + kBelow + kStroke;
constexpr int kFiner = 4;

bool isAscii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/** Empty if `text` is not UTF-8. */
std::string oneLine(std::string_view text, std::size_t most) {
  constexpr gunichar kNonJoiner = 0x200c, kJoiner = 0x200d;
  std::string line;
  for (std::size_t count = 0; count < most && !text.empty(); ++count) {
    const gunichar letter =
        g_utf8_get_char_validated(text.data(), static_cast<gssize>(text.size()));
    if (!g_unichar_validate(letter)) return {};
    char bytes[6];
    const auto length = static_cast<std::size_t>(g_unichar_to_utf8(letter, bytes));
    const bool shown = g_unichar_isprint(letter) || letter == kNonJoiner || letter == kJoiner;
    line += shown ? text.substr(0, length) : " ";
    text.remove_prefix(length);
  }
  return line;
}

}  // namespace

std::string Letters::drawable(std::string_view text, std::size_t most) {
  std::string line = oneLine(text, most);
  return !line.empty() && (isAscii(line) || script(line)) ? line : printable(text, most);
}

const Ink* Letters::script(std::string_view words) {
  if (isAscii(words)) return nullptr;
  if (!script_)
    script_ = createScript(
        height_, static_cast<int>(std::lround((kAbove + kStroke / 2) / kHeight * height_)));
  return script_ ? script_->drawn(std::string(words)) : nullptr;
}

const Letters::Letter& Letters::letter(char c) {
  if (c < kFirst || c > kLast) c = ' ';
  Letter& letter = letters_[static_cast<std::size_t>(c - kFirst)];
  if (!letter.ink.empty()) return letter;

  const std::string text(1, c);
  const double scale = kFiner * height_ / kHeight;
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

int Letters::width(std::string_view name, std::string_view rest) {
  const Ink* ink = script(name);
  int sum = ink ? ink->width : 0;
  for (const std::string_view words : {ink ? "" : name, rest})
    for (const char c : words) sum += letter(c).advance;
  return sum;
}

std::vector<std::uint8_t> Letters::drawn(std::string_view name, std::string_view rest) {
  const int width = this->width(name, rest);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(width) *
                                   static_cast<std::size_t>(height_));
  int left = 0;
  // Ink beyond either end is left out.
  const auto add = [&](const std::uint8_t* ink, int side, int x0) {
    const int from = std::max(0, -x0), to = std::min(side, width - x0);
    for (int y = 0; y < height_; ++y, ink += side)
      for (int x = from; x < to; ++x) {
        std::uint8_t& pixel = pixels[static_cast<std::size_t>(y * width + x0 + x)];
        pixel = std::max(pixel, ink[x]);
      }
  };
  const Ink* ink = script(name);
  if (ink) {
    add(ink->pixels.data(), ink->width, 0);
    left = ink->width;
  }
  for (const std::string_view words : {ink ? "" : name, rest})
    for (const char c : words) {
      const Letter& letter = this->letter(c);
      add(letter.ink.data(), letter.advance + 2 * kOverhang, left - kOverhang);
      left += letter.advance;
    }
  return pixels;
}

}  // namespace elf
