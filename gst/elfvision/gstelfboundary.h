// SPDX-License-Identifier: LGPL-2.1-or-later
// The error boundary: no exception leaves a vfunc or a C callback.
#pragma once

#include <gst/gst.h>

#include <exception>
#include <string>
#include <utility>

#include "elf/base/error.h"

namespace elf::gst {

/** Posts one element error: RESOURCE/SETTINGS for an elf::Error, CORE/FAILED for any other
 * exception. */
void postError(GstElement* element, const std::exception& error);

/**
 * Runs `body` and returns its result. Turns an exception into one element error and then returns
 * `onError`. Takes no lock. Call it with no lock held: building a message takes the element's
 * object lock.
 */
template <typename Return, typename Body>
Return guarded(GstElement* element, Return onError, Body&& body) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (const std::exception& error) {
    postError(element, error);
  }
  return onError;
}

/** For callbacks that return nothing. */
template <typename Body>
void guarded(GstElement* element, Body&& body) noexcept {
  guarded(element, false, [&] { return body(), true; });
}

}  // namespace elf::gst
