// SPDX-License-Identifier: LGPL-2.1-or-later
// The files of a model, brought from servers of every kind.
#include "elf/fetch/model_fetch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>

#include "elf/base/checksum.h"
#include "elf/base/data_files.h"
#include "elf/base/error.h"
#include "elf/base/network_address.h"
#include "tests/support/certificates.h"
#include "tests/support/file_server.h"
#include "tests/support/folder.h"

namespace elf {
namespace {

namespace fs = std::filesystem;
using elf::testing::Certificates;
using elf::testing::FileServer;
using elf::testing::HostedFile;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;
using Request = FileServer::Request;
using Answer = FileServer::Answer;

/** Bytes in which each place looks different. */
std::string made(std::size_t size, unsigned seed = 1) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>(seed >> 24);
  }
  return bytes;
}

class ModelFetch : public ::testing::Test {
 protected:
  ModelFetch() {
    fs::create_directory(files_.file("models"));
    options_.folder = files_.file("models");
  }

  std::string there(const std::string& name) const { return options_.folder + "/" + name; }

  void write(const std::string& path, const std::string& content) const {
    std::ofstream(path, std::ios::binary) << content;
  }

  std::string sumOf(const std::string& content) const {
    write(files_.file("summed"), content);
    return sha256Of(files_.file("summed"));
  }

  /** A model whose `.model` file is in another folder, with these keys in [model]. */
  ModelFile model(const std::string& keys, const std::string& file = "fetched.onnx") const {
    return parseModelFile(
        "[model]\nbackend=opencv-dnn\nfile=" + file + "\n" + keys + "\n[output]\ndecoder=yolox\n",
        "net", files_.file("net.model"));
  }
  /** Of a file with this content at `url`. */
  ModelFile pinned(const std::string& url, const std::string& content) const {
    return model("licence=Made-1.0\nurl=" + url + "\nsha256=" + sumOf(content));
  }

  std::vector<FetchedFile> fetch(const ModelFile& which) const {
    return fetchModel(which, options_);
  }
  /** Why there is nothing. */
  std::string errorOf(const ModelFile& which) const {
    try {
      fetch(which);
      return "no error";
    } catch (const Error& error) {
      return error.what();
    }
  }

  /** What is in the folder of models. */
  std::vector<std::string> listed() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(options_.folder))
      names.push_back(entry.path().filename());
    return names;
  }

  const elf::testing::Folder files_;
  FetchOptions options_;
};

TEST_F(ModelFetch, BringsAFileThatHasItsChecksumAndTellsFirstWhatItBrings) {
  const HostedFile file{made(1'000'000)};
  FileServer server(file);
  fs::remove(options_.folder);
  int plans = 0;
  std::uint64_t last = 0;
  options_.onPlan = [&](const FetchPlan& plan) {
    ++plans;
    EXPECT_EQ(plan.files, std::vector<std::string>{"fetched.onnx"});
    EXPECT_EQ(plan.from, std::vector<std::string>{"127.0.0.1"});
    EXPECT_EQ(plan.bytes, 1'000'000U);
    EXPECT_EQ(plan.bytesThere, 0U);
    EXPECT_FALSE(fs::exists(there("fetched.onnx")));
    EXPECT_EQ(last, 0U);
  };
  options_.onProgress = [&](const FetchProgress& progress) {
    EXPECT_EQ(progress.file, "fetched.onnx");
    EXPECT_EQ(progress.total, 1'000'000U);
    EXPECT_GT(progress.bytes, last);
    last = progress.bytes;
  };
  const auto fetched = fetch(pinned(server.url("/a/net"), file.content));
  ASSERT_EQ(fetched.size(), 1U);
  EXPECT_EQ(fetched[0].path, there("fetched.onnx"));
  EXPECT_EQ(fetched[0].bytes, 1'000'000U);
  EXPECT_EQ(fetched[0].sha256, sumOf(file.content));
  EXPECT_FALSE(fetched[0].wasThere);
  EXPECT_EQ(readFile(there("fetched.onnx")), file.content);
  EXPECT_THAT(listed(), ElementsAre("fetched.onnx"));
  EXPECT_EQ(plans, 1);
  EXPECT_EQ(last, 1'000'000U);
  ASSERT_EQ(server.requests().size(), 1U);
  EXPECT_EQ(server.requests()[0].line, "GET /a/net HTTP/1.1");
  EXPECT_EQ(server.requests()[0].header("range"), "");
  EXPECT_EQ(server.requests()[0].header("accept-encoding"), "identity");
}

