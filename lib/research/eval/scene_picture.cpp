// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/eval/scene_picture.h"

#include <algorithm>
#include <filesystem>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "elf/base/error.h"
#include "elf/base/output_file.h"
#include "elf/base/printable.h"
#include "elf/render/colour.h"

namespace elf::eval {

namespace {

namespace fs = std::filesystem;

/** A kind of box: blue, green, red, width of its line, its name. */
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
constexpr int kGap = 10;
constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
constexpr double kFontScale = 0.5;

void outline(cv::Mat& picture, const Box& box, const cv::Scalar& colour, int thickness) {
  if (!box.finite()) return;
  // Far outside only the direction matters. OpenCV's fixed-point lines overflow there.
  const auto pixel = [](float side) { return cvRound(std::clamp(side, -10000.0F, 20000.0F)); };
  cv::rectangle(picture, {pixel(box.x0), pixel(box.y0)}, {pixel(box.x1) - 1, pixel(box.y1) - 1},
                colour, thickness);
}

void outline(cv::Mat& picture, const Box& box, const Kind& kind) {
  outline(picture, box, kind.colour(), kind.thickness);
}

int textWidth(const std::string& text) {
  int baseline = 0;
  return cv::getTextSize(text, kFont, kFontScale, 1, &baseline).width;
}

void write(cv::Mat& picture, const std::string& text, cv::Point baseline,
           const cv::Scalar& colour = cv::Scalar::all(255)) {
  cv::putText(picture, text, baseline, kFont, kFontScale, colour, 1, cv::LINE_AA);
}

/** The picture with a black band below. Extends to the right if the band needs more width. */
cv::Mat addBand(const cv::Mat& picture, int height, int width) {
  cv::Mat whole(picture.rows + height, std::max(picture.cols, width), CV_8UC3, cv::Scalar::all(0));
  picture.copyTo(whole(cv::Rect(0, 0, picture.cols, picture.rows)));
  return whole;
}

// --- Predictions against truth ---

void drawPrediction(cv::Mat& picture, const Scene& scene) {
  for (const Rp& rp : scene.rps)
    if (rp.box != rp.expected) outline(picture, rp.box, kPadded);
  for (const Box& box : scene.truth) outline(picture, box, kTruth);
  for (const Rp& rp : scene.rps) outline(picture, rp.expected, kPredicted);
}

cv::Mat addLegend(const cv::Mat& picture, const std::string& title) {
  constexpr int kLine = 24;
  int width = kGap + textWidth(title) + 2 * kGap;
  for (const Kind& kind : {kTruth, kPredicted, kPadded})
    width += kLine + kGap / 2 + textWidth(kind.name) + 2 * kGap;
  cv::Mat whole = addBand(picture, kBand, width);
  const int baseline = picture.rows + kBand - 11;
  int x = kGap;
  const auto add = [&](const std::string& text) {
    write(whole, text, {x, baseline});
    x += textWidth(text) + 2 * kGap;
  };
  add(title);
  for (const Kind& kind : {kTruth, kPredicted, kPadded}) {
    cv::line(whole, {x, baseline - 5}, {x + kLine, baseline - 5}, kind.colour(),
             kind.thickness + 1);
    x += kLine + kGap / 2;
    add(kind.name);
  }
  return whole;
}

// --- RPs, parts and the servers' times ---

cv::Scalar serverColour(std::size_t server) {
  const Colour colour = colourOf(static_cast<std::int64_t>(server));
  return {255 * colour.b, 255 * colour.g, 255 * colour.r};
}

/** Draws each part as a pane in its server's colour, and its RPs as outlines. RPs in no part are
 * white. */
void drawPlan(cv::Mat& picture, const Scene& scene) {
  constexpr double kTint = 0.25;
  constexpr int kPlate = 18;
  const std::vector<Part>& parts = scene.planned->plan.parts;
  for (const Part& part : parts) {
    cv::Mat pane = picture(cv::Rect(part.rect.x, part.rect.y, part.rect.width, part.rect.height));
    const cv::Mat colour(pane.size(), CV_8UC3, serverColour(static_cast<std::size_t>(part.server)));
    cv::addWeighted(pane, 1 - kTint, colour, kTint, 0, pane);
  }
  for (const Box& box : scene.truth) outline(picture, box, kTruth);
  std::vector<cv::Scalar> colours(scene.rps.size(), cv::Scalar::all(255));
  for (const Part& part : parts)
    for (const int rp : part.rps)
      colours[static_cast<std::size_t>(rp)] = serverColour(static_cast<std::size_t>(part.server));
  for (std::size_t i = 0; i < scene.rps.size(); ++i)
    outline(picture, scene.rps[i].box, colours[i], 1);
  for (const Part& part : parts)
    outline(picture, toBox(part.rect), serverColour(static_cast<std::size_t>(part.server)), 2);
  for (const Part& part : parts) {
    std::string name = std::to_string(part.server);
    if (part.scale < 1) name += " x" + formatNumber(part.scale, 2);
    // Above the part if there is room, so that small objects stay visible.
    const int top = part.rect.y >= kPlate ? part.rect.y - kPlate : part.rect.y;
    const cv::Rect plate(part.rect.x, top, textWidth(name) + kGap, kPlate);
    cv::rectangle(picture, plate, serverColour(static_cast<std::size_t>(part.server)), cv::FILLED);
    write(picture, name, {plate.x + kGap / 2, plate.y + 14}, cv::Scalar::all(0));
  }
}

/** Adds a bar for each server below the frame, in pieces for its parts. The longest fills the
 * width. */
cv::Mat addBars(const cv::Mat& picture, const Scene& scene, const std::string& title) {
  constexpr int kBar = 16, kRow = 24;
  const PlannedScene& planned = *scene.planned;
  const std::string words = title + "  " + std::to_string(scene.rps.size()) + " RPs in " +
                            std::to_string(planned.plan.parts.size()) + " parts, " +
                            formatNumber(100 * planned.plan.sentPixels() / scene.size.area(), 1) +
                            " % of the pixels sent, wait " + formatNumber(planned.plan.makespan, 3);
  const auto rows = static_cast<int>(planned.servers);
  cv::Mat whole = addBand(picture, kBand + kRow * rows, textWidth(words) + 2 * kGap);
  write(whole, words, {kGap, picture.rows + kBand - 11});
  const int left = kGap + textWidth("server 00") + kGap;
  const int most = whole.cols - left - textWidth("0.000") - 2 * kGap;
  for (std::size_t server = 0; server < planned.servers; ++server) {
    const int top = picture.rows + kBand + kRow * static_cast<int>(server);
    write(whole, "server " + std::to_string(server), {kGap, top + 12}, serverColour(server));
    double time = 0;
    const auto at = [&] { return left + cvRound(most * time / planned.plan.makespan); };
    for (std::size_t i = 0; i < planned.partTimes.size(); ++i) {
      if (static_cast<std::size_t>(planned.plan.parts[i].server) != server) continue;
      const int from = at();
      time += planned.partTimes[i];
      // A pixel short, so that the pieces can be told apart.
      cv::rectangle(whole, cv::Rect(from, top, std::max(1, at() - from - 1), kBar),
                    serverColour(server), cv::FILLED);
    }
    write(whole, formatNumber(time, 3), {at() + kGap / 2, top + 12});
  }
  return whole;
}

}  // namespace

SceneWriter::SceneWriter(SceneWriterOptions options) : options_(std::move(options)) {
  std::error_code error;
  fs::create_directories(options_.folder, error);
  if (error) throw Error(options_.folder, "can't be made: " + error.message());
  if (!options_.frames.empty()) frames_.emplace(options_.frames);
}

void SceneWriter::write(const Scene& scene) {
  if (seen_++ % options_.every != 0) return;
  cv::Mat picture(scene.size.height, scene.size.width, CV_8UC3, canvasColour());
  if (frames_) {
    const ImageView frame = frames_->read(scene.trace, scene.frame, scene.size);
    // Only read.
    auto* const pixels = const_cast<std::uint8_t*>(frame.planes[0]);
    cv::Mat(picture.size(), CV_8UC3, pixels, static_cast<std::size_t>(frame.strides[0]))
        .copyTo(picture);
  }
  std::string number = std::to_string(scene.frame);
  number.insert(0, 6 - std::min<std::size_t>(number.size(), 6), '0');
  const std::string file =
      (fs::path(options_.folder) / (scene.trace + "-" + number + ".png")).string();
  const std::string title = scene.trace + "  frame " + std::to_string(scene.frame);
  if (scene.planned) {
    drawPlan(picture, scene);
    picture = addBars(picture, scene, title);
  } else {
    drawPrediction(picture, scene);
    picture = addLegend(picture, title);
  }
  requireWritable(file);
  bool done = false;
  try {
    done = cv::imwrite(file, picture);
  } catch (const cv::Exception&) {
    // Falls through to the one error below.
  }
  if (!done) throw Error(file, "can't be written");
  ++written_;
}

}  // namespace elf::eval
