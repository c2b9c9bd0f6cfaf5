// SPDX-License-Identifier: LGPL-2.1-or-later
// Networks that run on each box that another model, the detector, finds.
#include <algorithm>
#include <opencv2/core.hpp>

#include "elf/base/printable.h"
#include "elf/decode/canvas.h"
#include "elf/decode/decoder.h"
#include "elf/server/backends.h"
#include "elf/server/checked_run.h"
#include "elf/server/network.h"

namespace elf {

namespace {

class StagedModel : public InferenceModel {
 public:
  StagedModel(const ModelFile& file, std::unique_ptr<InferenceModel> detector)
      : InferenceModel(file), detector_(std::move(detector)), network_(Network::open(file)) {
    // A network of another layout than the file states must fail now, not at the first request.
    const Size size = file.boxInput;
    Detection object;
    object.box = {0, 0, static_cast<float>(size.width), static_cast<float>(size.height)};
    const cv::Mat black(size.height, size.width, CV_8UC3, cv::Scalar::all(0));
    if (const std::string error = look(black, object); !error.empty())
      throw Error(network_.path(), error);
  }

  std::string platform() const override { return network_.info().platform; }
  std::string runtime() const override { return network_.info().runtime; }

  Answer run(const ImageView& bgr, const Placement& placement) override try {
    auto found = checkedRun(*detector_, bgr, placement);
    if (!found) return found;
    std::vector<Detection> detections;
    for (const Detection& seen : found.value()) {
      if (!wanted(seen)) continue;
      Detection object;
      object.box = seen.box;
      object.score = seen.score;
      object.labelId = seen.labelId;
      object.label = seen.label;
      if (const std::string error = look(matOf(bgr), object); !error.empty())
        return Answer::failure(name() + ": " + error);
      if (object.score >= rules().minScore) detections.push_back(std::move(object));
    }
    return detections;
  } catch (const cv::Exception& error) {
    return Answer::failure(name() + ": " + printable(error.what()));
  }

 private:
  bool wanted(const Detection& object) const {
    const std::vector<std::string>& labels = file().detectorLabels;
    // Joints of weak objects are not worth the time. Class networks give their own scores.
    if (file().decoder != OutputDecoder::Classes && object.score < rules().minScore) return false;
    return labels.empty() || std::ranges::find(labels, object.label) != labels.end();
  }

  /** Adds the network's output to `object`. Returns the fault, or an empty text. */
  std::string look(const cv::Mat& picture, Detection& object) {
    const Canvas canvas = Canvas::ofBox(picture, object.box, file().boxInput);
    const Result<Tensors> answer = network_.run(canvas.pixels());
    if (!answer) return answer.error();
    const Tensors& tensors = answer.value();
    if (file().decoder == OutputDecoder::Classes) {
      if (const auto best = decodeClasses(tensors)) {
        if (std::string wrong = wrongLabels(best->classes, rules().labels); !wrong.empty())
          return wrong;
        object.labelId = best->labelId;
        object.label = rules().label(best->labelId);
        object.score = best->score;
        return {};
      }
    } else if (const auto joints = file().decoder == OutputDecoder::SimCc
                                       ? decodeSimCc(tensors, canvas.size())
                                       : decodeHeatMaps(tensors, canvas.size());
               joints && std::cmp_equal(joints->size(), rules().keypoints)) {
      for (const Keypoint& joint : *joints) object.keypoints.push_back(canvas.toPicture(joint));
      return {};
    }
    return unexpected(tensors);
  }

  std::unique_ptr<InferenceModel> detector_;
  Network network_;
};

/** `file` with the rules that the detector's file left to its network. */
ModelFile withDetector(ModelFile file, const InferenceModel& detector) {
  const ModelRules& known = detector.rules();
  file.rules.fixedSize = known.fixedSize;
  file.rules.multipleOf = known.multipleOf;
  if (file.decoder != OutputDecoder::Classes) file.rules.labels = known.labels;
  requireDetectorLabels(file, known.labels);
  return file;
}

}  // namespace

std::unique_ptr<InferenceModel> createStagedModel(const ModelFile& file) {
  auto detector = InferenceModel::create(*file.detector);
  const ModelFile known = withDetector(file, *detector);
  return std::make_unique<StagedModel>(known, std::move(detector));
}

}  // namespace elf
