// SPDX-License-Identifier: LGPL-2.1-or-later
// A network file in a runtime: takes a picture or a batch, returns tensors. Not installed.
//
// OpenCV's session is part of this library. Those of ONNX Runtime and OpenVINO are separate modules
// that are loaded when a model asks for them.
#pragma once

#include <memory>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "elf/base/error.h"
#include "elf/decode/network_info.h"
#include "elf/decode/tensors.h"
#include "elf/model/model_file.h"

namespace elf {

/** Serves one thread at a time, not necessarily the one that made it. Uses one core. */
class Session {
 public:
  virtual ~Session() = default;

  const NetworkInfo& info() const { return info_; }

  /**
   * The output for `image`, FP32 N x 3 x H x W in the network's channel order and scale. A second
   * input of integers gets (W, H) N times. Returns FP32 tensors without gaps, valid until the next
   * call. Fails with one sentence.
   */
  virtual Result<Tensors> run(const cv::Mat& image) = 0;

 protected:
  explicit Session(NetworkInfo info) : info_(std::move(info)) {}
  NetworkInfo info_;
};

/**
 * Loads the files of `file`, whose backend must run network files. `onnx` means the best one
 * available. `files` are their full names. Throws elf::Error naming a file that cannot be loaded,
 * or the key of a backend, device or precision that is not available.
 */
std::unique_ptr<Session> openSession(const ModelFile& file, const std::vector<std::string>& files);

/**
 * Makes the module of OpenVINO use the library in `folder`, whatever the system or the build has.
 * Call it before anything else of this file. Throws elf::Error if the folder has no such library.
 */
void useOpenVinoIn(const std::string& folder);

/** Whether this build has the module of `backend`, and the module finds its runtime. */
struct RuntimeState {
  std::string backend;
  /** The runtime's version and devices, or why it cannot be used. */
  std::string state;
  bool usable = false;
};
std::vector<RuntimeState> listRuntimes();

}  // namespace elf
