// SPDX-License-Identifier: LGPL-2.1-or-later
// A server of others, in this process: runs an ONNX file as it is and knows nothing of Elf.
#pragma once

#include <glib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <opencv2/core.hpp>
#include <string>
#include <utility>
#include <vector>

#include "elf/base/half.h"
#include "elf/model/model_file.h"
#include "elf/runtime/session.h"
#include "tests/support/stub_server.h"

namespace elf::testing {

/** The network of tests/networks/blob_network.py, for pictures of kBlobSide. */
inline constexpr int kBlobSide = 160;
inline std::string blobNetwork() {
  return std::string(g_getenv("ELF_TEST_BUILD_ROOT")) + "/tests/networks/blob.onnx";
}

/** What such a server wants pictures to be. */
struct NetworkServerOptions {
  /** Of input and outputs; the network sees values of UINT8 divided by 255. */
  wire::DataType type = wire::DataType::Fp32;
  bool channelsLast = false;
  /** Whether its metadata tell of the tensors. */
  bool tells = true;
  /** Whether answers are binary; where not, requests are refused that are. */
  bool binary = true;
};

class NetworkServer {
 public:
  using Options = NetworkServerOptions;

  explicit NetworkServer(const std::string& file, Options options = {})
      : options_(options), session_(openSession(modelOf(file), {file})) {
    server_.modelMetadata = options.tells ? described() : R"({"name":"blob","inputs":[]})";
    server_.serverMetadata = options.binary
                                 ? R"({"name":"other","extensions":["binary_tensor_data"]})"
                                 : R"({"name":"other","extensions":[]})";
  }

  std::string url() const { return server_.url(); }

 private:
  static ModelFile modelOf(const std::string& file) {
    ModelFile model;
    model.name = "blob";
    model.path = file;
    model.files = {file};
    model.backend = ModelBackend::Onnx;
    model.rules.fixedSize = {kBlobSide, kBlobSide};
    return model;
  }

  std::string described() const {
    wire::ModelMetadata metadata{.name = "blob", .platform = "onnxruntime_onnx"};
    const std::int64_t side = kBlobSide;
    metadata.inputs.push_back({"images", options_.type,
                               options_.channelsLast ? std::vector{-1L, side, side, 3L}
                                                     : std::vector{-1L, 3L, side, side}});
    const wire::DataType output =
        options_.type == wire::DataType::Uint8 ? wire::DataType::Fp32 : options_.type;
    metadata.outputs.push_back({"output0", output, {-1, 6, 525}});
    return wire::encodeMetadata(metadata);
  }

  StubServer::Reply infer(const wire::InferRequest& request) const {
    const wire::Tensor& image = request.inputs.at(0);
    if (image.type != options_.type) return {.status = 400};
    if (!options_.binary && image.binary) return {.status = 500};
    const auto tensors = session_->run(pictureOf(image));
    if (!tensors) return {.status = 500};
    wire::InferResponse response{.model = "blob", .id = request.id};
    for (const NamedTensor& tensor : tensors.value()) {
      wire::Tensor output{.name = tensor.name, .type = options_.type};
      if (output.type == wire::DataType::Uint8) output.type = wire::DataType::Fp32;
      output.binary = options_.binary;
      output.shape.assign(tensor.values.size.p, tensor.values.size.p + tensor.values.dims);
      for (std::size_t i = 0; i < tensor.values.total(); ++i) {
        const float value = tensor.values.ptr<float>()[i];
        const std::uint16_t half = floatToHalf(value);
        const bool isHalf = output.type == wire::DataType::Fp16;
        const auto* const from = isHalf ? reinterpret_cast<const std::uint8_t*>(&half)
                                        : reinterpret_cast<const std::uint8_t*>(&value);
        output.data.insert(output.data.end(), from, from + wire::elementSize(output.type));
      }
      response.outputs.push_back(std::move(output));
    }
    const wire::Message message = wire::encode(response);
    return {200, message.body, message.jsonLength ? std::to_string(*message.jsonLength) : ""};
  }

  /** FP32, 1 x 3 x H x W. */
  cv::Mat pictureOf(const wire::Tensor& image) const {
    const std::vector<int> shape{1, 3, kBlobSide, kBlobSide};
    cv::Mat picture(shape, CV_32F);
    constexpr std::size_t kPlane = std::size_t{kBlobSide} * kBlobSide;
    for (std::size_t i = 0; i < picture.total(); ++i) {
      const std::size_t from = options_.channelsLast ? i % kPlane * 3 + i / kPlane : i;
      picture.ptr<float>()[i] = valueAt(image, from);
    }
    return picture;
  }

  static float valueAt(const wire::Tensor& image, std::size_t at) {
    if (image.type == wire::DataType::Uint8) return static_cast<float>(image.data.at(at)) / 255;
    if (image.type == wire::DataType::Fp16) {
      std::uint16_t half = 0;
      std::memcpy(&half, image.data.data() + at * sizeof(half), sizeof(half));
      return halfToFloat(half);
    }
    float value = 0;
    std::memcpy(&value, image.data.data() + at * sizeof(value), sizeof(value));
    return value;
  }

  const Options options_;
  std::unique_ptr<Session> session_;
  // Its thread runs the session.
  StubServer server_{[this](const wire::InferRequest& request) { return infer(request); }};
};

}  // namespace elf::testing
