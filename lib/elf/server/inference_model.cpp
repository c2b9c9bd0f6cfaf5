// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/inference_model.h"

#include <algorithm>
#include <utility>

#include "elf/decode/canvas.h"
#include "elf/decode/recognise.h"
#include "elf/merge/merge.h"
#include "elf/render/painter.h"
#include "elf/server/backends.h"

namespace elf {

std::unique_ptr<InferenceModel> InferenceModel::create(const ModelFile& file) {
  switch (file.backend) {
    case ModelBackend::Hog:
      return createHogModel(file);
    case ModelBackend::Library:
      return createLibraryModel(file);
    case ModelBackend::Onnx:
    case ModelBackend::OnnxRuntime:
    case ModelBackend::OpencvDnn:
    case ModelBackend::OpenVino:
      return file.detector ? createStagedModel(file) : createNetworkModel(file);
    case ModelBackend::Simulated:
      return createSimulatedModel(file);
    case ModelBackend::TorchScript:
      return createTorchModel(file);
    case ModelBackend::Remote:
      break;
  }
  throw Error(file.path + ": [model] backend", "is remote: another server runs this model");
}

Size trialSize(const ModelRules& rules) {
  return rules.fixedSize.empty() ? Size{320, 320} : rules.fixedSize;
}

std::array<cv::Mat, 2> trialPictures(Size size) {
  std::array<cv::Mat, 2> pictures;
  for (cv::Mat& picture : pictures) picture.create(size.height, size.width, CV_8UC3);
  pictures[0].setTo(cv::Scalar::all(kPadding));
  cv::RNG(1).fill(pictures[1], cv::RNG::UNIFORM, 0, 256);
  return pictures;
}

void tryOnce(InferenceModel& model, const std::string& weights) {
  const Size size = trialSize(model.rules());
  std::string why;
  for (const cv::Mat& picture : trialPictures(size)) {
    const auto result = model.run(viewOf(picture), {.frame = size});
    if (result) return;
    if (why.empty()) why = result.error();
  }
  throw Error(weights, why);
}

ModelFile withNotes(const ModelFile& file, const NetworkInfo& info, const std::string& weights) {
  ModelFile known = withInfo(file, info);
  if (const auto bad = badKey(known.rules))
    throw Error(weights, std::string("what it notes cannot be: ") + bad->key + " " + bad->why);
  return known;
}

ModelFile recognisedBy(const std::function<Result<ModelFile>(const Canvas&)>& look,
                       const ModelFile& file, const std::string& weights) {
  auto pictures = trialPictures(trialSize(file.rules));
  std::ranges::reverse(pictures);
  std::string why;
  for (const cv::Mat& picture : pictures) {
    auto known = look(Canvas::ofPicture(picture, file.rules));
    if (known) return std::move(known.value());
    if (why.empty()) why = known.error();
  }
  throw Error(weights, why);
}

std::vector<InferenceModel::Answer> InferenceModel::runBatch(
    std::span<const PlacedPicture> pictures) {
  std::vector<Answer> answers;
  for (const PlacedPicture& picture : pictures)
    answers.push_back(run(picture.bgr, picture.placement));
  return answers;
}

std::vector<Box> InferenceModel::extractRps(std::span<const Detection> result) const {
  std::vector<Box> boxes;
  for (const Detection& detection : result) boxes.push_back(detection.box);
  return boxes;
}

void InferenceModel::render(const MutableImageView& picture,
                            std::span<const Detection> result) const {
  FrameRecord record;
  record.size = picture.size;
  record.capacity = std::make_shared<const Capacity>(Capacity{.servers = {{}}, .rules = rules()});
  record.detections = {result.begin(), result.end()};
  // A colour for each, to tell neighbours apart.
  for (Identity id = 0; Detection & detection : record.detections)
    if (detection.id == kNoIdentity) detection.id = ++id;
  Painter().paint(record, {}, picture);
}

std::vector<Detection> InferenceModel::merge(std::span<const std::vector<Detection>> results,
                                             std::span<const Part> parts, Size frame) const {
  FrameRecord record;
  record.size = frame;
  record.plan = Plan{.parts = {parts.begin(), parts.end()}};
  for (const std::vector<Detection>& result : results)
    record.answers.push_back({.state = AnswerState::Answered, .detections = result});
  mergeAnswers(record);
  return std::move(record.detections);
}

}  // namespace elf
