// SPDX-License-Identifier: LGPL-2.1-or-later
// The context `elf.servers`: what all streams of a process know together of their servers.
#pragma once

#include <gst/gst.h>

#include "elf/capacity/server_pool.h"

namespace elf::gst {

inline constexpr const char* kServersContext = "elf.servers";

/** A persistent context that holds the pool. The caller owns it. */
GstContext* newServersContext(const ServerPoolPtr& pool);
/** The pool that it holds; null for another context. */
ServerPoolPtr parseServersContext(const GstContext* context);

/**
 * The pool of the element's context `elf.servers`. Where it has none, it gets that of an element
 * downstream or upstream; else what the application or a bin around it sets on the message
 * need-context; else a new one, which the message have-context tells of. With no lock held; not
 * while another thread does the same for the same element.
 */
ServerPoolPtr findServers(GstElement* element);

/** Answers a context query for `elf.servers` with the element's own; false where it is another
 * query, or the element has none. */
bool answerServersQuery(GstElement* element, GstQuery* query);

}  // namespace elf::gst
