// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/stream/frame_sender.h"

#include <algorithm>
#include <utility>

#include "elf/partition/cutting.h"
#include "elf/servers/remote_network.h"

namespace elf {

namespace {

constexpr double kRawBytes = 3;

/** Null if it is not in the list yet, because it was added meanwhile. */
const ServerState* serverOf(const FrameRecord& record, int server) {
  const auto at = static_cast<std::size_t>(server);
  return at < record.capacity->servers.size() ? &record.capacity->servers[at] : nullptr;
}

/** Null if the server takes pictures. */
RemoteNetworkPtr networkOf(const FrameRecord& record, int server) {
  const ServerState* const state = serverOf(record, server);
  return state ? state->network : nullptr;
}

/** Bytes of a picture of size `sent` that is prepared for the server's network. */
double tensorBytes(const FrameRecord& record, int server, Size sent) {
  return serverOf(record, server)
      ->bytes(sent.area(), record.capacity->rules.inputSize(sent).area());
}

}  // namespace

void FrameSender::setEncoding(const EncodingSettings& settings) {
  const MutexLock lock(mutex_);
  settings_ = settings;
}

FrameSender::Stats FrameSender::stats() const {
  const MutexLock lock(mutex_);
  return stats_;
}

bool FrameSender::isRaw(const FrameRecord& record, int server) const {
  const ServerState* const state = serverOf(record, server);
  return state && sendsRaw(now_.encoding, *state, now_.bandwidth != 0);
}

void FrameSender::addTo(BandwidthControl::Load& load, const FrameRecord& record,
                        const Part& part) const {
  const Size sent = part.sentSize();
  ++load.parts;
  if (!networkOf(record, part.server)) {
    (isRaw(record, part.server) ? load.rawPixels : load.jpegPixels) += sent.area();
    return;
  }
  const double bytes = tensorBytes(record, part.server, sent);
  if (record.capacity->rules.fixedSize.empty())
    load.rawPixels += bytes / kRawBytes;
  else
    load.otherBytes += bytes;
}

// Sets the quality, and scales the plan's parts, as file sizes are only known here. False if
// nothing may be sent.
bool FrameSender::fitIntoBudget(FrameRecord& record) {
  BandwidthControl::Choice choice{.quality = now_.jpegQuality};
  if (now_.bandwidth == 0) {
    control_.off();
  } else {
    constexpr double kBytesOfKilobit = 125;
    const ModelRules& rules = record.capacity->rules;
    BandwidthControl::Load load;
    for (const Part& part : record.plan->parts) {
      addTo(load, record, part);
      if (rules.objectSize == 0) continue;
      for (const int index : part.rps) {
        const Rp& rp = record.rps->at(static_cast<std::size_t>(index));
        if (rp.id != kNoIdentity)
          load.leastScale =
              std::max(load.leastScale, leastScale(rp, rules, part.pixelAspect) / part.scale);
      }
    }
    const OffloadStats stats = offloader_.stats();
    const double sent = static_cast<double>(stats.bytesSent) +
                        static_cast<double>(stats.partsSent) * BandwidthControl::kRequestBytes;
    const auto chosen = control_.choose(Clock::now(), now_.bandwidth * kBytesOfKilobit, sent, load,
                                        now_.jpegQuality);
    if (!chosen) return false;
    choice = *chosen;
    if (choice.scale < 1)
      for (Part& part : record.plan->parts) part.scale *= choice.scale;
    now_.jpegQuality = choice.quality;
  }
  const MutexLock lock(mutex_);
  stats_.choice = choice;
  return true;
}

std::optional<Offloader::Ticket> FrameSender::send(FrameRecord& record, FramePixels& pixels,
                                                   std::optional<Clock::time_point> due,
                                                   Offloader::Answered done,
                                                   Offloader::Answered late) {
  {
    const MutexLock lock(mutex_);
    now_ = settings_;
  }
  if (!fitIntoBudget(record)) return std::nullopt;
  Offloader::Ticket ticket = kNothing;
  if (!record.plan->parts.empty())
    ticket = sendParts(record, pixels, due, std::move(done), std::move(late));
  // While the servers work.
  if (record.wholeBytes == 0) record.wholeBytes = wholeBytes(record, pixels);
  const MutexLock lock(mutex_);
  stats_.wholeBytes += record.wholeBytes;
  return ticket;
}

Offloader::Ticket FrameSender::sendParts(FrameRecord& record, FramePixels& pixels,
                                         std::optional<Clock::time_point> due,
                                         Offloader::Answered done, Offloader::Answered late) {
  const std::vector<Part>& parts = record.plan->parts;
  const Offloader::Ticket ticket =
      offloader_.begin(record.id, record.generation, record.size, parts, due, std::move(done),
                       record.trace, std::move(late));
  Clock::duration encoding{};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].rect.empty() || !contains(wholeFrame(record.size), parts[i].rect)) {
      offloader_.fail(ticket, i, "the part is not inside the frame");
      continue;
    }
    const auto begun = Clock::now();
    const RemoteNetworkPtr network = networkOf(record, parts[i].server);
    const bool raw = !network && isRaw(record, parts[i].server);
    auto image = encode(pixels, parts[i], raw, network.get());
    encoding += Clock::now() - begun;
    if (image && !raw && !network) noteFile(record, i, image.value().data.size());
    if (!image)
      offloader_.fail(ticket, i, image.error());
    else if (network)
      offloader_.send(ticket, i, std::move(image).value(), parts[i].sentSize(), network);
    else
      offloader_.send(ticket, i, std::move(image).value());
  }
  record.timings.encode = std::chrono::duration_cast<Microseconds>(encoding);
  return ticket;
}

