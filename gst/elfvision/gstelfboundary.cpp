// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfboundary.h"

namespace elf::gst {

void postError(GstElement* element, const std::exception& error) {
  if (dynamic_cast<const Error*>(&error)) {
    GST_ELEMENT_ERROR(element, RESOURCE, SETTINGS, ("%s", error.what()), (nullptr));
  } else {
    GST_ELEMENT_ERROR(element, CORE, FAILED, (nullptr), ("exception: %s", error.what()));
  }
}

}  // namespace elf::gst
