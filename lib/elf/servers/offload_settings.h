// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "elf/model/model_file.h"
#include "elf/model/tensor_names.h"
#include "elf/types/model_rules.h"

namespace elf {

struct OffloadSettings {
  /** Base URLs. A URL that is listed several times makes several servers on one endpoint. */
  std::vector<std::string> servers;
  std::string model;
  /** The rules until a server has sent those of its model. */
  ModelRules localRules;
  /** Version of the model; empty: the servers choose. */
  std::string version = {};
  TensorNames tensors = {};
  /**
   * Completes what a third-party server states about its network (elf/model/model_file.h
   * `sendsTensor`). With backend `hog` it states nothing, and all servers get pictures.
   */
  ModelFile network = {};
  /** Most extra requests for late parts, as a share of all; 0: none. */
  double hedging = 0.05;
  /** For the jitter of pauses. */
  std::uint64_t seed = 1;
};

}  // namespace elf
