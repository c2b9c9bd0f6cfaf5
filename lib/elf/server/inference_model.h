// SPDX-License-Identifier: LGPL-2.1-or-later
// What finds objects in one picture, whatever runs underneath.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "elf/base/error.h"
#include "elf/image/image_view.h"
#include "elf/model/model_file.h"
#include "elf/record/detection.h"

namespace elf {

/**
 * One instance serves one thread at a time: each worker thread owns one. How many threads OpenCV
 * itself uses is set by the program (cv::setNumThreads), never here.
 */
class InferenceModel {
 public:
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

  /**
   * The objects in a picture of format BGR, not empty; boxes in its pixels, tight, clipped to it.
   * None is weaker than rules().minScore. Fails with one sentence where the network does.
   *
   * `placement` tells where the picture, which is inside `placement.frame`, was cut from. A model
   * whose rules are `placed` finds in a part what it finds there in the whole frame; others do not
   * look at it. A picture that is no part is placed in a frame of its own size.
   */
  virtual Result<std::vector<Detection>> run(const ImageView& bgr, const Placement& placement) = 0;

 private:
  ModelFile file_;
};

}  // namespace elf
