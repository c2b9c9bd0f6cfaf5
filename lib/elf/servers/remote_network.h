// SPDX-License-Identifier: LGPL-2.1-or-later
// A network that a server of others runs as its exporter made it: which tensors it is given, and
// what its raw outputs mean. Not installed.
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

/** What a network is given. */
struct NetworkInputs {
  struct Input {
    std::string name;
    wire::DataType type = wire::DataType::Fp32;

    bool operator==(const Input&) const = default;
  };

  Input picture;
  TensorLayout layout = TensorLayout::Nchw;
  /** Takes the picture's width and height; without a name there is none. */
  Input sizes;

  bool operator==(const NetworkInputs&) const = default;
};

/** Never changes: any thread. */
class RemoteNetwork {
 public:
  using Ptr = std::shared_ptr<const RemoteNetwork>;

  /**
   * What the local `.model` file and a server's metadata say together; null where the server takes
   * pictures. The file may be of a network's backend, too: its server may be another one. Fails
   * with a sentence that lacks the URL in front where the two disagree or leave something open, and
   * then names the key that decides. Its decoder may be Auto: then only trial() may be sent.
   */
  static Result<Ptr> of(const ModelFile& file, const wire::ModelMetadata& metadata);

  /** A picture of noise, and its size. */
  wire::Tensor trial() const;
  Size trialSize() const;
  /**
   * The same network with what its answer to trial() tells: the decoder, and which outputs that
   * reads. Fails with a sentence that begins with `url` where the outputs are not those of the
   * decoder, or none or several might read them.
   */
  Result<Ptr> tried(const std::string& url, const wire::InferResponse& answer) const;

  /** What parts are cut by, and how large the network's own picture is. */
  const ModelRules& rules() const { return file_.rules; }
  const ModelFile& file() const { return file_; }
  /** Whether what is prepared for the one suits the other. */
  bool takesSame(const RemoteNetwork& other) const;
  /** Of a prepared picture, for each pixel of the network's own. */
  double bytesPerPixel() const;

  /** The tensor of a picture: rows of R, G, B without gaps. */
  wire::Tensor prepare(std::span<const std::uint8_t> rgb, Size size) const;
  /** What goes with that: its size, where the network wants to know it. */
  std::vector<wire::Tensor> others(Size sent) const;
  /** Those that are read; none where all are. */
  std::vector<wire::RequestedOutput> outputs(bool binary) const;
  /**
   * What is found, in pixels of the picture that was prepared, which was of size `sent`. Fails,
   * naming the output or the model, where the answer is not as tried() found it.
   */
  Result<std::vector<Detection>> read(const wire::InferResponse& answer, Size sent) const;

 private:
  RemoteNetwork(ModelFile told, NetworkInfo info, NetworkInputs inputs);

  Canvas canvasOf(Size sent) const { return Canvas::ofSize(sent, file_.rules, *file_.fit); }
  std::vector<std::string> outputsRead(const Tensors& tensors, Size canvas) const;

  /** Leaves open what the decoder decides. */
  ModelFile told_;
  /** Leaves nothing open but, perhaps, the decoder; the second one is of pictures in RGB. */
  ModelFile file_, rgbFile_;
  NetworkInfo info_;
  NetworkInputs inputs_;
};

}  // namespace elf
