// SPDX-License-Identifier: LGPL-2.1-or-later
// The paper's two networks, for training. createNet() makes them by name. Not installed.
#pragma once

#include <memory>

#include "research/train/trainable_net.h"

namespace elf::train {

std::shared_ptr<TrainableNet> createLstmNet();
std::shared_ptr<TrainableNet> createAttnLstmNet();

}  // namespace elf::train
