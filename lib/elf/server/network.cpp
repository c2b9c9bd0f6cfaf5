// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/network.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "elf/decode/decoder.h"
#include "elf/decode/input_tensor.h"
#include "elf/server/backends.h"

namespace elf {

namespace {

/** Tolerance for errors of arithmetic, absolute and relative. */
constexpr float kSameValue = 1e-3F;

std::string cannotRun(const cv::Mat& bgr, const std::string& why) {
  return "cannot be run on " + std::to_string(bgr.cols) + "x" + std::to_string(bgr.rows) +
         " pixels; do [input] size and multiple-of suit it? " + why;
}

bool isSame(const NamedTensor& a, const NamedTensor& b) {
  return a.values.size == b.values.size &&
         std::equal(
             a.values.begin<float>(), a.values.end<float>(), b.values.begin<float>(),
             [](float x, float y) { return std::abs(x - y) <= kSameValue * (1 + std::abs(y)); });
}

}  // namespace

Network::Network(const ModelFile& file, std::string path, std::unique_ptr<Session> session)
    : file_(withConvention(file)), path_(std::move(path)), session_(std::move(session)) {}

Network Network::open(const ModelFile& file) {
  const std::vector<std::string> files = weightFiles(file);
  return {file, files[0], openSession(file, files)};
}

void Network::prepareAs(const ModelFile& file) {
  file_ = withConvention(file);
}

Result<Tensors> Network::run(const cv::Mat& bgr) {
  auto tensors = session_->run(inputTensor({&bgr, 1}, file_));
  if (!tensors) return Result<Tensors>::failure(cannotRun(bgr, tensors.error()));
  if (std::string why = notFinite(tensors.value()); !why.empty())
    return Result<Tensors>::failure(std::move(why));
  return tensors;
}

Result<std::vector<Tensors>> Network::runBatch(std::span<const cv::Mat> bgr) {
  using Batch = Result<std::vector<Tensors>>;
  const auto count = static_cast<int>(bgr.size());
  const auto together = session_->run(inputTensor(bgr, file_));
  if (!together) return Batch::failure(cannotRun(bgr[0], together.error()));
  const Tensors& tensors = together.value();
  if (std::string why = notFinite(tensors); !why.empty()) return Batch::failure(std::move(why));
  std::vector<Tensors> all(bgr.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, values, integer] = tensors[i];
    std::vector<int> shape(values.size.p, values.size.p + values.dims);
    // Darknet's layers have a batch dimension only for several pictures.
    if (std::cmp_greater(shape.size(), dimensions_[i]) && shape[0] == count)
      shape.erase(shape.begin());
    else if (const auto first = std::ranges::find_if(shape, [](int size) { return size > 1; });
             first != shape.end() && *first % count == 0)
      *first /= count;
    else
      return Batch::failure(name + " is not of " + std::to_string(count) + " pictures");
    const cv::Mat rows = values.reshape(1, count);
    for (int n = 0; n < count; ++n)
      all[static_cast<std::size_t>(n)].push_back({name, rows.row(n).reshape(1, shape), integer});
  }
  return all;
}

void Network::tryBatch(Size size) {
  const std::array<cv::Mat, 2> pictures = trialPictures(size);
  std::array<Tensors, 2> each;
  for (std::size_t n = 0; n < pictures.size(); ++n) {
    const auto one = run(pictures[n]);
    if (!one) throw Error(path_, one.error());
    for (const auto& [name, values, integer] : one.value())
      each[n].push_back({name, values.clone(), integer});
  }
  dimensions_.clear();
  for (const NamedTensor& tensor : each[0]) dimensions_.push_back(tensor.values.dims);
  const auto both = runBatch(pictures);
  const bool same = both && std::ranges::equal(both.value()[0], each[0], isSame) &&
                    std::ranges::equal(both.value()[1], each[1], isSame);
  if (!same)
    throw Error(path_,
                "says of two pictures at once something else than of each, so that [input] "
                "max-batch must be 1");
}

}  // namespace elf
