// SPDX-License-Identifier: LGPL-2.1-or-later
// Transformers that output each object once: a query for each.
#include <algorithm>
#include <array>

#include "elf/decode/rows.h"

namespace elf {

namespace {

constexpr std::size_t kCocoNumbers = 91;
/** Unused numbers among those of COCO's 80 classes: it once had more. */
constexpr std::array<std::int64_t, 11> kCocoHoles{0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83};

/** The index among the 80, from 0. -1 for a hole. */
std::int64_t cocoClass(std::int64_t number) {
  const auto hole = std::ranges::lower_bound(kCocoHoles, number);
  if (hole != kCocoHoles.end() && *hole == number) return -1;
  return number - (hole - kCocoHoles.begin());
}

struct Heads {
  cv::Mat logits, boxes, masks;
};

std::optional<Heads> headsOf(const Tensors& tensors) {
  Heads heads;
  for (const auto& [logits, boxes] :
       {std::pair("logits", "pred_boxes"), std::pair("labels", "dets")}) {
    const cv::Mat* const l = findTensor(tensors, logits);
    const cv::Mat* const b = findTensor(tensors, boxes);
    if (l && b) heads = {*l, *b, {}};
  }
  // Without names, those of the last layer are first. Other outputs may follow.
  if (heads.logits.empty() && tensors.size() >= 2)
    for (const std::size_t i : {0, 1})
      if (hasShape(tensors[1 - i].values, {1, -1, 4})) {
        heads = {tensors[i].values, tensors[1 - i].values, {}};
        break;
      }
  if (heads.logits.empty() || !hasShape(heads.logits, {1, -1, -1}) ||
      !hasShape(heads.boxes, {1, heads.logits.size[1], 4}))
    return std::nullopt;
  for (const NamedTensor& tensor : tensors)
    if (hasShape(tensor.values, {1, heads.logits.size[1], -1, -1})) heads.masks = tensor.values;
  return heads;
}

/** Whether rows end with a score and a class, not with the scores of two classes. */
bool isRanked(const cv::Mat& rows) {
  constexpr int kColumns = 6;
  if (rows.size[2] != kColumns) return false;
  const float* row = rows.ptr<float>();
  for (int i = 0; i < rows.size[1]; ++i, row += kColumns)
    if (!classOf(row[5]) || row[5] != std::floor(row[5])) return false;
  return true;
}

/** A possible class of a query. */
struct Pair {
  float logit;
  int query, column;
};

/** The strongest pairs, at most as many as there are queries. */
std::vector<Pair> strongest(const cv::Mat& logits, float minScore) {
  const int queries = logits.size[1], columns = logits.size[2];
  std::vector<Pair> pairs;
  const float* logit = logits.ptr<float>();
  for (int query = 0; query < queries; ++query)
    for (int column = 0; column < columns; ++column, ++logit)
      if (sigmoid(*logit) >= minScore) pairs.push_back({*logit, query, column});
  std::ranges::stable_sort(pairs, std::ranges::greater(), &Pair::logit);
  if (std::cmp_greater(pairs.size(), queries)) pairs.resize(static_cast<std::size_t>(queries));
  return pairs;
}

/** `nobody`: the last column may mean no object, and then has no label. */
std::optional<Candidates> decodeHeads(const Tensors& tensors, const Reading& reading, bool nobody) {
  const std::optional<Heads> heads = headsOf(tensors);
  if (!heads) return std::nullopt;
  const auto columns = static_cast<std::size_t>(heads->logits.size[2]);
  const bool cocoNumbers =
      columns == kCocoNumbers && reading.labels == kCocoNumbers - kCocoHoles.size();
  const bool oneMore = nobody && reading.labels > 0 && columns == reading.labels + 1;
  Candidates found{.classes = cocoNumbers || oneMore ? reading.labels : columns};
  const auto width = static_cast<float>(reading.canvas.width);
  const auto height = static_cast<float>(reading.canvas.height);
  for (const Pair& pair : strongest(heads->logits, reading.minScore)) {
    const float* const box = heads->boxes.ptr<float>(0, pair.query);
    const std::int64_t label = cocoNumbers ? cocoClass(pair.column) : pair.column;
    if (label < 0 || std::cmp_greater_equal(label, found.classes)) continue;
    add(found.list, reading,
        {.box = scaled(aroundCentre(box[0], box[1], box[2], box[3]), width, height),
         .score = sigmoid(pair.logit),
         .labelId = label,
         .row = static_cast<std::size_t>(pair.query)});
  }
  if (!heads->masks.empty())
    found.maskOf = [masks = heads->masks, canvas = reading.canvas](const Candidate& candidate) {
      // OpenCV has no read-only Mat.
      const cv::Mat logits(masks.size[2], masks.size[3], CV_32F,
                           const_cast<uchar*>(masks.ptr(0, static_cast<int>(candidate.row))));
      return MaskGrid{logits + 0.5, toBox(wholeFrame(canvas))};
    };
  return found;
}

}  // namespace

std::optional<Candidates> decodeDetr(const Tensors& tensors, const Reading& reading) {
  return decodeHeads(tensors, reading, false);
}

std::optional<Candidates> decodeRfDetr(const Tensors& tensors, const Reading& reading) {
  return decodeHeads(tensors, reading, true);
}

std::optional<Candidates> decodeRtDetrRows(const Tensors& tensors, const Reading& reading) {
  if (tensors.size() != 1 || !hasShape(tensors[0].values, {1, -1, -1})) return std::nullopt;
  const cv::Mat& tensor = tensors[0].values;
  const int columns = tensor.size[2];
  if (columns < 5) return std::nullopt;
  const auto width = static_cast<float>(reading.canvas.width);
  const auto height = static_cast<float>(reading.canvas.height);
  const bool ranked = isRanked(tensor);
  Candidates found;
  if (!ranked) found.classes = static_cast<std::size_t>(columns - 4);
  const float* row = tensor.ptr<float>();
  for (int i = 0; i < tensor.size[1]; ++i, row += columns) {
    BestClass best(row + 4, ranked ? 1 : found.classes);
    if (ranked) best.id = static_cast<std::int64_t>(row[5]);
    add(found.list, reading,
        {.box = scaled(aroundCentre(row[0], row[1], row[2], row[3]), width, height),
         .score = best.score,
         .labelId = best.id});
  }
  return found;
}

}  // namespace elf
