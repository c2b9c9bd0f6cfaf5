// SPDX-License-Identifier: LGPL-2.1-or-later
// The context `elf.servers`: the servers that all streams of a process share.
#pragma once

#include <gst/gst.h>

#include "elf/capacity/server_pool.h"

namespace elf::gst {

inline constexpr const char* kServersContext = "elf.servers";

/** A persistent context that holds the pool. The caller owns it. */
GstContext* newServersContext(const ServerPoolPtr& pool);
/** The pool that the context holds. Null for another context. */
ServerPoolPtr parseServersContext(const GstContext* context);

/**
 * The pool of the element's context `elf.servers`. An element without one takes the context of an
 * element downstream or upstream. Otherwise it posts need-context, which the application or a
 * surrounding bin may answer. Otherwise it makes a new pool and posts have-context. Call it with no
 * lock held. Two threads must not call it for the same element at once.
 */
ServerPoolPtr findServers(GstElement* element);

/** Answers a context query for `elf.servers` with the element's own context. False if it is another
 * query or the element has no context. */
bool answerServersQuery(GstElement* element, GstQuery* query);

}  // namespace elf::gst
