// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/gst.h>
#include <gtest/gtest.h>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  // A forked scanner would run without the sanitizers' runtime.
  gst_registry_fork_set_enabled(FALSE);
  gst_init(&argc, &argv);
  return RUN_ALL_TESTS();
}
