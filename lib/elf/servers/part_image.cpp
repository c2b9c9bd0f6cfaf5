// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/part_image.h"

#include <utility>

#include "elf/servers/remote_network.h"

namespace elf {

PartImage::PartImage(wire::Tensor image, const std::string& name) {
  image.name = name;
  add(std::move(image));
}

PartImage::PartImage(wire::Tensor prepared, Size sent, RemoteNetworkPtr network)
    : network_(std::move(network)) {
  add(std::move(prepared));
  for (wire::Tensor& other : network_->others(sent)) add(std::move(other));
}

void PartImage::add(wire::Tensor tensor) {
  tensors_.push_back(std::make_shared<const wire::Tensor>(std::move(tensor)));
  binary_.push_back(wire::encode(tensors_.back(), true));
}

void PartImage::addJson() {
  for (const auto& tensor : tensors_) json_.push_back(wire::encode(tensor, false));
}

std::vector<wire::EncodedTensor> PartImage::tensors(bool binary, bool batched) const {
  std::vector<wire::EncodedTensor> tensors = binary ? binary_ : json_;
  if (batched && !network_ && !isRaw()) tensors[0] = wire::batchOfOne(tensors[0], *tensors_[0]);
  return tensors;
}

std::size_t PartImage::bytes(bool binary) const {
  std::size_t bytes = 0;
  if (binary)
    for (const auto& tensor : tensors_) bytes += tensor->data.size();
  else
    for (const wire::EncodedTensor& tensor : json_) bytes += tensor.json->size();
  return bytes;
}

}  // namespace elf
