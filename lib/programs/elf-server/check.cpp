// SPDX-License-Identifier: LGPL-2.1-or-later
#include <chrono>
#include <iostream>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>

#include "elf/base/data_files.h"
#include "elf/base/error.h"
#include "elf/base/output_file.h"
#include "elf/base/printable.h"
#include "elf/decode/recognise.h"
#include "elf/server/backends.h"
#include "elf/server/image_decoder.h"
#include "elf/server/model_check.h"
#include "elf/wire/infer.h"
#include "programs/elf-server/tasks.h"

namespace elf::program {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

/** Bright shapes of several sizes and colours on grey. */
cv::Mat makePicture(const ModelRules& rules) {
  cv::Mat picture(std::max(480, rules.minSize.height), std::max(640, rules.minSize.width), CV_8UC3,
                  cv::Scalar::all(80));
  cv::rectangle(picture, {60, 80, 90, 180}, {240, 230, 220}, cv::FILLED);
  cv::ellipse(picture, {320, 140}, {70, 50}, 20, 0, 360, {90, 220, 250}, cv::FILLED);
  cv::circle(picture, {540, 360}, 60, {250, 200, 120}, cv::FILLED);
  cv::rectangle(picture, {300, 380, 40, 24}, {150, 250, 160}, cv::FILLED);
  return picture;
}

cv::Mat readPicture(const std::string& path) {
  ImageDecoder decoder;
  const std::string file = readFile(path);
  const auto view = decoder.decode(
      wire::encodedImage({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()}));
  if (!view) throw Error(path, view.error());
  return matOf(view.value()).clone();
}

void draw(const InferenceModel& model, cv::Mat picture, const ModelCheck& check,
          const std::string& output) {
  model.render({.format = PixelFormat::BGR,
                .size = {picture.cols, picture.rows},
                .planes = {picture.data},
                .strides = {static_cast<int>(picture.step)}},
               check.found);
  try {
    if (cv::imwrite(output, picture)) return;
  } catch (const cv::Exception&) {
    // It does not state the reason.
  }
  throw Error(output, "cannot be written as a picture");
}

std::string text(Size size) {
  return std::to_string(size.width) + "x" + std::to_string(size.height);
}

std::string milliseconds(microseconds time) {
  return formatNumber(static_cast<double>(time.count()) / 1000, 1) + " ms";
}

void print(const ModelCheck& check, const ModelFile& file) {
  const ModelRules& rules = file.rules;
  std::cout << "times: first " << milliseconds(check.first) << ", median of " << kCheckedRuns << ' '
            << milliseconds(check.median);
  if (file.maxBatch > 1)
    std::cout << ", in a batch of " << file.maxBatch << ' ' << milliseconds(check.batched)
              << " a picture";
  std::cout << "\nfound: " << check.found.size() << '\n';
  for (const Detection& detection : check.found) {
    std::cout << "  " << printable(rules.label(detection.labelId)) << ' '
              << formatNumber(detection.score, 3);
    for (const float corner :
         {detection.box.x0, detection.box.y0, detection.box.x1, detection.box.y1})
      std::cout << ' ' << formatNumber(corner, 1);
    if (detection.mask)
      std::cout << ", mask of " << formatNumber(detection.mask->area(), 0) << " pixels";
    if (!detection.keypoints.empty())
      std::cout << ", " << std::ranges::count_if(detection.keypoints, isSeen) << " of "
                << detection.keypoints.size() << " joints seen";
    if (detection.rotated) std::cout << ", angle " << formatNumber(detection.rotated->angle, 2);
    std::cout << '\n';
  }
  std::cout << "parts:";
  for (const Part& part : check.parts)
    std::cout << ' ' << text(part.rect.size()) << '+' << part.rect.x << '+' << part.rect.y;
  std::cout << "\nmerged: " << check.merged.size() << ", agrees with the whole by F1 "
            << formatNumber(check.f1, 3);
  if (check.pairs > 0) {
    std::cout << ", IoU of boxes " << formatNumber(check.boxIou, 3);
    if (check.shapes.maskIou) std::cout << ", of masks " << formatNumber(*check.shapes.maskIou, 3);
    if (check.shapes.oks) std::cout << ", joints " << formatNumber(*check.shapes.oks, 3);
  }
  std::cout << '\n';
}

}  // namespace

void checkModel(const Options& options) {
  const std::string& picture = options.picture;
  requireWritable(options.output);
  const ModelFile file = loadModelFile(options.check);
  tryInChild(options.check, file, options);
  const auto start = Clock::now();
  const auto model = InferenceModel::create(file);
  const auto loaded = std::chrono::duration_cast<microseconds>(Clock::now() - start);
  const ModelRules& rules = model->rules();
  const cv::Mat bgr = picture.empty() ? makePicture(rules) : readPicture(picture);
  const Size size{bgr.cols, bgr.rows};
  std::cout << "model: " << printable(model->name()) << ", " << taskOf(rules) << ", "
            << model->platform() << ", loaded in " << milliseconds(loaded) << '\n';
  if (!model->runtime().empty())
    std::cout << "runtime: " << model->runtime() << "\ntaken for: " << describe(model->file())
              << '\n';
  std::cout << "picture: " << (picture.empty() ? "synthetic" : picture) << ", " << text(size)
            << ", computed as " << text(rules.inputSize(size)) << std::endl;
  const auto check = elf::checkModel(*model, viewOf(bgr));
  if (!check) throw Error("--check", check.error());
  print(check.value(), model->file());
  const std::string drawn = options.output.empty() ? model->name() + "-check.png" : options.output;
  draw(*model, bgr, check.value(), drawn);
  std::cout << "drawn: " << drawn << '\n';
}

}  // namespace elf::program
