// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/wire/tensor.h"

#include <array>
#include <utility>

namespace elf::wire {

namespace {

constexpr std::array<std::pair<std::string_view, std::size_t>, 15> kTypes{{{"BOOL", 1},
                                                                           {"UINT8", 1},
                                                                           {"UINT16", 2},
                                                                           {"UINT32", 4},
                                                                           {"UINT64", 8},
                                                                           {"INT8", 1},
                                                                           {"INT16", 2},
                                                                           {"INT32", 4},
                                                                           {"INT64", 8},
                                                                           {"FP16", 2},
                                                                           {"BF16", 2},
                                                                           {"FP32", 4},
                                                                           {"FP64", 8},
                                                                           {"BYTES", 0},
                                                                           {"unknown", 0}}};

}  // namespace

std::string_view toString(DataType type) {
  return kTypes[static_cast<std::size_t>(type)].first;
}

std::optional<DataType> dataTypeFromString(std::string_view name) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(DataType::Unknown); ++i)
    if (kTypes[i].first == name) return static_cast<DataType>(i);
  return std::nullopt;
}

std::size_t elementSize(DataType type) {
  return kTypes[static_cast<std::size_t>(type)].second;
}

}  // namespace elf::wire
