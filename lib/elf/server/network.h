// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs a network file in a runtime. Prepares pictures as its .model file states. Not installed.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "elf/base/error.h"
#include "elf/decode/tensors.h"
#include "elf/model/model_file.h"
#include "elf/runtime/session.h"

namespace elf {

/** Serves one thread at a time. */
class Network {
 public:
  /** openSession(), with its errors. withConvention() fills in what `file` leaves open. */
  static Network open(const ModelFile& file);
  /** Takes an open session. Errors name `path`. */
  Network(const ModelFile& file, std::string path, std::unique_ptr<Session> session);

  /** Prepares pictures as `file` states from now on. */
  void prepareAs(const ModelFile& file);

  const NetworkInfo& info() const { return session_->info(); }
  /** The weight file for errors. */
  const std::string& path() const { return path_; }

  /**
   * The outputs for a BGR picture of a size that the network accepts. The tensors are valid until
   * the next call. Fails with a sentence that states the size if the runtime cannot run it.
   */
  Result<Tensors> run(const cv::Mat& bgr);

  /** run() of several pictures of one size at once, in order. Only after tryBatch(). */
  Result<std::vector<Tensors>> runBatch(std::span<const cv::Mat> bgr);
  /** Throws elf::Error if the outputs for two pictures of that size, run at once, differ from those
   * of single runs. */
  void tryBatch(Size size);

 private:
  ModelFile file_;
  std::string path_;
  std::unique_ptr<Session> session_;
  /** The number of dimensions of each output for one picture. */
  std::vector<int> dimensions_;
};

}  // namespace elf
