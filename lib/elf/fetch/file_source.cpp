// SPDX-License-Identifier: LGPL-2.1-or-later
#include <array>
#include <filesystem>
#include <fstream>

#include "elf/base/error.h"
#include "elf/base/printable.h"
#include "elf/fetch/source.h"

namespace elf {

namespace {

namespace fs = std::filesystem;

class FileSource : public Source {
 public:
  FileSource(const std::string& path, PartFile& part, const SourceLimits& limits)
      : path_(path), part_(part), limits_(limits) {}

  std::string name() const override { return path_; }

  std::optional<std::uint64_t> open() override {
    std::error_code error;
    if (!fs::is_regular_file(path_, error)) throw Error(path_, "no such file");
    const std::uint64_t size = fs::file_size(path_, error);
    if (size > limits_.longest)
      throw Error(path_, "is larger than " + formatBytes(limits_.longest));
    return size;
  }

  std::uint64_t offset() const override { return 0; }

  void close() override {}

  void receive(const OnBytes& onBytes) override {
    part_.restart("");
    std::ifstream in(path_, std::ios::binary);
    std::array<char, 1 << 16> block;
    while (in.read(block.data(), block.size()) || in.gcount() > 0) {
      if (limits_.stop.stop_requested()) throw Error(path_, "was interrupted");
      part_.append(block.data(), static_cast<std::size_t>(in.gcount()));
      onBytes();
    }
    if (!in.is_open() || in.bad()) throw Error(path_, "cannot be read");
  }

  bool isWhole() const override { return true; }

 private:
  const std::string path_;
  PartFile& part_;
  const SourceLimits limits_;
};

}  // namespace

std::unique_ptr<Source> fileSource(const std::string& path, PartFile& part,
                                   const SourceLimits& limits) {
  return std::make_unique<FileSource>(path, part, limits);
}

std::unique_ptr<Source> Source::create(const std::string& from, PartFile& part,
                                       const SourceLimits& limits) {
  return from.find("://") == std::string::npos ? fileSource(from, part, limits)
                                               : urlSource(from, part, limits);
}

}  // namespace elf
