// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/passwords.h"

#include <algorithm>
#include <regex>

namespace elf {

namespace {

using Place = std::string_view::size_type;
constexpr Place kNowhere = std::string_view::npos;

/** Whether a host of this text may be followed by a port: `host`, `host:`, `host:80`, `[::1]:80`.
 */
bool isHost(std::string_view text) {
  if (text.starts_with('[')) return true;
  const Place colon = text.find(':');
  return colon == kNowhere ||
         std::ranges::all_of(text.substr(colon + 1), [](char c) { return c >= '0' && c <= '9'; });
}

/** The place of the `@` that ends the user's name and password. `rest` follows `://`. */
Place endOfUser(std::string_view rest) {
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (const Place at = authority.rfind('@'); at != kNowhere) return at;
  // A password with a slash.
  return isHost(authority) ? kNowhere : rest.find('@');
}

}  // namespace

std::string withoutPasswords(std::string_view text) {
  constexpr std::string_view kScheme = "://", kHidden = "***";
  std::string shown;
  for (Place begin = 0; begin < text.size();) {
    const Place scheme = text.find(kScheme, begin);
    const Place url =
        std::min(scheme == kNowhere ? text.size() : scheme + kScheme.size(), text.size());
    shown += text.substr(begin, url - begin);
    begin = url;
    const std::string_view rest = text.substr(url, text.find_first_of(" \t\n", url) - url);
    if (const Place at = endOfUser(rest); scheme != kNowhere && at != kNowhere) {
      shown += kHidden;
      begin += at;
    }
  }
  // Of cameras: /user=admin_password=secret_channel=1 and ?user=admin&pwd=secret.
  static const auto* const kParameters =
      new std::regex(R"(([?&;/_](?:password|passwd|pass|pwd|token|secret)=)[^&;\s"']*)",
                     std::regex::ECMAScript | std::regex::icase);
  return std::regex_replace(shown, *kParameters, "$1***");
}

}  // namespace elf
