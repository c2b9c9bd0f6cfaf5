// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/server_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace elf {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string kA = "http://10.0.0.1:1", kB = "http://10.0.0.2:2", kC = "http://10.0.0.3:3";
const std::string kName = "http://gpu:8000";

class ServerDirectoryTest : public ::testing::Test {
 protected:
  ServerDirectory::Change setUrls(std::vector<std::string> urls) {
    return directory_.setUrls(std::move(urls), now_, isBusy());
  }
  ServerDirectory::Change setAddresses(std::vector<std::string> addresses) {
    return directory_.setAddresses(kName, std::move(addresses), now_, isBusy());
  }
  /** The URLs of all servers by number; "-" where removed. */
  std::vector<std::string> servers() const {
    std::vector<std::string> urls;
    for (const auto& server : directory_.servers())
      urls.push_back(server.removed ? "-" : directory_.endpoints()[server.endpoint].address.url);
    return urls;
  }

  ServerDirectory directory_;
  ServerDirectory::Clock::time_point now_{1h};
  std::set<std::size_t> busy_;

 private:
  ServerDirectory::InUse isBusy() const {
    return [this](std::size_t endpoint) { return busy_.contains(endpoint); };
  }
};

TEST_F(ServerDirectoryTest, ServersOfOneUrlAreOneEndpoint) {
  const auto change = setUrls({kA, kB, kA});
  EXPECT_THAT(servers(), ElementsAre(kA, kB, kA));
  EXPECT_THAT(change.added, ElementsAre(0, 1));
  EXPECT_THAT(change.servers, ElementsAre(0, 1, 2));
  EXPECT_THAT(change.ready, ElementsAre(0, 1));
  EXPECT_THAT(change.lookUp, IsEmpty());
  EXPECT_EQ(directory_.servers()[2].endpoint, 0U);
  EXPECT_EQ(directory_.servers()[2].mention, 1);
  EXPECT_EQ(directory_.firstServer(1), 1);
}

TEST_F(ServerDirectoryTest, NumbersStayAndAreGivenAwayAfterAWhile) {
  setUrls({kA, kB});
  const auto change = setUrls({kB, kC});
  EXPECT_THAT(change.removed, ElementsAre(0));
  EXPECT_THAT(change.added, ElementsAre(2));
  EXPECT_THAT(servers(), ElementsAre("-", kB, kC));

  EXPECT_THAT(setUrls({kB, kC, kA}).added, ElementsAre(0)) << "its old number";
  setUrls({kB, kC});
  now_ += ServerDirectory::kKeptPlace;
  busy_ = {0};
  setUrls({kB, kC, "http://10.0.0.4:4"});
  EXPECT_EQ(servers().size(), 4U) << "an answer that names number 0 may still come";
  busy_.clear();
  setUrls({kB, kC, "http://10.0.0.4:4", "http://10.0.0.5:5"});
  EXPECT_THAT(servers(), ElementsAre("http://10.0.0.5:5", kB, kC, "http://10.0.0.4:4"));
}

TEST_F(ServerDirectoryTest, ANameIsReadyOnceItIsLookedUp) {
  const auto change = setUrls({kName, kA});
  EXPECT_THAT(change.lookUp, ElementsAre(kName));
  EXPECT_THAT(change.ready, ElementsAre(1));
  EXPECT_FALSE(directory_.lookedUp());
  EXPECT_THAT(setUrls({kName, kA}).lookUp, IsEmpty()) << "that is under way";
  EXPECT_THAT(setAddresses({}).ready, ElementsAre(0)) << "as it is, where it can't be looked up";
  EXPECT_TRUE(directory_.lookedUp());
  EXPECT_TRUE(directory_.isName(kName));
  setUrls({kA});
  EXPECT_FALSE(directory_.isName(kName));
  EXPECT_THAT(setAddresses({"10.0.0.9"}).added, IsEmpty()) << "nobody wants it any more";
}

TEST_F(ServerDirectoryTest, OneAddressIsTheNameAsItIs) {
  setUrls({kName});
  EXPECT_THAT(setAddresses({"10.0.0.7"}).added, IsEmpty());
  EXPECT_THAT(servers(), ElementsAre(kName));
}

TEST_F(ServerDirectoryTest, SeveralAddressesAreAnEndpointEach) {
  setUrls({kName});
  setAddresses({"10.0.0.7"});
  const auto change = setAddresses({"10.0.0.8", "10.0.0.7", "10.0.0.8", "fe80::1"});
  EXPECT_EQ(change.divided, std::optional<std::size_t>(0));
  EXPECT_THAT(change.removed, ElementsAre(0));
  EXPECT_THAT(change.added, ElementsAre(1, 2));
  EXPECT_THAT(change.ready, ElementsAre(1, 2));
  EXPECT_THAT(servers(), ElementsAre("-", "http://10.0.0.7:8000", "http://10.0.0.8:8000"));
  EXPECT_EQ(directory_.endpoints()[1].address.host, "gpu");

  EXPECT_THAT(setAddresses({}).removed, IsEmpty()) << "the name server is away";
  const auto fewer = setAddresses({"10.0.0.8"});
  EXPECT_THAT(fewer.removed, ElementsAre(1));
  EXPECT_EQ(fewer.divided, std::nullopt);
  EXPECT_THAT(servers(), ElementsAre("-", "-", "http://10.0.0.8:8000"));
}

TEST_F(ServerDirectoryTest, ANameOfIpv6AloneHasThoseAddresses) {
  setUrls({kName});
  setAddresses({"fe80::1", "fe80::2"});
  EXPECT_THAT(servers(), ElementsAre("http://[fe80::1]:8000", "http://[fe80::2]:8000"))
      << "who was never asked needs to keep no number";
}

}  // namespace
}  // namespace elf
