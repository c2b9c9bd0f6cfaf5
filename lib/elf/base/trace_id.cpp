// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/trace_id.h"

#include <sys/random.h>

#include <array>
#include <random>

namespace elf {

namespace {

template <std::size_t kBytes>
std::string randomHex() {
  std::array<unsigned char, kBytes> bytes{};
  // If the kernel has no randomness to give, the library's is used.
  if (getrandom(bytes.data(), kBytes, 0) != static_cast<ssize_t>(kBytes)) {
    std::random_device random;
    for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(random());
  }
  bytes.back() |= bytes == std::array<unsigned char, kBytes>{};  // never all 0
  std::string digits(2 * kBytes, '0');
  for (std::size_t i = 0; i < kBytes; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    digits[2 * i] = kDigits[bytes[i] >> 4];
    digits[2 * i + 1] = kDigits[bytes[i] & 15];
  }
  return digits;
}

}  // namespace

std::string newTraceId() {
  return randomHex<16>();
}

std::string newSpanId() {
  return randomHex<8>();
}

std::string traceparent(const std::string& traceId, const std::string& spanId) {
  return "00-" + traceId + "-" + spanId + "-01";
}

}  // namespace elf
