// SPDX-License-Identifier: LGPL-2.1-or-later
// Certificates for the tests of HTTPS, made anew for each of them.
#pragma once

#include <gio/gio.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/support/folder.h"

namespace elf::testing {

/**
 * Two authorities that know nothing of each other, `ca` and `stranger`, and certificates that `ca`
 * has signed: PEM files of elliptic keys, valid for a day. openssl makes them; where it is missing
 * made() is false.
 */
class Certificates {
 public:
  Certificates() {
    const std::vector<std::string> authority{"-addext", "keyUsage=keyCertSign"};
    const std::vector<std::string> signedByCa{
        "-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-addext", "basicConstraints=CA:FALSE"};
    const auto named = [&](const std::string& names) {
      std::vector<std::string> options = signedByCa;
      options.insert(options.end(), {"-addext", "subjectAltName=" + names});
      return options;
    };
    made_ = make("ca", authority) && make("stranger", authority) &&
            make("server", named("IP:127.0.0.1,DNS:localhost")) &&
            make("elsewhere", named("DNS:elsewhere.invalid")) && make("client", signedByCa);
  }

  bool made() const { return made_; }

  std::string ca() const { return file("ca.pem"); }
  /** Nothing that is used here is signed by it. */
  std::string stranger() const { return file("stranger.pem"); }
  /** Certificate and key of 127.0.0.1 and localhost. */
  std::string server() const { return file("server-with-key.pem"); }
  /** Certificate and key of another host. */
  std::string elsewhere() const { return file("elsewhere-with-key.pem"); }
  /** Certificate and key in one file, and each in its own. */
  std::string client() const { return file("client-with-key.pem"); }
  std::string clientCertificate() const { return file("client.pem"); }
  std::string clientKey() const { return file("client.key"); }
  /** Certificate and key that `stranger` would have to vouch for. */
  std::string strangeClient() const { return file("stranger-with-key.pem"); }

  std::string file(const std::string& name) const { return folder_.file(name); }

 private:
  bool make(const std::string& name, const std::vector<std::string>& more) const {
    std::vector<std::string> command{"openssl",
                                     "req",
                                     "-x509",
                                     "-newkey",
                                     "ec",
                                     "-pkeyopt",
                                     "ec_paramgen_curve:prime256v1",
                                     "-nodes",
                                     "-days",
                                     "1",
                                     "-subj",
                                     "/CN=" + name,
                                     "-keyout",
                                     file(name + ".key"),
                                     "-out",
                                     file(name + ".pem")};
    command.insert(command.end(), more.begin(), more.end());
    std::vector<char*> words;
    for (std::string& word : command) words.push_back(word.data());
    words.push_back(nullptr);
    const auto quiet = static_cast<GSpawnFlags>(G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL |
                                                G_SPAWN_STDERR_TO_DEV_NULL);
    int status = 0;
    if (!g_spawn_sync(nullptr, words.data(), nullptr, quiet, nullptr, nullptr, nullptr, nullptr,
                      &status, nullptr) ||
        !g_spawn_check_wait_status(status, nullptr))
      return false;
    std::ofstream both(file(name + "-with-key.pem"));
    both << std::ifstream(file(name + ".pem")).rdbuf()
         << std::ifstream(file(name + ".key")).rdbuf();
    return both.good();
  }

  Folder folder_;
  bool made_ = false;
};

}  // namespace elf::testing
