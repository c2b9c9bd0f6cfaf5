// SPDX-License-Identifier: LGPL-2.1-or-later
// The picture of a part in its requests.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "elf/geometry/box.h"
#include "elf/wire/infer.h"

namespace elf {

class RemoteNetwork;
using RemoteNetworkPtr = std::shared_ptr<const RemoteNetwork>;

/** Encoded once, for all servers: copies share the bytes. */
class PartImage {
 public:
  PartImage() = default;
  /** `name` is the servers' name for the tensor. */
  PartImage(wire::Tensor image, const std::string& name);
  /** A picture of size `sent` that was prepared for a network. */
  PartImage(wire::Tensor prepared, Size sent, RemoteNetworkPtr network);

  /** Makes the tensors as JSON. For pixels this takes a while: do not hold a lock. */
  void addJson();
  bool hasJson() const { return !json_.empty(); }

  bool isRaw() const { return tensors_[0]->type == wire::DataType::Uint8; }
  /** The network that the picture is for; null if it is for a server that takes pictures. */
  const RemoteNetworkPtr& network() const { return network_; }
  /** For a server that takes tensors behind the JSON (`binary`), or inside it. `batched`: as in
   * ServerProfile. */
  std::vector<wire::EncodedTensor> tensors(bool binary, bool batched) const;
  /** Bytes of these; inside the JSON with names and shapes. */
  std::size_t bytes(bool binary) const;

 private:
  void add(wire::Tensor tensor);

  std::vector<std::shared_ptr<const wire::Tensor>> tensors_;
  RemoteNetworkPtr network_;
  std::vector<wire::EncodedTensor> binary_, json_;
};

}  // namespace elf
