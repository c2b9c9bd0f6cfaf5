// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/decoders/decoder.h"

#include <algorithm>

namespace elf {

const cv::Mat* tensorNamed(const Tensors& tensors, std::string_view name) {
  const auto found = std::ranges::find(tensors, name, &NamedTensor::name);
  return found == tensors.end() ? nullptr : &found->values;
}

bool hasShape(const cv::Mat& tensor, std::initializer_list<int> shape) {
  return tensor.type() == CV_32F && tensor.isContinuous() &&
         std::equal(shape.begin(), shape.end(), tensor.size.p, tensor.size.p + tensor.dims,
                    [](int wanted, int is) { return is > 0 && (wanted == -1 || wanted == is); });
}

std::string describe(const Tensors& tensors) {
  std::string text;
  for (const NamedTensor& tensor : tensors) {
    text += (text.empty() ? "" : ", ") + tensor.name;
    for (int i = 0; i < tensor.values.dims; ++i)
      text += (i == 0 ? " " : "x") + std::to_string(tensor.values.size[i]);
  }
  return text;
}

Decoder decoderFor(OutputDecoder layout) {
  switch (layout) {
    case OutputDecoder::Yolox:
      return decodeYolox;
    case OutputDecoder::DarknetRegion:
      break;
  }
  return decodeDarknetRegion;
}

}  // namespace elf
