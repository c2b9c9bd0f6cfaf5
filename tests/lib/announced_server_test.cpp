// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/avahi/announced_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "elf/base/error.h"

namespace elf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::vector<std::string> kTxt{"proto=v2", "models=hog"};
constexpr std::int32_t kIpv4 = 0, kIpv6 = 1;

AnnouncedServer server(const std::string& address, std::uint16_t port = 8000) {
  return {.host = "gpu.local", .address = address, .port = port, .models = {"hog"}};
}

TEST(Txt, HoldsTheModels) {
  const auto txt = encodeTxt({"hog", "yolox-nano"}, false);
  EXPECT_THAT(txt, ElementsAre("proto=v2", "models=hog,yolox-nano"));
  const auto read = readAnnouncement("gpu.local", "10.0.0.1", 8000, txt);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->serves("hog"));
  EXPECT_TRUE(read->serves("yolox-nano"));
  EXPECT_FALSE(read->serves("yolox"));
  EXPECT_EQ(read->url(), "http://10.0.0.1:8000");
}

TEST(Txt, SaysThatThereIsTls) {
  EXPECT_THAT(encodeTxt({}, true), ElementsAre("proto=v2", "tls=1"));
  EXPECT_EQ(readAnnouncement("gpu.local", "fd00::1", 8000, encodeTxt({}, true))->url(),
            "https://[fd00::1]:8000");
}

TEST(Txt, IsSplitIntoStringsOf255Bytes) {
  std::vector<std::string> models;
  for (int i = 0; i < 100; ++i) models.push_back("network-" + std::to_string(i));
  const auto txt = encodeTxt(models, false);
  EXPECT_GT(txt.size(), 4U);
  for (const std::string& text : txt) EXPECT_LE(text.size(), 255U) << text;
  const auto read = readAnnouncement("gpu.local", "10.0.0.1", 8000, txt);
  for (const std::string& model : models) EXPECT_TRUE(read->serves(model)) << model;
  EXPECT_THAT(read->models, SizeIs(100));
}

TEST(Txt, EscapesNames) {
  const std::string odd = "a,b=\xc3\xa4 %";
  const auto read = readAnnouncement("gpu.local", "10.0.0.1", 8000, encodeTxt({odd}, false));
  EXPECT_TRUE(read->serves(odd));
  EXPECT_FALSE(read->serves("a"));
}

TEST(Txt, NamesAModelThatIsTooLong) {
  EXPECT_THROW(encodeTxt({std::string(250, 'x')}, false), Error);
  EXPECT_NO_THROW(encodeTxt({std::string(248, 'x')}, false));
}

TEST(Announcement, IsOfNoServerIfItCannotBeAsked) {
  const auto isRead = [](const std::string& host, const std::string& address, int port,
                         const std::vector<std::string>& txt = kTxt) {
    return readAnnouncement(host, address, static_cast<std::uint16_t>(port), txt).has_value();
  };
  EXPECT_TRUE(isRead("gpu.local", "10.0.0.1", 1));
  EXPECT_TRUE(isRead("gpu.local", "169.254.0.1", 1)) << "of a network without a router";
  EXPECT_FALSE(isRead("gpu.local", "10.0.0.1", 0));
  EXPECT_FALSE(isRead("gpu.local", "10.0.0.1", 1, {"proto=v3", "models=hog"}));
  EXPECT_FALSE(isRead("gpu.local", "10.0.0.1", 1, {}));
  for (const char* address :
       {"", "gpu", "127.0.0.1", "0.0.0.0", "::", "::1", "224.0.0.1", "fe80::1"})
    EXPECT_FALSE(isRead("gpu.local", address, 1)) << address;
  for (const std::string host :
       {"", "10.0.0.1", "fd00::1", "a b", "a\r\nX: y", "a/b", "-a", "\xff"})
    EXPECT_FALSE(isRead(host, "10.0.0.1", 1)) << host;
  EXPECT_FALSE(isRead(std::string(254, 'a'), "10.0.0.1", 1));
}

TEST(Announcement, AnyBytesAreNoModels) {
  const auto read =
      readAnnouncement("gpu.local", "10.0.0.1", 1,
                       {"proto=v2", "", "=", "models", "models=", "models=,,\xff\xfe,hog",
                        "modelsx=no", "models2=b"});
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->serves("hog"));
  EXPECT_TRUE(read->serves("b"));
  EXPECT_FALSE(read->serves("no"));
}

TEST(AnnouncedServersTest, AServiceIsOneServerWhereverItIsSeen) {
  AnnouncedServers seen;
  for (const std::int32_t interface : {3, 2})
    for (const std::int32_t protocol : {kIpv6, kIpv4})
      EXPECT_TRUE(seen.add({interface, protocol, "a"}));
  EXPECT_FALSE(seen.add({2, kIpv4, "a"})) << "it is known";
  EXPECT_THAT(seen.servers(), IsEmpty()) << "nobody knows where it is";
  seen.set({2, kIpv6, "a"}, server("fd00::2"));
  EXPECT_THAT(seen.servers(), ElementsAre(server("fd00::2")));
  seen.set({3, kIpv4, "a"}, server("10.0.3.1"));
  EXPECT_THAT(seen.servers(), ElementsAre(server("10.0.3.1"))) << "IPv4 counts more";
  seen.set({2, kIpv4, "a"}, server("10.0.2.1"));
  EXPECT_THAT(seen.servers(), ElementsAre(server("10.0.2.1"))) << "the first interface";
  seen.remove({2, kIpv4, "a"});
  EXPECT_THAT(seen.servers(), ElementsAre(server("10.0.3.1")));
}

TEST(AnnouncedServersTest, TwoNamesOfOneServerAreOneServer) {
  AnnouncedServers seen;
  for (const char* name : {"a", "b"}) {
    seen.add({2, kIpv4, name});
    seen.set({2, kIpv4, name}, server("10.0.0.1"));
  }
  EXPECT_THAT(seen.servers(), SizeIs(1));
}

TEST(AnnouncedServersTest, ThereAreNeverTooMany) {
  AnnouncedServers seen;
  for (int i = 0; i < 5000; ++i) {
    const AnnouncedServers::Place place{2, kIpv4, std::to_string(i)};
    EXPECT_EQ(seen.add(place), i < static_cast<int>(AnnouncedServers::kMostPlaces));
    seen.set(place, server("10.0.0.1", static_cast<std::uint16_t>(i + 1)));
  }
  EXPECT_THAT(seen.servers(), SizeIs(AnnouncedServers::kMostServers));
  seen.remove({2, kIpv4, "0"});
  EXPECT_TRUE(seen.add({2, kIpv4, "new"})) << "there is room again";
}

}  // namespace
}  // namespace elf
