// SPDX-License-Identifier: LGPL-2.1-or-later
// Weights of a trained predictor, in the safetensors file format: the length of a JSON header as 8
// bytes, little-endian; the header, {NAME: {"dtype", "shape", "data_offsets"}, "__metadata__":
// {KEY: text}}; then the values of all tensors, one after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace elf {

/** Numbers in the dimensions of `shape`, the last one fastest. */
struct Tensor {
  std::vector<int> shape;
  /** As many as the product of `shape`. */
  std::vector<float> values;

  bool operator==(const Tensor&) const = default;
};

/**
 * Named tensors and metadata. The key `predictor` of the metadata names the predictor that they are
 * for. A value type; const member functions may be used from several threads.
 */
class Weights {
 public:
  /** Errors name the file `name` until there is a file. */
  explicit Weights(std::string name) : name_(std::move(name)) {}

  /**
   * Reads a file, or the bytes of one, called `name` in errors. Throws elf::Error naming the file,
   * and the tensor if one is at fault: if it can't be read, is cut short, has a header that is not
   * JSON or larger than 64 KiB, has data that overlaps, leaves gaps or reaches over the end, or
   * holds anything but finite F32 values and metadata of text.
   */
  static Weights read(const std::string& path);
  static Weights parse(std::span<const std::uint8_t> bytes, const std::string& name);

  /** The bytes of the file: the same for the same content. */
  std::vector<std::uint8_t> bytes() const;
  /** Writes the file whole or not at all. Throws elf::Error naming `path`. */
  void write(const std::string& path) const;

  /** The file that they were read from. */
  const std::string& name() const { return name_; }
  const std::map<std::string, Tensor>& tensors() const { return tensors_; }

  /** Throws elf::Error naming file and tensor if it is missing or has another shape. */
  const Tensor& tensor(const std::string& key, const std::vector<int>& shape) const;
  /** Throws elf::Error naming file and key if it is missing. */
  const std::string& metadata(const std::string& key) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  void setTensor(const std::string& key, Tensor tensor) { tensors_[key] = std::move(tensor); }
  void setMetadata(const std::string& key, std::string text) { metadata_[key] = std::move(text); }

 private:
  std::string name_;
  std::map<std::string, Tensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

/**
 * The weights of a predictor: from the file `nameOrPath`, or the one that readDataFile() finds by
 * that name, or, if it is empty, by the predictor's name. Throws elf::Error also if they are for
 * another predictor.
 */
Weights loadWeights(const std::string& predictor, const std::string& nameOrPath = {});

}  // namespace elf
