// SPDX-License-Identifier: LGPL-2.1-or-later
// A network file that a runtime runs, given pictures as its .model file says. Not installed.
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
  /** openSession(), and its errors. What `file` leaves open is as withConvention() says. */
  static Network open(const ModelFile& file);
  /** A session that is open already; `path` is what errors name. */
  Network(const ModelFile& file, std::string path, std::unique_ptr<Session> session);

  /** From now on pictures are given as `file` says. */
  void prepareAs(const ModelFile& file);

  const NetworkInfo& info() const { return session_->info(); }
  /** The weight file that errors name. */
  const std::string& path() const { return path_; }

  /**
   * What it says about a BGR picture of a size that it takes. The tensors are valid until the next
   * call. Fails with a sentence that tells the size where the runtime cannot run it.
   */
  Result<Tensors> run(const cv::Mat& bgr);

  /**
   * run() of each of several pictures of one size, at once, in their order. Only after
   * tryBatch().
   */
  Result<std::vector<Tensors>> runBatch(std::span<const cv::Mat> bgr);
  /** Throws elf::Error where the network says of two pictures of that size, run at once, anything
   * else than of each. */
  void tryBatch(Size size);

 private:
  ModelFile file_;
  std::string path_;
  std::unique_ptr<Session> session_;
  /** How many dimensions each output has for one picture. */
  std::vector<int> dimensions_;
};

}  // namespace elf
