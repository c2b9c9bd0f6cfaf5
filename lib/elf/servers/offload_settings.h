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
  /** Base URLs; one may stand here several times and is then several servers on one endpoint. */
  std::vector<std::string> servers;
  std::string model;
  /** What holds while no server has told the rules of its model. */
  ModelRules localRules;
  /** Which version of the model; empty: the servers choose. */
  std::string version = {};
  TensorNames tensors = {};
  /**
   * Says of a network that a server of others runs what the server does not (elf/model/model_file.h
   * `sendsTensor`); one of backend `hog` says nothing, and all servers get pictures.
   */
  ModelFile network = {};
  /** Extra requests that parts which are late are worth, as a share of all; 0: none. */
  double hedging = 0.05;
  /** Of the jitter of pauses. */
  std::uint64_t seed = 1;
};

}  // namespace elf
