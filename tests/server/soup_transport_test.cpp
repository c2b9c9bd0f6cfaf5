// SPDX-License-Identifier: LGPL-2.1-or-later
// The transport against servers that break the rules of HTTP.
#include "elf/client/soup_transport.h"

#include <glib.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>

namespace elf {
namespace {

using testing::HasSubstr;

/** Serves one connection after the other, each as `serve` does it with the bare socket. */
class RawServer {
 public:
  using Serve = std::function<void(int socket, int number)>;

  explicit RawServer(Serve serve) : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    listen(listener_, 8);
    socklen_t size = sizeof(address);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this, serve = std::move(serve)] {
      for (int number = 0;; ++number) {
        const int socket = accept(listener_, nullptr, nullptr);
        if (socket < 0) return;
        serve(socket, number);
        close(socket);
      }
    });
  }
  ~RawServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }

  const std::string& url() const { return url_; }

  /** Reads a request without a body; false where the peer has hung up. */
  static bool readRequest(int socket) {
    std::string text;
    char block[1024];
    while (text.find("\r\n\r\n") == std::string::npos) {
      const ssize_t n = recv(socket, block, sizeof(block), 0);
      if (n <= 0) return false;
      text.append(block, static_cast<std::size_t>(n));
    }
    return true;
  }

  static bool write(int socket, const std::string& text) {
    return ::send(socket, text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }

 private:
  int listener_;
  std::string url_;
  std::thread thread_;
};

std::future<HttpReply> request(SoupTransport& transport, HttpRequest sent) {
  auto promise = std::make_shared<std::promise<HttpReply>>();
  std::future<HttpReply> reply = promise->get_future();
  transport.send(std::move(sent), [promise](HttpReply got) { promise->set_value(std::move(got)); });
  return reply;
}

std::future<HttpReply> get(SoupTransport& transport, const std::string& url) {
  return request(transport, {.url = url});
}

TEST(SoupTransport, LooksUpNames) {
  SoupTransport transport("test");
  const auto lookUp = [&](const std::string& host) {
    std::promise<std::vector<std::string>> found;
    transport.lookUp(
        host, [&](std::vector<std::string> addresses) { found.set_value(std::move(addresses)); });
    return found.get_future().get();
  };
  EXPECT_THAT(lookUp("localhost"), testing::Contains(testing::AnyOf("127.0.0.1", "::1")));
  EXPECT_TRUE(lookUp("name.invalid").empty());
}

/** The address of the system bus, as long as this lives. */
class BusAddress {
 public:
  explicit BusAddress(const std::string& address) {
    if (const char* before = g_getenv(kVariable)) before_ = before;
    g_setenv(kVariable, address.c_str(), TRUE);
  }
  ~BusAddress() {
    if (before_)
      g_setenv(kVariable, before_->c_str(), TRUE);
    else
      g_unsetenv(kVariable);
  }

 private:
  static constexpr const char* kVariable = "DBUS_SYSTEM_BUS_ADDRESS";
  std::optional<std::string> before_;
};

TEST(SoupTransport, WithoutABusNothingIsAnnounced) {
  const BusAddress nowhere("unix:path=/nowhere");
  SoupTransport transport("test-io");
  std::promise<Announced> told;
  transport.browse([&](const Announced& announced) { told.set_value(announced); });
  const Announced announced = told.get_future().get();
  EXPECT_TRUE(announced.servers.empty());
  EXPECT_THAT(announced.fault, HasSubstr("cannot reach the system bus"));
}

TEST(SoupTransport, StopDoesNotWaitForABusThatIsSilent) {
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "elf-silent-bus-" + std::to_string(getpid());
  name.copy(address.sun_path + 1, name.size());  // without a file
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())),
            0);
  ASSERT_EQ(listen(listener, 1), 0);
  const BusAddress silent("unix:abstract=" + name);
  SoupTransport transport("test-io");
  transport.browse([](const Announced&) { ADD_FAILURE() << "nothing is known"; });
  const int bus = accept(listener, nullptr, nullptr);
  transport.stop();
  close(bus);
  close(listener);
}

TEST(SoupTransport, ARequestToAnAddressNamesTheHostThatItStandsFor) {
  std::promise<std::string> asked;
  RawServer server([&](int socket, int) {
    std::string text(4096, 0);
    text.resize(
        static_cast<std::size_t>(std::max<ssize_t>(recv(socket, text.data(), text.size(), 0), 0)));
    asked.set_value(text);
    RawServer::write(socket, "HTTP/1.1 200 OK\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n");
  });
  SoupTransport transport("test");
  std::promise<HttpReply> reply;
  transport.send({.url = server.url() + "/x", .host = "detector.svc"},
                 [&](HttpReply got) { reply.set_value(std::move(got)); });
  EXPECT_EQ(reply.get_future().get().retryAfter, std::chrono::seconds(7));
  const std::string port = server.url().substr(server.url().rfind(':'));
  EXPECT_THAT(asked.get_future().get(), HasSubstr("Host: detector.svc" + port + "\r\n"));
}