TEST_F(ModelFetch, AnEmptyFileIsAFile) {
  const HostedFile file{""};
  FileServer server(file);
  fetch(pinned(server.url(), ""));
  EXPECT_EQ(fs::file_size(there("fetched.onnx")), 0U);
}

TEST_F(ModelFetch, AsksNobodyForWhatIsThere) {
  FileServer server(HostedFile{"net"});
  const ModelFile wanted = pinned(server.url(), "net");
  options_.onPlan = [](const FetchPlan&) { FAIL() << "nothing is fetched"; };
  // Beside the .model file, too.
  for (const std::string& path : {there("fetched.onnx"), files_.file("fetched.onnx")}) {
    write(path, "net");
    const auto fetched = fetch(wanted);
    EXPECT_TRUE(fetched[0].wasThere);
    EXPECT_EQ(fetched[0].path, path);
    fs::remove(path);
  }
  EXPECT_EQ(server.requests().size(), 0U);
}

TEST_F(ModelFetch, GoesOnWhereAConnectionWasCut) {
  const HostedFile file{made(100'000)};
  std::atomic<bool> cuts = true;
  FileServer server(
      [&](const Request& request) { return cuts ? file.begun(request, 40'000) : file(request); });
  const ModelFile wanted = pinned(server.url("/net?key=secret"), file.content);
  EXPECT_THAT(errorOf(wanted),
              AllOf(HasSubstr(server.url("/net: ")),
                    HasSubstr("the connection was cut after 40.0 kB of 100.0 kB"),
                    HasSubstr(there("fetched.onnx.part") + " keeps the first 40.0 kB"),
                    Not(HasSubstr("secret"))));
  EXPECT_THAT(listed(), UnorderedElementsAre("fetched.onnx.part", "fetched.onnx.part.tag"));
  EXPECT_THAT(readFile(there("fetched.onnx.part.tag")), Not(HasSubstr("secret")));
  cuts = false;
  options_.onPlan = [](const FetchPlan& plan) {
    EXPECT_EQ(plan.bytes, 100'000U);
    EXPECT_EQ(plan.bytesThere, 40'000U);
  };
  EXPECT_EQ(fetch(wanted)[0].bytes, 100'000U);
  EXPECT_EQ(readFile(there("fetched.onnx")), file.content);
  EXPECT_THAT(listed(), ElementsAre("fetched.onnx"));
  ASSERT_EQ(server.requests().size(), 2U);
  EXPECT_EQ(server.requests()[1].header("range"), "bytes=40000-");
  EXPECT_EQ(server.requests()[1].header("if-range"), "\"one\"");
}

TEST_F(ModelFetch, GoesOnByTheTimeOfAChangeWhereThereIsNoTag) {
  const HostedFile file{made(100'000), "Sun, 06 Nov 1994 08:49:37 GMT"};
  std::atomic<bool> cuts = true;
  FileServer server([&](const Request& request) {
    Answer answer = cuts ? file.begun(request, 40'000) : file(request);
    answer.head.replace(answer.head.find("ETag"), 4, "Last-Modified");
    return answer;
  });
  const ModelFile wanted = pinned(server.url(), file.content);
  EXPECT_THAT(errorOf(wanted), HasSubstr("keeps the first"));
  cuts = false;
  fetch(wanted);
  EXPECT_EQ(server.requests()[1].header("if-range"), file.etag);
  EXPECT_EQ(readFile(there("fetched.onnx")), file.content);
}

TEST_F(ModelFetch, BeginsAnewWhereTheServerKnowsNoRanges) {
  const HostedFile file{made(100'000)};
  std::atomic<bool> cuts = true;
  FileServer server(
      [&](const Request& request) { return cuts ? file.begun(request, 40'000) : file.whole(); });
  const ModelFile wanted = pinned(server.url(), file.content);
  errorOf(wanted);
  cuts = false;
  fetch(wanted);
  EXPECT_EQ(readFile(there("fetched.onnx")), file.content);
  EXPECT_EQ(server.requests().size(), 2U);
}

/** A file that is another one than that of which a part is there. */
class OtherFile : public ModelFetch {
 protected:
  /** From now on a part of what was at `url` is there, and `now` is what the server has. */
  void change(const std::string& url, const HostedFile& now) {
    now_ = nullptr;
    EXPECT_THAT(errorOf(pinned(url, before_.content)), HasSubstr("keeps the first 40.0 kB"));
    now_ = &now;
  }

  const HostedFile before_{made(100'000, 1)}, after_{made(90'000, 2), "\"two\""};
  std::atomic<const HostedFile*> now_ = nullptr;
  std::atomic<bool> honoursIfRange_ = true;
  FileServer server_{[this](Request request) {
    const HostedFile* const now = now_;
    if (!now) return before_.begun(request, 40'000);
    if (!honoursIfRange_) request.headers["if-range"] = now->etag;
    return (*now)(request);
  }};
};

TEST_F(OtherFile, IsFetchedFromItsBeginning) {
  for (const bool honours : {true, false}) {
    change(server_.url(), after_);
    honoursIfRange_ = honours;
    fetch(pinned(server_.url(), after_.content));
    EXPECT_EQ(readFile(there("fetched.onnx")), after_.content);
    EXPECT_THAT(listed(), ElementsAre("fetched.onnx"));
    EXPECT_EQ(server_.requests().back().header("range"), honours ? "bytes=40000-" : "");
    fs::remove(there("fetched.onnx"));
  }
}

TEST_F(OtherFile, IsFetchedFromItsBeginningWhereItIsShorterThanThePart) {
  const HostedFile shorter{made(100, 3)};
  change(server_.url(), shorter);
  fetch(pinned(server_.url(), shorter.content));
  EXPECT_EQ(readFile(there("fetched.onnx")), shorter.content);
  ASSERT_EQ(server_.requests().size(), 3U);
  EXPECT_EQ(server_.requests()[1].header("range"), "bytes=40000-");
  EXPECT_EQ(server_.requests()[2].header("range"), "");
}

TEST_F(OtherFile, OfAnotherAddressIsNotTheOneThatWasBegun) {
  change(server_.url("/one"), after_);
  fetch(pinned(server_.url("/two"), after_.content));
  EXPECT_EQ(server_.requests().back().header("range"), "");
  EXPECT_EQ(readFile(there("fetched.onnx")), after_.content);
}

TEST_F(ModelFetch, APartThatIsWholeIsTakenAsItIs) {
  const HostedFile file{made(100'000)};
  FileServer server(file);
  std::stop_source stop;
  options_.stop = stop.get_token();
  options_.onProgress = [&](const FetchProgress& progress) {
    if (progress.bytes == 100'000) throw Error("test", "interrupted behind the last byte");
  };
  const ModelFile wanted = pinned(server.url(), file.content);
  EXPECT_THAT(errorOf(wanted), HasSubstr("interrupted"));
  options_.onProgress = nullptr;
  EXPECT_EQ(fetch(wanted)[0].bytes, 100'000U);
  EXPECT_EQ(server.requests()[1].header("range"), "bytes=100000-");
  EXPECT_EQ(readFile(there("fetched.onnx")), file.content);
}

TEST_F(ModelFetch, LeavesNothingOfWhatNobodyCanGoOnFrom) {
  for (const char* etag : {"", "W/\"weak\""}) {
    const HostedFile file{made(100'000), etag};
    FileServer server([&](const Request& request) { return file.begun(request, 40'000); });
    EXPECT_THAT(errorOf(pinned(server.url(), file.content)),
                AllOf(HasSubstr("was cut"), Not(HasSubstr("keeps"))));
    EXPECT_THAT(listed(), IsEmpty());
  }
}

TEST_F(ModelFetch, BytesThatAreNotThoseThatWereMeantAreNotKept) {
  FileServer server(HostedFile{"other"});
  EXPECT_THAT(errorOf(pinned(server.url(), "meant")),
              AllOf(HasSubstr("fetched.onnx from 127.0.0.1: has sha256 " + sumOf("other")),
                    HasSubstr("not " + sumOf("meant")), HasSubstr("nothing of it is kept")));
  EXPECT_THAT(listed(), IsEmpty());
}

TEST_F(ModelFetch, FollowsAFewRedirections) {
  const HostedFile file{made(1000)};
  FileServer server([&](const Request& request) {
    for (int i = 0; i < 5; ++i)
      if (request.line.starts_with("GET /" + std::to_string(i)))
        return Answer{"HTTP/1.1 302 Found\r\nContent-Length: 4\r\nLocation: /" +
                          std::to_string(i + 1) + "\r\n",
                      "over"};
    return file(request);
  });
  fetch(pinned(server.url("/0"), file.content));
  EXPECT_EQ(readFile(there("fetched.onnx")), file.content);
  EXPECT_EQ(server.requests().size(), 6U);
}

TEST_F(ModelFetch, FollowsNoEndlessOnes) {
  FileServer server([](const Request&) {
    return Answer{"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\nLocation: /again\r\n"};
  });
  EXPECT_THAT(errorOf(pinned(server.url(), "")), HasSubstr("redirected more than 5 times"));
  EXPECT_EQ(server.requests().size(), 6U);
  EXPECT_THAT(listed(), IsEmpty());
}

TEST_F(ModelFetch, IsRedirectedToNothingThatOthersCanChange) {
  for (const char* location : {"http://models.invalid/net?key=secret", "ftp://127.0.0.1/net",
                               "file:///etc/passwd", "", "http://"}) {
    FileServer server([&](const Request&) {
      return Answer{
          "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + std::string(location) + "\r\n"};
    });
    EXPECT_THAT(errorOf(pinned(server.url(), "")),
                AllOf(HasSubstr("is redirected to "), Not(HasSubstr("secret"))));
    EXPECT_THAT(listed(), IsEmpty());
  }
}

TEST_F(ModelFetch, WhatIsTooLargeIsNotTaken) {
  options_.longest = 50'000;
  const HostedFile file{made(100'000)};
  {
    FileServer server(file);
    EXPECT_THAT(errorOf(pinned(server.url(), file.content)),
                HasSubstr("is of 100.0 kB, more than 50.0 kB"));
  }
  FileServer server([&](const Request&) {
    return Answer{"HTTP/1.1 200 OK\r\nETag: \"one\"\r\nConnection: close\r\n", file.content};
  });
  EXPECT_THAT(errorOf(pinned(server.url(), file.content)), HasSubstr("sends more than 50.0 kB"));
  EXPECT_THAT(listed(), IsEmpty());
}

TEST_F(ModelFetch, AServerNeedNotTellHowLargeAFileIs) {
  const std::string content = made(1000);
  FileServer server([&](const Request&) {
    return Answer{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n",
                  "3e8\r\n" + content + "\r\n0\r\n\r\n"};
  });
  options_.onPlan = [](const FetchPlan& plan) { EXPECT_EQ(plan.bytes, std::nullopt); };
  options_.from = {server.url()};
  EXPECT_EQ(fetch(model(""))[0].bytes, 1000U);
  EXPECT_EQ(readFile(there("fetched.onnx")), content);
}

TEST_F(ModelFetch, WhatMayHaveBeenCutIsTakenForItsChecksumAlone) {
  const std::string content = made(1000);
  FileServer server([&](const Request&) {
    return Answer{"HTTP/1.1 200 OK\r\nConnection: close\r\n", content};
  });
  options_.from = {server.url()};
  EXPECT_THAT(errorOf(model("")), HasSubstr("may have been cut"));
  EXPECT_THAT(listed(), IsEmpty());
  EXPECT_EQ(fetch(model("sha256=" + sumOf(content)))[0].bytes, 1000U);
}

TEST_F(ModelFetch, AnswersThatAreNoFileAreNamed) {
  for (const auto& [head, why] :
       {std::pair("HTTP/1.1 404 Nowhere\r\n", "was answered with 404 (Not Found)"),
        std::pair("HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\n",
                  "was answered with 401 (Unauthorized)"),
        std::pair("HTTP/1.1 503 Later\r\n", "was answered with 503 (Service Unavailable)"),
        std::pair("HTTP/1.1 206 Part\r\nContent-Range: bytes 2-3/4\r\n", "was answered with 206"),
        std::pair("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n", "a web page"),
        std::pair("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n", "comes encoded as gzip")}) {
    FileServer server([&](const Request&) {
      return Answer{std::string(head) + "Content-Length: 2\r\n", "ab"};
    });
    EXPECT_THAT(errorOf(pinned(server.url("/net"), "ab")),
                AllOf(HasSubstr(server.url("/net") + ": "), HasSubstr(why)));
    EXPECT_THAT(listed(), IsEmpty());
  }
}

TEST_F(ModelFetch, AnAnswerThatIsNoneIsNamed) {
  FileServer server([](const Request&) { return Answer{}; });
  EXPECT_THAT(errorOf(pinned(server.url(), "")), HasSubstr(server.url()));
  EXPECT_THAT(listed(), IsEmpty());
}

TEST_F(ModelFetch, AServerThatIsNotThereIsNamed) {
  std::string url;
  {
    FileServer server(HostedFile{""});
    url = server.url();
  }
  EXPECT_THAT(errorOf(pinned(url, "")), AllOf(HasSubstr(url), HasSubstr("refused")));
  EXPECT_THAT(errorOf(pinned("https://nowhere.invalid/net", "")),
              HasSubstr("https://nowhere.invalid/net: "));
  EXPECT_THAT(listed(), IsEmpty());
}

TEST_F(ModelFetch, ASilentServerIsGivenUp) {
  options_.patience = std::chrono::seconds(1);
  const HostedFile file{made(100'000)};
  {
    FileServer server([](const Request&) { return Answer{.isHeld = true}; });
    EXPECT_THAT(errorOf(pinned(server.url(), file.content)), HasSubstr("nothing came for 1 s"));
    EXPECT_THAT(listed(), IsEmpty());
  }
  FileServer server([&](const Request& request) { return file.begun(request, 40'000, true); });
  EXPECT_THAT(errorOf(pinned(server.url(), file.content)),
              AllOf(HasSubstr("nothing came for 1 s"), HasSubstr("keeps the first 40.0 kB")));
}

TEST_F(ModelFetch, WhatIsThereIsNeverWrittenOver) {
  FileServer server(HostedFile{"net"});
  write(there("fetched.onnx"), "mine");
  EXPECT_THAT(errorOf(pinned(server.url(), "net")),
              AllOf(HasSubstr(there("fetched.onnx") + ": is there already, with sha256"),
                    HasSubstr("move it away")));
  options_.from = {server.url()};
  EXPECT_THAT(errorOf(model("")), HasSubstr(there("fetched.onnx") + ": is there already"));
  EXPECT_EQ(readFile(there("fetched.onnx")), "mine");
  // Where nothing new is asked for, there is nothing to do.
  options_.from.clear();
  EXPECT_TRUE(fetch(model(""))[0].wasThere);
  EXPECT_EQ(server.requests().size(), 0U);
}

TEST_F(ModelFetch, ModelsThatNameNoAddressSaySo) {
  EXPECT_THAT(errorOf(model("")),
              AllOf(HasSubstr("net.model: [model] url: is missing"), HasSubstr("--from")));
  EXPECT_THAT(errorOf(loadModelFile("simulated")), HasSubstr("is of backend simulated"));
  options_.from = {"a", "b"};
  EXPECT_THAT(errorOf(model("")), HasSubstr("[model] file: is 1 in number, and 2 addresses"));
}

TEST_F(ModelFetch, AFileHasAPlainName) {
  options_.from = {"a"};
  for (const char* file : {"/etc/passwd", "../net.onnx", "a/net.onnx", "..", ".bashrc", "hog.model",
                           "default.safetensors", "net.part"})
    EXPECT_THAT(errorOf(model("", file)), HasSubstr("cannot be the name of a fetched file"))
        << file;
}

TEST_F(ModelFetch, SeveralFilesComeOneAfterTheOther) {
  const HostedFile cfg{made(1000, 1)}, weights{made(5'000'000, 2)};
  FileServer server([&](const Request& request) {
    return request.line.find("/cfg") == std::string::npos ? weights(request) : cfg(request);
  });
  std::vector<std::string> order;
  options_.onPlan = [](const FetchPlan& plan) {
    EXPECT_EQ(plan.files, (std::vector<std::string>{"fetched.cfg", "fetched.weights"}));
    EXPECT_EQ(plan.from, std::vector<std::string>{"127.0.0.1"});
    EXPECT_EQ(plan.bytes, 5'001'000U);
  };
  options_.onProgress = [&](const FetchProgress& progress) {
    if (order.empty() || order.back() != progress.file) order.push_back(progress.file);
  };
  const std::string sums = "sha256=" + sumOf(cfg.content) + ";" + sumOf(weights.content) + "\nurl=";
  const ModelFile wanted =
      model(sums + server.url("/cfg;") + server.url("/weights"), "fetched.cfg;fetched.weights");
  const auto fetched = fetch(wanted);
  ASSERT_EQ(fetched.size(), 2U);
  EXPECT_THAT(order, ElementsAre("fetched.cfg", "fetched.weights"));
  EXPECT_EQ(readFile(there("fetched.cfg")), cfg.content);
  EXPECT_EQ(readFile(there("fetched.weights")), weights.content);

  fs::remove(there("fetched.weights"));
  options_.onPlan = [](const FetchPlan& plan) {
    EXPECT_EQ(plan.files, std::vector<std::string>{"fetched.weights"});
  };
  const auto again = fetch(wanted);
  EXPECT_TRUE(again[0].wasThere);
  EXPECT_FALSE(again[1].wasThere);
}

TEST_F(ModelFetch, TheAnswerForALaterFileIsNotReadBeforeItsTurn) {
  const HostedFile file{made(100'000)};
  std::atomic<int> asked = 0;
  // Whoever reads the first answer for the second file waits for ever.
  FileServer server([&](const Request& request) {
    return ++asked == 2 ? file.begun(request, 40'000, true) : file(request);
  });
  const std::string sum = sumOf(file.content);
  const auto start = std::chrono::steady_clock::now();
  fetch(model("sha256=" + sum + ";" + sum + "\nurl=" + server.url("/a;") + server.url("/b"),
              "fetched.a;fetched.b"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, options_.patience);
  EXPECT_EQ(asked, 3);
}

TEST_F(ModelFetch, AFileOfTheUsersIsCopied) {
  const std::string mine = files_.file("mine");
  write(mine, "net");
  options_.from = {mine};
  options_.onPlan = [&](const FetchPlan& plan) {
    EXPECT_EQ(plan.from, std::vector<std::string>{mine});
    EXPECT_EQ(plan.bytes, 3U);
  };
  EXPECT_EQ(fetch(model(""))[0].sha256, sumOf("net"));
  EXPECT_EQ(readFile(there("fetched.onnx")), "net");
  EXPECT_EQ(readFile(mine), "net");
  EXPECT_THAT(listed(), ElementsAre("fetched.onnx"));
  fs::remove(there("fetched.onnx"));

  EXPECT_EQ(fetch(model("sha256=" + sumOf("net")))[0].bytes, 3U);
  fs::remove(there("fetched.onnx"));

  EXPECT_THAT(errorOf(model("sha256=" + sumOf("meant"))), HasSubstr("has sha256 " + sumOf("net")));
  options_.longest = 2;
  EXPECT_THAT(errorOf(model("")), HasSubstr(mine + ": is larger than 2 bytes"));
  for (const std::string& none : {files_.file("none"), files_.path()}) {
    options_.from = {none};
    EXPECT_THAT(errorOf(model("")), HasSubstr(none + ": no such file"));
  }
  EXPECT_THAT(listed(), IsEmpty());
}

TEST_F(ModelFetch, AddressesAreHttpsOrOfThisMachine) {
  for (const char* from :
       {"http://models.invalid/net", "http://user:secret@models.invalid/net?key=secret",
        "http://127.0.0.1:80@models.invalid/net", "http://10.0.0.1/net", "ftp://127.0.0.1/net"}) {
    EXPECT_FALSE(isHttpsOrThisMachine(from)) << from;
    options_.from = {from};
    EXPECT_THAT(errorOf(model("")),
                AllOf(HasSubstr("not an https:// address"), Not(HasSubstr("secret"))))
        << from;
  }
  for (const char* from : {"http://user:secret@[", "://", "https://"}) {
    EXPECT_FALSE(isHttpsOrThisMachine(from)) << from;
    options_.from = {from};
    EXPECT_THAT(errorOf(model("")), Not(HasSubstr("secret"))) << from;
  }
  EXPECT_THAT(listed(), IsEmpty());
  for (const char* url :
       {"https://models.invalid/net", "HTTPS://models.invalid", "http://[::1]/net",
        "http://127.8.9.1:80/net", "http://localhost:8000/net"})
    EXPECT_TRUE(isHttpsOrThisMachine(url)) << url;
}

TEST_F(ModelFetch, TwoAtOnceDoNotMixTheirBytes) {
  const HostedFile file{made(100'000)};
  FileServer server([&](const Request& request) { return file.begun(request, 40'000, true); });
  const ModelFile wanted = pinned(server.url(), file.content);
  std::promise<void> began;
  std::stop_source stop;
  FetchOptions first = options_;
  first.stop = stop.get_token();
  std::atomic<bool> told = false;
  first.onProgress = [&](const FetchProgress& progress) {
    if (progress.bytes == 40'000 && !told.exchange(true)) began.set_value();
  };
  auto fetching = std::async(std::launch::async, [&]() -> std::string {
    try {
      fetchModel(wanted, first);
      return "no error";
    } catch (const Error& error) {
      return error.what();
    }
  });
  began.get_future().wait();
  EXPECT_THAT(errorOf(wanted),
              HasSubstr("fetched.onnx.part: another elf-server --fetch is writing it"));
  // And one that is told to stop does, although nothing comes.
  stop.request_stop();
  EXPECT_THAT(fetching.get(),
              AllOf(HasSubstr("was interrupted"), HasSubstr("keeps the first 40.0 kB")));
  EXPECT_THAT(listed(), UnorderedElementsAre("fetched.onnx.part", "fetched.onnx.part.tag"));
}

TEST_F(ModelFetch, StopsBeforeItAsksAnybody) {
  FileServer server(HostedFile{"net"});
  std::stop_source stop;
  stop.request_stop();
  options_.stop = stop.get_token();
  EXPECT_THAT(errorOf(pinned(server.url(), "net")), HasSubstr("was interrupted"));
  EXPECT_THAT(listed(), IsEmpty());
}

TEST_F(ModelFetch, StopsWhileItWaitsForAnAnswer) {
  std::stop_source stop;
  options_.stop = stop.get_token();
  FileServer server([&](const Request&) {
    stop.request_stop();
    return Answer{.isHeld = true};
  });
  EXPECT_THAT(errorOf(pinned(server.url(), "net")), HasSubstr("was interrupted"));
  EXPECT_THAT(listed(), IsEmpty());
}

TEST_F(ModelFetch, AFolderThatCannotBeIsNamed) {
  FileServer server(HostedFile{"net"});
  write(files_.file("file"), "");
  options_.folder = files_.file("file") + "/models";
  EXPECT_THAT(errorOf(pinned(server.url(), "net")),
              AllOf(HasSubstr(options_.folder + ": can't be made: "), HasSubstr("directory")));
}

TEST_F(ModelFetch, APartIsNoLinkToAnotherFile) {
  FileServer server(HostedFile{"net"});
  write(files_.file("other"), "mine");
  fs::create_symlink(files_.file("other"), there("fetched.onnx.part"));
  EXPECT_THAT(errorOf(pinned(server.url(), "net")),
              HasSubstr("fetched.onnx.part: can't be written"));
  EXPECT_EQ(readFile(files_.file("other")), "mine");
}

TEST_F(ModelFetch, AServerOfHttpsHasToBeTrusted) {
  const Certificates certificates;
  if (!certificates.made()) GTEST_SKIP() << "openssl 3 is needed to make certificates";
  const HostedFile file{made(100'000)};
  FileServer server(file, certificates.server()), plain(file);
  const ModelFile wanted = pinned(server.url("/net"), file.content);
  EXPECT_THAT(errorOf(wanted), AllOf(HasSubstr("certificate"), HasSubstr("unknown-ca")));
  options_.caFile = certificates.stranger();
  EXPECT_THAT(errorOf(wanted), HasSubstr("unknown-ca"));
  EXPECT_THAT(listed(), IsEmpty());
  options_.caFile = certificates.ca();
  fetch(wanted);
  EXPECT_EQ(readFile(there("fetched.onnx")), file.content);
  fs::remove(there("fetched.onnx"));

  FileServer leads(
      [&](const Request&) {
        return Answer{"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + plain.url("/net") +
                      "\r\n"};
      },
      certificates.server());
  EXPECT_THAT(
      errorOf(pinned(leads.url(), file.content)),
      HasSubstr("is redirected to " + plain.url("/net") + ", which is not an https:// address"));
  EXPECT_EQ(plain.requests().size(), 0U);
}

TEST_F(ModelFetch, AServerOfHttp2ThatIsGivenUpIsToldOnce) {
  const Certificates certificates;
  if (!certificates.made()) GTEST_SKIP() << "openssl 3 is needed to make certificates";
  FileServer server([](const Request&) { return Answer{.isHeld = true}; }, certificates.server(),
                    {"h2"});
  options_.caFile = certificates.ca();
  options_.patience = std::chrono::seconds(1);
  std::atomic<int> warnings = 0;
  const GLogFunc count = [](const gchar*, GLogLevelFlags, const gchar*, gpointer counted) {
    ++*static_cast<std::atomic<int>*>(counted);
  };
  const guint handler = g_log_set_handler("libsoup", G_LOG_LEVEL_MASK, count, &warnings);
  EXPECT_THAT(errorOf(pinned(server.url(), "net")), HasSubstr("nothing came for 1 s"));
  g_log_remove_handler("libsoup", handler);
  EXPECT_EQ(warnings, 0);
  EXPECT_EQ(server.requests().at(0).line, "PRI * HTTP/2.0");
}

TEST_F(ModelFetch, NothingIsFetchedUnasked) {
  FileServer server(HostedFile{"net"});
  const ModelFile wanted = pinned(server.url(), "net");
  try {
    weightFiles(wanted);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("elf-server --fetch " + files_.file("net.model")));
  }
  EXPECT_EQ(server.requests().size(), 0U);
}

}  // namespace
}  // namespace elf
