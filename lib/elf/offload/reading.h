// SPDX-License-Identifier: LGPL-2.1-or-later
// What a reply to an inference request turned out to be. Not installed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "elf/client/transport.h"
#include "elf/model/model_rules.h"
#include "elf/model/tensor_names.h"
#include "elf/record/frame_record.h"

namespace elf {

/** What an HTTP reply other than 200 says, short enough for a message. */
std::string reason(const HttpReply& reply);

struct Reading {
  /** Empty where the reply is good. */
  std::string error;
  std::vector<Detection> detections;
  /** The server's own account; unset where it gave none. */
  std::optional<Microseconds> queue, decode, infer;

  /** Of the reply to the request `id` about a picture of `sent` pixels. Trusts nothing. */
  Reading(const HttpReply& reply, const std::string& id, const ModelRules& rules,
          const TensorNames& names, Size sent);
};

}  // namespace elf
