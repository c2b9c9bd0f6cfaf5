// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/trace_id.h"

#include <cstdio>
#include <random>

namespace elf {

namespace {

constexpr int kDigitsOfWord = 8;

std::string randomHex(int words) {
  std::random_device random;
  std::string digits;
  bool allZero = true;
  do {
    digits.clear();
    for (int i = 0; i < words; ++i) {
      const unsigned word = random();
      allZero = allZero && word == 0;
      char text[kDigitsOfWord + 1];
      std::snprintf(text, sizeof text, "%08x", word);
      digits += text;
    }
  } while (allZero);
  return digits;
}

}  // namespace

std::string newTraceId() {
  return randomHex(4);
}

std::string newSpanId() {
  return randomHex(2);
}

std::string traceparent(const std::string& traceId, const std::string& spanId) {
  return "00-" + traceId + "-" + spanId + "-01";
}

}  // namespace elf
