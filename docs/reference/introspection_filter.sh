#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Comments for GObject introspection as Doxygen reads them.
exec sed -E -e 's/^ \* (gst_[a-z_]+|GST_[A-Z_]+|Gst[A-Za-z]+):$/ */' -e 's/^ \* @([a-z_]+): /\ * \\param \1 /' \
  -e 's/^ \* @(GST_[A-Z_]+): / * - `\1`: /' -e 's/^ \* Returns: / * \\returns /' \
  -e 's/#(Gst[A-Z][A-Za-z]+)/\1/g' "$1"
