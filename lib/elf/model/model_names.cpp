// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/model/model_names.h"

#include <algorithm>

namespace elf {

namespace {

template <typename Enum>
std::string_view nameOf(Names<Enum> names, Enum value) {
  return std::ranges::find(names, value, &std::pair<const char*, Enum>::second)->first;
}

}  // namespace

std::string_view toString(ModelBackend backend) {
  return nameOf(kBackends, backend);
}

std::string_view toString(OutputDecoder decoder) {
  return nameOf(kDecoders, decoder);
}

std::string_view toString(TensorLayout layout) {
  return nameOf(kLayouts, layout);
}

std::string_view toString(PictureType type) {
  return nameOf(kPictureTypes, type);
}

}  // namespace elf
