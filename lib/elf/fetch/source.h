// SPDX-License-Identifier: LGPL-2.1-or-later
// Where the bytes of one file come from. Not installed.
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

/** The parts of FetchOptions (elf/fetch/model_fetch.h) that a source keeps to. */
struct SourceLimits {
  std::uint64_t longest = 0;
  std::chrono::seconds patience{};
  /** PEM; empty: the system's authorities. */
  std::string caFile;
  std::stop_token stop;
};

/** Both functions throw elf::Error naming the address or file, and say what is kept of the part. */
class Source {
 public:
  using OnBytes = std::function<void()>;

  /** Of a URL or a local file. `part` outlives it. */
  static std::unique_ptr<Source> create(const std::string& from, PartFile& part,
                                        const SourceLimits& limits);
  virtual ~Source() = default;

  /** For people: a host, or a local file. */
  virtual std::string name() const = 0;
  /** Asks for the file. How large it is; nothing where nobody tells. */
  virtual std::optional<std::uint64_t> open() = 0;
  /** How many bytes of the part stay as they are, as far as open() knows. */
  virtual std::uint64_t offset() const = 0;
  /** The answer is not awaited any more: receive() asks anew. */
  virtual void close() = 0;
  /** From what the part holds to the end; `onBytes` after each block. */
  virtual void receive(const OnBytes& onBytes) = 0;
  /** Whether the end that was met is the file's for sure; if not, only a checksum tells. */
  virtual bool isWhole() const = 0;
};

std::unique_ptr<Source> fileSource(const std::string& path, PartFile& part,
                                   const SourceLimits& limits);
std::unique_ptr<Source> urlSource(const std::string& url, PartFile& part,
                                  const SourceLimits& limits);

}  // namespace elf
