// SPDX-License-Identifier: LGPL-2.1-or-later
// A network camera that a test can kill: usage: rtsp-camera PORT LAUNCH. Prints its URL.
#include <gst/gst.h>

#include <cstdio>
#include <cstdlib>

#include "tests/support/rtsp_server.h"

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  const elf::testing::RtspServer camera(argv[2], std::atoi(argv[1]));
  std::printf("%s\n", camera.url().c_str());
  std::fflush(stdout);
  std::getchar();
}
