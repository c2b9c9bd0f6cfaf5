// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/passwords.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace elf {
namespace {

TEST(WithoutPasswords, HidesThoseOfUrls) {
  for (const auto& [text, shown] : {
           std::pair<std::string, std::string>{"rtsp://me:secret@10.0.0.5/stream",
                                               "rtsp://***@10.0.0.5/stream"},
           {"Could not open \"rtsp://me:secret@cam:554\", and http://me@b/.",
            "Could not open \"rtsp://***@cam:554\", and http://***@b/."},
           // These should have been encoded.
           {"rtsp://me:se@cr@et@cam/x", "rtsp://***@cam/x"},
           {"rtsp://me:se/cr/et@cam/x", "rtsp://***@cam/x"},
           {"rtsp://me:se?cr#et@cam", "rtsp://***@cam"},
           {"rtsp://me:se\"cr'et@cam", "rtsp://***@cam"},
           {"http://a:80,http://me:secret@b:80/", "http://***@b:80/"},
           {"rtsp://cam/user=admin_password=secret_channel=1",
            "rtsp://cam/user=admin_password=***"},
           {"http://cam/x?PWD=secret&fps=5", "http://cam/x?PWD=***&fps=5"},
       })
    EXPECT_EQ(withoutPasswords(text), shown);
}

TEST(WithoutPasswords, LeavesTheRestAsItIs) {
  for (const char* text :
       {"", "://", "no URL: a@b", "http://127.0.0.1:8000/v2/a@b", "http://[::1]:8000/a@b",
        "rtsp://cam:554/x at me@b", "file:///home/me@work/x.mp4", "token-file=/etc/elf/token"})
    EXPECT_EQ(withoutPasswords(text), text);
}

}  // namespace
}  // namespace elf
