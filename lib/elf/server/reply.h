// SPDX-License-Identifier: LGPL-2.1-or-later
// The server's replies. Not installed.
#pragma once

#include <libsoup/soup.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "elf/server/content_coding.h"

namespace elf {

struct Reply {
  guint status = SOUP_STATUS_OK;
  std::vector<std::uint8_t> body;
  /** Set if the body is JSON followed by tensors: the bytes of the JSON before any compression. */
  std::optional<std::size_t> jsonLength;
  std::string type = "application/json";
  /** Names and values of headers that do not follow from the other fields. */
  std::vector<std::pair<const char*, std::string>> headers;
  ContentCoding coding = ContentCoding::Plain;
};

Reply jsonReply(const std::string& text, guint status = SOUP_STATUS_OK);
/** `why` may hold text from a peer: only its printable part is shown. */
Reply errorReply(guint status, const std::string& why);

/** Compresses a body if it is large enough to gain by it. */
void compress(Reply& reply, ContentCoding accepted);

/** Makes it the message's response. Network thread only. */
void send(SoupServerMessage* message, Reply reply);

}  // namespace elf
