// SPDX-License-Identifier: LGPL-2.1-or-later
// The paper's two networks, which LstmNetwork and AttnLstmNetwork run, for training.
#include <torch/nn/functional/loss.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/rnn.h>

#include "elf/base/error.h"
#include "elf/predict/indexing.h"
#include "elf/predict/lstm_predictors.h"
#include "research/data/elf_release_window.h"
#include "research/train/box_nets.h"

namespace elf::train {

namespace {

constexpr std::int64_t kCoordinates = 4;
constexpr std::size_t kHistory = ElfReleaseWindow::kHistory;

using torch::nn::Linear;
using torch::nn::LSTM;
using torch::nn::LSTMOptions;

/** A value for each box, [boxes]. */
torch::Tensor area(const torch::Tensor& boxes) {
  return (boxes.select(1, 2) - boxes.select(1, 0)) * (boxes.select(1, 3) - boxes.select(1, 1));
}

torch::Tensor iou(const torch::Tensor& a, const torch::Tensor& b) {
  const auto low = torch::max(a.narrow(1, 0, 2), b.narrow(1, 0, 2));
  const auto high = torch::min(a.narrow(1, 2, 2), b.narrow(1, 2, 2));
  const auto sides = (high - low).clamp_min(0);
  const auto common = sides.select(1, 0) * sides.select(1, 1);
  return common / (area(a) + area(b) - common);
}

/** Both networks learn from the same samples with the same loss, as in the released code. */
class BoxNet : public TrainableNet {
 public:
  /** Three consecutive frames: the boxes of the last one, and their places in the two before. */
  std::vector<Sample> makeSamples(const Trace& trace) const override {
    const auto indexer = RpIndexer::create("elf-release");
    std::vector<Sample> samples;
    for (std::size_t last = kHistory; last < trace.frames.size(); ++last) {
      const TraceFrame& frame = trace.frames[last];
      const bool inARow = frame.number - trace.frames[last - kHistory].number ==
                          static_cast<std::int64_t>(kHistory);
      if (!inARow || frame.objects.empty()) continue;
      const ElfReleaseWindow window = elfReleaseWindow(trace, last, *indexer);
      const auto count = static_cast<std::int64_t>(window.targets.size());
      Sample sample{torch::empty({count, kHistory, kCoordinates}),
                    torch::empty({count, kCoordinates})};
      const auto put = [&](float* to, const Box& box) {
        to[0] = box.x0 / static_cast<float>(frame.size.width);
        to[1] = box.y0 / static_cast<float>(frame.size.height);
        to[2] = box.x1 / static_cast<float>(frame.size.width);
        to[3] = box.y1 / static_cast<float>(frame.size.height);
      };
      auto* input = sample.input.data_ptr<float>();
      auto* target = sample.target.data_ptr<float>();
      for (std::size_t row = 0; row < window.targets.size(); ++row) {
        put(target + row * kCoordinates, window.targets[row].box);
        for (std::size_t step = 0; step < kHistory; ++step)
          put(input + (row * kHistory + step) * kCoordinates, window.history[step][row]);
      }
      samples.push_back(std::move(sample));
    }
    return samples;
  }

  torch::Tensor loss(const torch::Tensor& output, const torch::Tensor& target) const override {
    return (output - target).square().mean(0).sum() + (1 - iou(output, target)).mean();
  }
};

/** The modules have the names of the released code, and so have the weights. */
class LstmNet final : public BoxNet {
 public:
  LstmNet()
      : rnn_(register_module(
            "rnn",
            LSTM(LSTMOptions(kCoordinates, LstmNetwork::kHidden).num_layers(2).batch_first(true)))),
        fc_(register_module("fc", Linear(LstmNetwork::kHidden, kCoordinates))) {}

  Recipe recipe() const override { return {.epochs = 150, .batch = 16, .learningRate = 0.01}; }

  /** Starts at the mean box. From anywhere else the ReLU dies before the boxes overlap. */
  void prepare(const Sample& all) override {
    const torch::NoGradGuard guard;
    fc_->bias.copy_(torch::logit(all.target.mean(0), 0.01));
  }

  torch::Tensor forward(torch::Tensor input) override {
    const auto output = std::get<0>(rnn_->forward(input)).select(1, kHistory - 1);
    return torch::sigmoid(fc_->forward(torch::relu(output)));
  }

 private:
  LSTM rnn_;
  Linear fc_;
};

class AttnLstmNet final : public BoxNet {
 public:
  AttnLstmNet() {
    register_module("encoder", encoder_);
    register_module("decoder", decoder_);
  }

  Recipe recipe() const override { return {.epochs = 100, .batch = 16, .learningRate = 0.01}; }

  void prepare(const Sample& all) override {
    const torch::NoGradGuard guard;
    decoder_->final->bias.copy_(all.target.mean(0));
  }

  torch::Tensor forward(torch::Tensor input) override {
    const auto codes = std::get<0>(encoder_->rnn->forward(input));  // [objects, steps, hidden]
    auto h = torch::zeros({1, input.size(0), AttnLstmNetwork::kHidden});
    auto c = h;
    torch::Tensor context;
    for (std::int64_t step = 0; step < static_cast<std::int64_t>(kHistory); ++step) {
      const auto state = torch::cat({h[0], c[0]}, 1).unsqueeze(1).expand({-1, kHistory, -1});
      const auto scores = decoder_->attention->forward(torch::cat({state, codes}, 2)).squeeze(2);
      context = torch::bmm(torch::softmax(scores, 1).unsqueeze(1), codes).squeeze(1);
      const auto mixed = decoder_->mix->forward(torch::cat({context, input.select(1, step)}, 1));
      std::tie(h, c) =
          std::get<1>(decoder_->rnn->forward(mixed.unsqueeze(0), std::make_tuple(h, c)));
    }
    return decoder_->final->forward(torch::cat({h[0], context}, 1));
  }

 private:
  struct Encoder : torch::nn::Module {
    Encoder() { register_module("rnn", rnn); }
    LSTM rnn{LSTMOptions(kCoordinates, AttnLstmNetwork::kHidden).batch_first(true)};
  };
  struct Decoder : torch::nn::Module {
    Decoder() {
      register_module("attn_layer", attention);
      register_module("lstm_layer", rnn);
      register_module("fc", mix);
      register_module("fc_final", final);
    }
    torch::nn::Sequential attention{Linear(3 * AttnLstmNetwork::kHidden, AttnLstmNetwork::kHidden),
                                    torch::nn::Tanh(), Linear(AttnLstmNetwork::kHidden, 1)};
    LSTM rnn{LSTMOptions(kCoordinates, AttnLstmNetwork::kHidden)};
    Linear mix{AttnLstmNetwork::kHidden + kCoordinates, kCoordinates};
    Linear final{2 * AttnLstmNetwork::kHidden, kCoordinates};
  };
  std::shared_ptr<Encoder> encoder_ = std::make_shared<Encoder>();
  std::shared_ptr<Decoder> decoder_ = std::make_shared<Decoder>();
};

}  // namespace

std::shared_ptr<TrainableNet> createLstmNet() {
  return std::make_shared<LstmNet>();
}

std::shared_ptr<TrainableNet> createAttnLstmNet() {
  return std::make_shared<AttnLstmNet>();
}

}  // namespace elf::train