TEST(SoupTransport, ATimeToTryAgainMayBeADate) {
  const auto told = [](const std::string& date) {
    RawServer server([&](int socket, int) {
      RawServer::readRequest(socket);
      RawServer::write(socket, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: " + date +
                                   "\r\nContent-Length: 0\r\n\r\n");
    });
    SoupTransport transport("test");
    return get(transport, server.url()).get().retryAfter;
  };
  const auto in = [](int seconds) {
    GDateTime* now = g_date_time_new_now_utc();
    GDateTime* then = g_date_time_add_seconds(now, seconds);
    gchar* text = g_date_time_format(then, "%a, %d %b %Y %H:%M:%S GMT");
    const std::string date = text;
    g_free(text);
    g_date_time_unref(then);
    g_date_time_unref(now);
    return date;
  };
  EXPECT_GE(told(in(40)), std::chrono::seconds(30));
  EXPECT_LE(told(in(40)), std::chrono::seconds(40));
  EXPECT_EQ(told(in(-40)), std::chrono::seconds(0));
  EXPECT_EQ(told("soon"), std::chrono::seconds(0));
}

const std::string kEmptyReply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/** From now on nothing arrives at the socket, as if a firewall had forgotten its connection. Open
 * until the end of the program, as its end would be noticed. */
