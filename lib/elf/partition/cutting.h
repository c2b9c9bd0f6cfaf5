// SPDX-License-Identifier: LGPL-2.1-or-later
// Rectangles that a model accepts, and the servers that infer them: what the partitioners share.
// Not installed.
#pragma once

#include <span>
#include <vector>

#include "elf/partition/partitioner.h"

namespace elf {

/**
 * The smallest rectangle around `wanted` that suits the model: grown by `rules.context`, at least
 * `minSize`, its origin a multiple of `align`, its sides multiples of `multipleOf`, as far as the
 * frame has room. Clipped to the frame and never empty.
 */
Rect cutFor(const Rect& wanted, const ModelRules& rules, Size frame);

/** Indices of the servers that may get parts: the healthy ones, or all where none is. */
std::vector<int> usableServers(const Capacity& capacity);

/**
 * Gives each part a server, the costliest part first, each to where it would be done first, and
 * sets plan.makespan. Parts keep their order.
 */
void assignServers(Plan& plan, const Capacity& capacity);

/** The usable server that would be done first with one more part. */
int idlestServer(const Plan& plan, const Part& part, const Capacity& capacity);

/** Sets plan.makespan from parts that have their server. */
void setMakespan(Plan& plan, const Capacity& capacity);

/** Lists in each part the RPs that lie wholly inside it, each RP in one part only. */
void listRps(Plan& plan, std::span<const Rp> rps, Size frame);

}  // namespace elf
