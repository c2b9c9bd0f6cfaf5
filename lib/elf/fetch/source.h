// SPDX-License-Identifier: LGPL-2.1-or-later
// The source of one file's bytes. Not installed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "elf/fetch/part_file.h"

namespace elf {

/** The parts of FetchOptions (elf/fetch/model_fetch.h) that a source obeys. */
struct SourceLimits {
  std::uint64_t longest = 0;
  std::chrono::seconds patience{};
  /** PEM file. Empty: the system's authorities. */
  std::string caFile;
  std::stop_token stop;
};

/** The functions throw elf::Error naming the address or file, and what is kept of the part. */
class Source {
 public:
  using OnBytes = std::function<void()>;

  /** The source for a URL or a local file. `part` must outlive it. */
  static std::unique_ptr<Source> create(const std::string& from, PartFile& part,
                                        const SourceLimits& limits);
  virtual ~Source() = default;

  /** For users: a host, or a local file. */
  virtual std::string name() const = 0;
  /** Requests the file. Returns its size, unset if the server does not report it. */
  virtual std::optional<std::uint64_t> open() = 0;
  /** The number of bytes in the part that stay, as far as open() knows. */
  virtual std::uint64_t offset() const = 0;
  /** Drops the answer: receive() will request it anew. */
  virtual void close() = 0;
  /** Receives from the end of the part to the end of the file. Calls `onBytes` after each block. */
  virtual void receive(const OnBytes& onBytes) = 0;
  /** Whether the received end is certainly the file's. If not, only a checksum can show it. */
  virtual bool isWhole() const = 0;
};

std::unique_ptr<Source> fileSource(const std::string& path, PartFile& part,
                                   const SourceLimits& limits);
std::unique_ptr<Source> urlSource(const std::string& url, PartFile& part,
                                  const SourceLimits& limits);

}  // namespace elf