Result<wire::Tensor> FrameSender::encode(FramePixels& pixels, const Part& part, bool raw,
                                         const RemoteNetwork* network) {
  using Image = Result<wire::Tensor>;
  const Size sent = part.sentSize();
  if (raw || network) {
    const auto rgb = pixels.rgb(part.rect, sent);
    if (rgb.empty()) return Image::failure("the frame can't be converted to RGB");
    return network ? network->prepare(rgb, sent) : wire::rawImage(rgb, sent);
  }
  const auto file = encoder_.encode(pixels.view(), part.rect, sent, now_.jpegQuality);
  if (!file) return Image::failure(file.error());
  return wire::encodedImage(file.value());
}

// Learns the size of JPEGs.
void FrameSender::noteFile(FrameRecord& record, std::size_t part, std::size_t bytes) {
  const Size sent = record.plan->parts[part].sentSize();
  if (now_.bandwidth != 0) control_.encoded(sent.area(), bytes, now_.jpegQuality);
  if (sent != record.squareSize()) return;
  whole_.measured(sent, sent, bytes, now_.jpegQuality);
  record.wholeBytes = bytes;
}

std::size_t FrameSender::wholeBytes(const FrameRecord& record, const FramePixels& pixels) {
  const Size size = record.squareSize();
  const int best = offloader_.bestServer(size);
  if (networkOf(record, best)) return static_cast<std::size_t>(tensorBytes(record, best, size));
  if (isRaw(record, best)) return static_cast<std::size_t>(size.area() * kRawBytes);
  do {
    const Rect tile = whole_.nextTile(record.size);
    const Size sent = tile.size().withSquarePixels(record.pixelAspect);
    const auto file = encoder_.encode(pixels.view(), tile, sent, now_.jpegQuality);
    if (!file) return 0;
    whole_.measured(size, sent, file.value().size(), now_.jpegQuality);
  } while (whole_.tiles() < WholeFrameEstimate::kFirstTiles);
  return static_cast<std::size_t>(whole_.bytes(size, now_.jpegQuality));
}

}  // namespace elf
