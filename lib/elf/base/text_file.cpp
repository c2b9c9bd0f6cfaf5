// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/text_file.h"

#include <cstddef>

#include "elf/base/data_files.h"
#include "elf/base/error.h"

namespace elf {

namespace {

bool isBlank(gunichar character) {
  constexpr gunichar kZeroWidthSpace = 0x200B, kWordJoiner = 0x2060, kByteOrderMark = 0xFEFF;
  return g_unichar_isspace(character) || character == kZeroWidthSpace || character == kWordJoiner ||
         character == kByteOrderMark;
}

/** The length of the blank at the beginning of `text`. 0 if there is none, or a broken character.
 */
std::size_t blankAtBegin(std::string_view text) {
  const gunichar first = g_utf8_get_char_validated(text.data(), static_cast<gssize>(text.size()));
  return isBlank(first) ? static_cast<std::size_t>(g_unichar_to_utf8(first, nullptr)) : 0;
}

/** The length of the blank at the end of `text`, which is not empty. 0 if there is none. */
std::size_t blankAtEnd(std::string_view text) {
  constexpr std::size_t kLongest = 4;
  std::size_t length = 1;
  const auto continues = [&] {
    return (static_cast<unsigned char>(text[text.size() - length]) & 0xC0) == 0x80;
  };
  while (length < kLongest && length < text.size() && continues()) ++length;
  return blankAtBegin(text.substr(text.size() - length)) == length ? length : 0;
}

/** A line of a key file without the blanks inside it that mean nothing. */
std::string plainEntry(std::string_view line) {
  if (line.starts_with('#')) return std::string(line);
  if (line.starts_with('[') && line.ends_with(']'))
    return '[' + std::string(trimmed(line.substr(1, line.size() - 2))) + ']';
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return std::string(line);
  return std::string(trimmed(line.substr(0, equals))) + '=' +
         std::string(trimmed(line.substr(equals + 1)));
}

/** The number of the first line that does not belong into a key file. 0: unknown. GLib's own
 * message would show the line, which may be a secret. */
int wrongLine(std::string_view text) {
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (!line.empty() && line.front() != '#' && line.front() != '[' &&
        line.find('=') == std::string_view::npos)
      return number;
    text.remove_prefix(end + 1);
  }
  return 0;
}

std::string utf8(const std::string& path, std::string text) {
  if (!g_utf8_validate(text.data(), static_cast<gssize>(text.size()), nullptr))
    throw Error(path, "not UTF-8 text (save it as UTF-8)");
  return text;
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  while (!text.empty()) {
    const std::size_t blank = blankAtBegin(text);
    if (blank == 0) break;
    text.remove_prefix(blank);
  }
  while (!text.empty()) {
    const std::size_t blank = blankAtEnd(text);
    if (blank == 0) break;
    text.remove_suffix(blank);
  }
  return text;
}

bool isUtf16(std::string_view content) {
  if (content.starts_with("\xFF\xFE") || content.starts_with("\xFE\xFF")) return true;
  return content.size() >= 2 && (content[0] == '\0') != (content[1] == '\0');
}

std::string plainText(const std::string& path, std::string_view content) {
  if (isUtf16(content)) throw Error(path, "UTF-16 (save it as UTF-8)");
  std::string plain;
  plain.reserve(content.size() + 1);
  while (!content.empty()) {
    const std::size_t end = content.find_first_of("\r\n");
    plain += trimmed(content.substr(0, end));
    plain += '\n';
    if (end == std::string_view::npos) break;
    content.remove_prefix(end);
    content.remove_prefix(content.starts_with("\r\n") ? 2 : 1);
  }
  return plain;
}

std::string readText(const std::string& path) {
  return plainText(path, readFile(path));
}

std::string readUtf8(const std::string& path) {
  return utf8(path, readText(path));
}

Ref<GKeyFile> parseKeyFile(const std::string& path, std::string_view content) {
  const std::string plain = utf8(path, plainText(path, content));
  std::string text;
  for (std::string_view left = plain; !left.empty();) {
    const std::size_t end = left.find('\n');
    text += plainEntry(left.substr(0, end)) + '\n';
    left.remove_prefix(end + 1);
  }
  Ref<GKeyFile> file(g_key_file_new());
  GError* error = nullptr;
  if (g_key_file_load_from_data(file.get(), text.data(), text.size(), G_KEY_FILE_NONE, &error))
    return file;
  const std::string reason = takeReason(error);
  const int line = wrongLine(text);
  if (line == 0) throw Error(path, reason);
  throw Error(path, "line " + std::to_string(line) + " is neither KEY=VALUE nor [GROUP]");
}

}  // namespace elf