void loseInSilence(int socket) {
  sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog program{.len = 1, .filter = &nothing};
  EXPECT_EQ(setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
  EXPECT_GE(dup(socket), 0);
}

TEST(SoupTransport, AConnectionThatWasLostInSilenceIsReplacedAndASlowServerIsWaitedFor) {
  const auto serve = [](int socket) {
    if (RawServer::readRequest(socket)) RawServer::write(socket, kEmptyReply);
  };
  RawServer lostBetween([&](int socket, int number) {
    serve(socket);
    if (number == 0) loseInSilence(socket);
  });
  RawServer lostMeanwhile([&](int socket, int number) {
    serve(socket);
    if (number > 0 || !RawServer::readRequest(socket)) return;
    loseInSilence(socket);
  });
  std::atomic<int> connections = 0;
  RawServer slow([&](int socket, int) {
    ++connections;
    serve(socket);
    std::this_thread::sleep_for(std::chrono::seconds(8));
    serve(socket);
  });
  SoupTransport transport("test");
  for (const RawServer* server : {&lostBetween, &lostMeanwhile, &slow})
    ASSERT_EQ(get(transport, server->url()).get().status, 200);
  auto between = get(transport, lostBetween.url()), meanwhile = get(transport, lostMeanwhile.url()),
       late = get(transport, slow.url());
  for (auto* reply : {&between, &meanwhile, &late}) {
    ASSERT_EQ(reply->wait_for(std::chrono::seconds(20)), std::future_status::ready);
    EXPECT_EQ(reply->get().status, 200);
  }
  EXPECT_EQ(connections, 1);
}

TEST(SoupTransport, CutsOffAReplyWithoutEndAndHangsUp) {
  for (const char* length : {"", "Content-Length: 1000000000000\r\n"}) {
    std::promise<void> hungUp;
    const RawServer server([&](int socket, int) {
      RawServer::readRequest(socket);
      RawServer::write(socket, std::string("HTTP/1.1 200 OK\r\n") + length + "\r\n");
      const std::string block(1 << 20, 'x');
      while (RawServer::write(socket, block)) {
      }
      hungUp.set_value();
    });
    SoupTransport transport("test-io");
    const HttpReply reply = get(transport, server.url()).get();
    EXPECT_EQ(reply.status, 0);
    EXPECT_THAT(reply.error, HasSubstr("larger than"));
    EXPECT_TRUE(reply.body.empty());
    hungUp.get_future().wait();
  }
}

TEST(SoupTransport, HeadersWithoutEndAreAnError) {
  for (const char* begin : {"HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 200 "}) {
    std::promise<void> hungUp;
    const RawServer server([&](int socket, int) {
      RawServer::readRequest(socket);
      RawServer::write(socket, begin);
      const std::string block(1 << 16, 'x');
      while (RawServer::write(socket, block)) {
      }
      hungUp.set_value();
    });
    SoupTransport transport("test-io");
    const HttpReply reply = get(transport, server.url()).get();
    EXPECT_EQ(reply.status, 0);
    EXPECT_FALSE(reply.error.empty());
    hungUp.get_future().wait();
  }
}

TEST(SoupTransport, ARequestMayAskForAShorterReply) {
  const RawServer server([](int socket, int) {
    RawServer::readRequest(socket);
    RawServer::write(socket,
                     "HTTP/1.1 200 OK\r\nContent-Length: 2048\r\n\r\n" + std::string(2048, 'x'));
  });
  SoupTransport transport("test-io");
  for (const std::size_t longest : {2048, 2047}) {
    std::promise<HttpReply> reply;
    transport.send({.url = server.url(), .longestReply = longest},
                   [&](HttpReply got) { reply.set_value(std::move(got)); });
    EXPECT_EQ(reply.get_future().get().status, longest == 2048 ? 200 : 0);
  }
}

TEST(SoupTransport, AReplyThatEndsEarlyIsAnError) {
  const RawServer server([](int socket, int) {
    RawServer::readRequest(socket);
    RawServer::write(socket, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
  });
  SoupTransport transport("test-io");
  const HttpReply reply = get(transport, server.url()).get();
  EXPECT_EQ(reply.status, 0);
  EXPECT_FALSE(reply.error.empty());
  EXPECT_TRUE(reply.body.empty());
}

TEST(SoupTransport, SendsAgainAtOnceWhereAKeptConnectionTurnsOutToBeClosed) {
  const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  std::atomic<int> requests = 0;
  const RawServer server([&](int socket, int number) {
    RawServer::readRequest(socket);
    ++requests;
    RawServer::write(socket, ok);
    // The first connection is kept, takes a second request, and ends.
    if (number == 0 && RawServer::readRequest(socket)) ++requests;
  });
  SoupTransport transport("test-io");
  EXPECT_EQ(get(transport, server.url()).get().status, 200);
  EXPECT_EQ(get(transport, server.url()).get().status, 200);
  EXPECT_EQ(requests, 3);
}

TEST(SoupTransport, ABodyOfSeveralBlocksArrivesWholeAlsoWhereItIsSentAgain) {
  const std::string large(100000, 'x'), body = "first" + large + "last";
  std::atomic<int> whole = 0;
  const auto readPost = [&](int socket) {
    std::string text;
    std::string block(1 << 16, 0);
    while (!text.ends_with("last")) {
      const ssize_t n = recv(socket, block.data(), block.size(), 0);
      if (n <= 0) return;
      text.append(block, 0, static_cast<std::size_t>(n));
    }
    if (text.ends_with("\r\n\r\n" + body)) ++whole;
  };
  const RawServer server([&](int socket, int number) {
    readPost(socket);
    RawServer::write(socket, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    // The first connection is kept, takes a second request, and ends.
    if (number == 0) readPost(socket);
  });
  SoupTransport transport("test-io");
  const Blocks blocks{toBlock("first"), toBlock(large), toBlock(""), toBlock("last")};
  for (int i = 0; i < 2; ++i) {
    const HttpRequest post{.method = "POST", .url = server.url(), .body = blocks};
    EXPECT_EQ(request(transport, post).get().status, 200);
  }
  EXPECT_EQ(whole, 3);
}

TEST(SoupTransport, OneConnectionCarriesOnePostAfterTheOther) {
  const RawServer server([](int socket, int) {
    while (RawServer::readRequest(socket))
      RawServer::write(socket, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  SoupTransport transport("test-io");
  for (int i = 0; i < 3; ++i) {
    auto reply = request(transport, {.method = "POST", .url = server.url()});
    // Another connection would wait for the end of the first one.
    ASSERT_EQ(reply.wait_for(std::chrono::seconds(5)), std::future_status::ready) << i;
    EXPECT_EQ(reply.get().status, 200);
  }
}

TEST(SoupTransport, StopCancelsWhatIsUnderWayAndWaitsForIt) {
  std::promise<void> arrived, hungUp;
  const RawServer server([&](int socket, int) {
    RawServer::readRequest(socket);
    arrived.set_value();
    RawServer::readRequest(socket);
    hungUp.set_value();
  });
  SoupTransport transport("test-io");
  std::atomic<int> calls = 0;
  transport.send({.url = server.url()}, [&](const HttpReply&) { ++calls; });
  transport.at(transport.now() + std::chrono::hours(1), [&] { ++calls; });
  arrived.get_future().wait();
  transport.stop();
  hungUp.get_future().wait();
  transport.send({.url = server.url()}, [&](const HttpReply&) { ++calls; });
  EXPECT_EQ(calls, 0);
}

TEST(SoupTransport, ACancelledRequestHangsUpAndIsNotCalledBack) {
  std::promise<void> arrived, hungUp;
  const RawServer server([&](int socket, int number) {
    RawServer::readRequest(socket);
    if (number == 0) {
      arrived.set_value();
      RawServer::readRequest(socket);
      hungUp.set_value();
    } else {
      RawServer::write(socket, "HTTP/1.1 204 No Content\r\n\r\n");
    }
  });
  SoupTransport transport("test-io");
  std::atomic<int> calls = 0;
  const auto handle = transport.send({.url = server.url()}, [&](const HttpReply&) { ++calls; });
  arrived.get_future().wait();
  transport.cancel(handle);
  hungUp.get_future().wait();
  EXPECT_EQ(get(transport, server.url()).get().status, 204);
  EXPECT_EQ(calls, 0);
}

TEST(SoupTransport, NamesWhatIsWrongWithAServerThatIsNotThere) {
  SoupTransport transport("test-io");
  for (const char* url : {"http://127.0.0.1:1", "http://[", "nonsense"}) {
    const HttpReply reply = get(transport, url).get();
    EXPECT_EQ(reply.status, 0) << url;
    EXPECT_FALSE(reply.error.empty()) << url;
  }
}

}  // namespace
}  // namespace elf
