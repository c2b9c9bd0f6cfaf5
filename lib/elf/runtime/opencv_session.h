// SPDX-License-Identifier: LGPL-2.1-or-later
// Networks in OpenCV's DNN module. Not installed.
#pragma once

#include "elf/runtime/session.h"

namespace elf {

/** openSession() of backend `opencv-dnn`: ONNX, Darknet, Caffe and TensorFlow files. */
std::unique_ptr<Session> openOpencvSession(const ModelFile& file,
                                           const std::vector<std::string>& files);

}  // namespace elf
