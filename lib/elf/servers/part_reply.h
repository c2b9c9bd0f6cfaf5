// SPDX-License-Identifier: LGPL-2.1-or-later
// What the reply to an inference request turned out to be.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "elf/client/inference_client.h"
#include "elf/model/tensor_names.h"
#include "elf/types/frame_record.h"
#include "elf/types/model_rules.h"

namespace elf {

class RemoteNetwork;

struct PartReply {
  /** Empty where the reply is good. */
  std::string error;
  std::vector<Detection> detections;
  /** The server's own account; unset where it gave none. */
  std::optional<Microseconds> queue, decode, infer;

  /** Of the reply about a picture of `sent` pixels, which was prepared for `network` if that is not
   * null. Trusts nothing. */
  PartReply(const InferenceReply& reply, const ModelRules& rules, const TensorNames& names,
            Size sent, const RemoteNetwork* network);
};

}  // namespace elf
