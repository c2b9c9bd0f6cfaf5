// SPDX-License-Identifier: LGPL-2.1-or-later
// A model that finds objects in one picture: the interface of the paper's applications. To bring
// your own, see elf/server/model_library.h.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "elf/base/error.h"
#include "elf/image/image_view.h"
#include "elf/model/model_file.h"
#include "elf/types/detection.h"
#include "elf/types/plan.h"

namespace elf {

/** A picture and its place in a frame: the input of InferenceModel::run(). */
struct PlacedPicture {
  ImageView bgr;
  Placement placement;
};

/**
 * One instance serves one thread at a time, even with const functions. Each worker thread owns one,
 * which another thread may have made. The program sets the number of OpenCV's threads
 * (cv::setNumThreads), a model never does.
 *
 * A result is a list of detections. elf-server sends the result of run(). elfmerge draws and merges
 * at the client, as render() and merge() do here. Only `elf-server --check`, and programs that
 * embed a model, call its overrides of those.
 */
class InferenceModel {
 public:
  /** The detections in one picture, or a sentence that states the failure. */
  using Answer = Result<std::vector<Detection>>;

  explicit InferenceModel(ModelFile file) : file_(std::move(file)) {}
  virtual ~InferenceModel() = default;
  InferenceModel(const InferenceModel&) = delete;
  InferenceModel& operator=(const InferenceModel&) = delete;

  /** Loads the files of `file` and tries them once. Throws elf::Error naming the fault. */
  static std::unique_ptr<InferenceModel> create(const ModelFile& file);

  const ModelFile& file() const { return file_; }
  const std::string& name() const { return file_.name; }
  const ModelRules& rules() const { return file_.rules; }
  /** As `GET /v2/models/NAME` reports it, for instance "onnx". */
  virtual std::string platform() const = 0;
  /** The runtime with version, device and precision. Empty if the model needs none. */
  virtual std::string runtime() const { return {}; }

  /**
   * The objects in a picture of format BGR that is not empty. Boxes are in its pixels, tight and
   * clipped to it. No score is below rules().minScore. Fails with one sentence if the network
   * fails.
   *
   * `placement` states where in `placement.frame` the picture was cut. A model whose rules are
   * `placed` finds the same in a part as in that place of the whole frame. Other models ignore it.
   * A picture that is not a part is placed in a frame of its own size.
   */
  virtual Answer run(const ImageView& bgr, const Placement& placement) = 0;

  /**
   * run() of each picture, in order. All have one size, and there are at most file().maxBatch. If
   * that is more than one, elf-server passes the requests that wait already. The default runs one
   * after the other. Override it if the network can batch.
   */
  virtual std::vector<Answer> runBatch(std::span<const PlacedPicture> pictures);

  /**
   * The places to look at in the next frame: boxes inside the picture of `result`, in its pixels.
   * Default: the box of each object.
   */
  virtual std::vector<Box> extractRps(std::span<const Detection> result) const;

  /** Draws `result` into its picture. Default: elf/render/painter.h. */
  virtual void render(const MutableImageView& picture, std::span<const Detection> result) const;

  /**
   * The detections in a whole frame of size `frame`, strongest first and in its pixels, from those
   * that run() found in its parts. `results` has one list for each of `parts`, in order, in pixels
   * of Part::sentSize(). Default: mergeAnswers() (elf/merge/merge.h).
   */
  virtual std::vector<Detection> merge(std::span<const std::vector<Detection>> results,
                                       std::span<const Part> parts, Size frame) const;

 private:
  ModelFile file_;
};

/** Whether this build has the backend `hog`, OpenCV's pedestrian detector. */
bool hasHog();

}  // namespace elf
