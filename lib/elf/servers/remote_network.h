// SPDX-License-Identifier: LGPL-2.1-or-later
// A network that a third-party server runs as its exporter made it: its input tensors, and the
// meaning of its raw outputs. Not installed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "elf/base/error.h"
#include "elf/decode/canvas.h"
#include "elf/decode/network_info.h"
#include "elf/geometry/box.h"
#include "elf/model/model_file.h"
#include "elf/types/detection.h"
#include "elf/wire/infer.h"
#include "elf/wire/metadata.h"

namespace elf {

/** The inputs of a network. */
struct NetworkInputs {
  struct Input {
    std::string name;
    wire::DataType type = wire::DataType::Fp32;

    bool operator==(const Input&) const = default;
  };

  Input picture;
  TensorLayout layout = TensorLayout::Nchw;
  /** Takes the picture's width and height; without a name if the network has no such input. */
  Input sizes;

  bool operator==(const NetworkInputs&) const = default;
};

/** Immutable, so any thread may use it. */
class RemoteNetwork {
 public:
  using Ptr = std::shared_ptr<const RemoteNetwork>;

  /**
   * The network that the local `.model` file and a server's metadata describe together; null if the
   * server takes pictures. The file may also have a network's own backend: its server may be
   * another one. Fails with a sentence without the URL if the two disagree or leave something open.
   * It then names the key that decides. The decoder may be Auto: then only trial() may be sent.
   */
  static Result<Ptr> of(const ModelFile& file, const wire::ModelMetadata& metadata);

  /** A picture of noise, and its size. */
  wire::Tensor trial() const;
  Size trialSize() const;
  /**
   * The same network with what its answer to trial() shows: the decoder, and which outputs that
   * reads. Fails with a sentence that begins with `url` if the outputs do not fit the decoder, or
   * if none or several decoders fit.
   */
  Result<Ptr> tried(const std::string& url, const wire::InferResponse& answer) const;

  /** The rules that parts are cut by, with the size of the network's own picture. */
  const ModelRules& rules() const { return file_.rules; }
  const ModelFile& file() const { return file_; }
  /** Whether a picture prepared for one suits the other. */
  bool takesSame(const RemoteNetwork& other) const;
  /** Bytes of a prepared picture, for each pixel of the network's own. */
  double bytesPerPixel() const;

  /** The tensor of a picture: rows of R, G, B without gaps. */
  wire::Tensor prepare(std::span<const std::uint8_t> rgb, Size size) const;
  /** The tensors beside that: its size, if the network takes it. */
  std::vector<wire::Tensor> others(Size sent) const;
  /** The outputs that are read; empty: all. */
  std::vector<wire::RequestedOutput> outputs(bool binary) const;
  /**
   * The detections, in pixels of the picture of size `sent` that was prepared. Fails, naming the
   * output or the model, if the answer is not as tried() found it.
   */
  Result<std::vector<Detection>> read(const wire::InferResponse& answer, Size sent) const;

 private:
  RemoteNetwork(ModelFile told, NetworkInfo info, NetworkInputs inputs);

  Canvas canvasOf(Size sent) const { return Canvas::ofSize(sent, file_.rules, *file_.fit); }
  std::vector<std::string> outputsRead(const Tensors& tensors, Size canvas) const;

  /** As described, without the decoder's choices. */
  ModelFile told_;
  /** Complete except, perhaps, for the decoder; the second one is for pictures in RGB. */
  ModelFile file_, rgbFile_;
  NetworkInfo info_;
  NetworkInputs inputs_;
};

}  // namespace elf
