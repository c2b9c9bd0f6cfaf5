// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/text_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "elf/base/error.h"
#include "elf/base/token_file.h"
#include "tests/support/folder.h"

namespace elf {
namespace {

using namespace std::string_literals;

constexpr const char* kMark = "\xEF\xBB\xBF";

/** `text` as UTF-16 with the low byte first, without a byte order mark. */
std::string utf16(const std::string& text) {
  std::string wide;
  for (const char c : text) (wide += c) += '\0';
  return wide;
}

TEST(TextFile, IsTrimmedOfAllThatAnEditorShowsAsNothing) {
  for (const char* blank :
       {"", " ", "\t", "\r", "\n", kMark, "\u00a0", "\u3000", "\u200b", " \u2003\t"})
    EXPECT_EQ(trimmed(blank + "a b"s + blank), "a b") << blank;
  EXPECT_EQ(trimmed(" \t\u00a0"), "");
  EXPECT_EQ(trimmed(""), "");
}

TEST(TextFile, KeepsWhatIsVisibleOrBroken) {
  for (const std::string& text :
       {"ä"s, "\xe4"s, "\xa0"s, "\x80\x80\x80\x80\x80"s, "\xef\xbb"s, "\0"s, "é\u0301"s, "日本"s})
    EXPECT_EQ(trimmed(text), text);
}

struct Saved {
  const char* how;
  std::string content, lines;
};
std::ostream& operator<<(std::ostream& out, const Saved& saved) {
  return out << saved.how;
}

class SavedText : public ::testing::TestWithParam<Saved> {};

TEST_P(SavedText, HasTheLinesThatAnEditorShows) {
  EXPECT_EQ(plainText("f", GetParam().content), GetParam().lines);
}
INSTANTIATE_TEST_SUITE_P(
    All, SavedText,
    ::testing::Values(
        Saved{"nothing", "", ""}, Saved{"Unix", "a\n\nb\n", "a\n\nb\n"},
        Saved{"without an end", "a\nb", "a\nb\n"}, Saved{"Windows", "a\r\n\r\nb\r\n", "a\n\nb\n"},
        Saved{"old Mac", "a\rb\r", "a\nb\n"}, Saved{"a mark", kMark + "a\nb\n"s, "a\nb\n"},
        Saved{"a mark alone", kMark, "\n"},
        Saved{"two files with marks", kMark + "a\n"s + kMark + "b\n", "a\nb\n"},
        Saved{"blanks", " a\t\n\u00a0b \r\n", "a\nb\n"}, Saved{"torn", "a\n\0\0"s, "a\n\0\0\n"s}));

TEST(TextFile, InUtf16IsRefusedByName) {
  for (const std::string& content :
       {"\xff\xfe" + utf16("person"), utf16("person"), "\0p\0e"s, "\xfe\xff\0p\0e"s}) {
    try {
      plainText("coco.names", content);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()), "coco.names: UTF-16 (save it as UTF-8)");
    }
  }
}

TEST(TextFile, OfKeysIsReadAsItLooks) {
  for (const std::string& text :
       {"[a]\nkey=two words\n"s, kMark + "[a]\r\nkey=two words\r\n"s,
        "  [ a ]\t\n\tkey\u00a0 =\t\u00a0two words \u3000"s, "# [b]\r[a]\rkey = two words\r"s}) {
    const Ref<GKeyFile> keys = parseKeyFile("f", text);
    EXPECT_EQ(takeText(g_key_file_get_string(keys.get(), "a", "key", nullptr)), "two words")
        << text;
  }
}

TEST(TextFile, OfKeysMustBeUtf8) {
  for (const auto& [content, why] :
       {std::pair{"[a]\nkey=Fu\xdf\n"s, "f: not UTF-8 text (save it as UTF-8)"},
        std::pair{"\xff\xfe" + utf16("[a]\n"), "f: UTF-16 (save it as UTF-8)"}}) {
    try {
      parseKeyFile("f", content);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()), why);
    }
  }
}

TEST(TextFile, MayHoldAToken) {
  const testing::Folder folder;
  const std::string path = folder.file("token");
  for (const std::string& content : {"secret"s, kMark + "secret\r\n"s, "\u00a0secret\t\n\n"s}) {
    std::ofstream(path, std::ios::binary) << content;
    EXPECT_EQ(readToken("token-file", path), "secret");
  }
  std::ofstream(path, std::ios::binary) << "\xff\xfe" + utf16("secret");
  try {
    readToken("token-file", path);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "token-file: '" + path + "' is UTF-16 (save it as UTF-8)");
  }
}

}  // namespace
}  // namespace elf
