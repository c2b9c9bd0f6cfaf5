// SPDX-License-Identifier: LGPL-2.1-or-later
// Whom a client trusts, and who it says that it is.
#pragma once

#include <cstddef>
#include <string>

namespace elf {

/** Files that elfoffload's properties of the same names point to; an empty one is not used. */
struct ClientSecurity {
  /** PEM: the authorities that vouch for https:// servers, in the place of the system's. */
  std::string caFile;
  /** PEM: what is shown to a server that asks for a certificate; with its key, where `clientKey`
   * does not hold that. */
  std::string clientCertificate;
  std::string clientKey;
  /** The bearer token that goes with each request; see readToken(). */
  std::string tokenFile;
};

/**
 * What is in `file`, without white space around it: 1 to kLongestToken printable ASCII characters
 * without a blank. Throws elf::Error that begins with `subject`, names the file, and never what is
 * in it.
 */
inline constexpr std::size_t kLongestToken = 4096;
std::string readToken(const std::string& subject, const std::string& file);

/** Whether what goes to `url` can be read on its way: http:// to another machine. */
bool goesInClear(const std::string& url);

}  // namespace elf
