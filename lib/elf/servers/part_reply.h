// SPDX-License-Identifier: LGPL-2.1-or-later
// The parsed reply to an inference request.
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
  /** Empty if the reply is good. */
  std::string error;
  std::vector<Detection> detections;
  /** As the server reports them; unset if it does not. */
  std::optional<Microseconds> queue, decode, infer;

  /** Parses the reply about a picture of `sent` pixels, which was prepared for `network` if that is
   * not null. Trusts nothing. */
  PartReply(const InferenceReply& reply, const ModelRules& rules, const TensorNames& names,
            Size sent, const RemoteNetwork* network);
};

}  // namespace elf
