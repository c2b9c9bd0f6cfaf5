// SPDX-License-Identifier: LGPL-2.1-or-later
// What finds objects in one picture, whatever runs underneath: the interface of the paper's
// applications. How to bring one of your own: elf/server/model_library.h.
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

/** A picture, and where in a frame it lies: what InferenceModel::run() takes. */
struct PlacedPicture {
  ImageView bgr;
  Placement placement;
};

/**
 * One instance serves one thread at a time, also for what is const, and not always the thread that
 * made it: each worker thread owns one. How many threads OpenCV itself uses is set by the program
 * (cv::setNumThreads), never here.
 *
 * A result is a list of detections. elf-server sends what run() returns; elfmerge draws and merges
 * at the client, in the way of render() and merge() as they are here. A model that has others of
 * its own is asked for them by `elf-server --check` and by programs that embed it.
 */
class InferenceModel {
 public:
  /** What is found in one picture, or the sentence why that is not known. */
  using Answer = Result<std::vector<Detection>>;

  explicit InferenceModel(ModelFile file) : file_(std::move(file)) {}
  virtual ~InferenceModel() = default;
  InferenceModel(const InferenceModel&) = delete;
  InferenceModel& operator=(const InferenceModel&) = delete;

  /** Loads the files of `file` and tries them once. Throws elf::Error naming what is wrong. */
  static std::unique_ptr<InferenceModel> create(const ModelFile& file);

  const ModelFile& file() const { return file_; }
  const std::string& name() const { return file_.name; }
  const ModelRules& rules() const { return file_.rules; }
  /** As `GET /v2/models/NAME` says it, for instance "onnx". */
  virtual std::string platform() const = 0;
  /** What runs it, with version, device and precision; empty where nothing but itself does. */
  virtual std::string runtime() const { return {}; }

  /**
   * The objects in a picture of format BGR, not empty; boxes in its pixels, tight, clipped to it.
   * None is weaker than rules().minScore. Fails with one sentence where the network does.
   *
   * `placement` tells where the picture, which is inside `placement.frame`, was cut from. A model
   * whose rules are `placed` finds in a part what it finds there in the whole frame; others do not
   * look at it. A picture that is no part is placed in a frame of its own size.
   */
  virtual Answer run(const ImageView& bgr, const Placement& placement) = 0;

  /**
   * run() of each picture, in their order. All are of one size, and there are at most
   * file().maxBatch of them: elf-server gives a model that has more than one what waits for it
   * already. Here: one after the other. A model whose network takes several at once overrides it.
   */
  virtual std::vector<Answer> runBatch(std::span<const PlacedPicture> pictures);

  /**
   * Where the next frame is looked at: boxes in the pixels of the picture that `result` is about,
   * inside it. Here: the box of each object.
   */
  virtual std::vector<Box> extractRps(std::span<const Detection> result) const;

  /** Draws `result` into the picture that it is about. Here: with elf/render/painter.h. */
  virtual void render(const MutableImageView& picture, std::span<const Detection> result) const;

  /**
   * What a frame of that size holds, strongest first and in its pixels, from what run() found in
   * parts of it: `results` has one for each of `parts`, in their order, in the pixels of what
   * Part::sentSize() says. Here: with mergeAnswers() (elf/merge/merge.h).
   */
  virtual std::vector<Detection> merge(std::span<const std::vector<Detection>> results,
                                       std::span<const Part> parts, Size frame) const;

 private:
  ModelFile file_;
};

/** Whether this build has the backend `hog`, OpenCV's pedestrian detector. */
bool hasHog();

}  // namespace elf
