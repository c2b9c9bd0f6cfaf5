// SPDX-License-Identifier: LGPL-2.1-or-later
// What a reply to an inference request turned out to be. Not installed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "elf/client/transport.h"
#include "elf/model/tensor_names.h"
#include "elf/offload/remote_network.h"
#include "elf/types/frame_record.h"
#include "elf/types/model_rules.h"
#include "elf/wire/infer.h"

namespace elf {

/** What an HTTP reply other than 200 says, short enough for a message. */
std::string reason(const HttpReply& reply);

/** What answers the request `id`; of a server of others `rawOutputs` may come. Trusts nothing. */
Result<wire::InferResponse> responseTo(const HttpReply& reply, const std::string& id,
                                       bool rawOutputs);

struct ReadReply {
  /** Empty where the reply is good. */
  std::string error;
  std::vector<Detection> detections;
  /** The server's own account; unset where it gave none. */
  std::optional<Microseconds> queue, decode, infer;

  /** Of the reply to the request `id` about a picture of `sent` pixels, which was prepared for
   * `network` if that is not null. Trusts nothing. */
  ReadReply(const HttpReply& reply, const std::string& id, const ModelRules& rules,
            const TensorNames& names, Size sent, const RemoteNetwork* network);
};

}  // namespace elf
