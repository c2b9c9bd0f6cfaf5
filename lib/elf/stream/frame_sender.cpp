// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/stream/frame_sender.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "elf/decode/canvas.h"
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

/** Parts of a canvas keep their distances, but for a rounded pixel. */
void scaleBy(double by, Plan& plan) {
  for (Part& part : plan.parts) {
    part.scale *= by;
    if (!part.place) continue;
    part.place->x = static_cast<int>(part.place->x * by);
    part.place->y = static_cast<int>(part.place->y * by);
  }
  for (PartCanvas& canvas : plan.canvases) {
    // Rounded up, so that the last part fits.
    canvas.size.width = static_cast<int>(std::ceil(canvas.size.width * by)) + 1;
    canvas.size.height = static_cast<int>(std::ceil(canvas.size.height * by)) + 1;
  }
}

/** `answered` for the parts, as a function of the pictures' answers. */
Offloader::Answered forParts(const Plan& plan, const std::vector<Picture>& pictures,
                             Offloader::Answered answered) {
  if (plan.canvases.empty() || !answered) return answered;
  // Not the kept detections, which may have masks.
  return [plan = Plan{.parts = plan.parts, .canvases = plan.canvases}, pictures,
          answered = std::move(answered)](std::vector<PartAnswer> answers) {
    answered(answersOfParts(plan, pictures, std::move(answers)));
  };
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

bool FrameSender::isRaw(const FrameRecord& record, int server, Size sent) const {
  const ServerState* const state = serverOf(record, server);
  return state && sendsRaw(now_.encoding, *state, now_.bandwidth != 0, sent.area() * kRawBytes);
}

void FrameSender::addTo(BandwidthControl::Load& load, const FrameRecord& record,
                        const Part& picture) const {
  const Size sent = picture.sentSize();
  ++load.parts;
  if (!networkOf(record, picture.server)) {
    (isRaw(record, picture.server, sent) ? load.rawPixels : load.jpegPixels) += sent.area();
    return;
  }
  const double bytes = tensorBytes(record, picture.server, sent);
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
    for (const Picture& picture : picturesOf(*record.plan)) addTo(load, record, picture.part);
    for (const Part& part : record.plan->parts) {
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
    if (choice.scale < 1) scaleBy(choice.scale, *record.plan);
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
  if (!record.plan->parts.empty()) {
    const std::vector<Picture> pictures = picturesOf(*record.plan);
    ticket = sendPictures(record, pictures, pixels, due,
                          forParts(*record.plan, pictures, std::move(done)),
                          forParts(*record.plan, pictures, std::move(late)));
  }
  // While the servers work.
  if (record.wholeBytes == 0) record.wholeBytes = wholeBytes(record, pixels);
  const MutexLock lock(mutex_);
  stats_.wholeBytes += record.wholeBytes;
  return ticket;
}

Offloader::Ticket FrameSender::sendPictures(FrameRecord& record,
                                            const std::vector<Picture>& pictures,
                                            FramePixels& pixels,
                                            std::optional<Clock::time_point> due,
                                            Offloader::Answered done, Offloader::Answered late) {
  const Plan& plan = *record.plan;
  std::vector<Part> parts;
  parts.reserve(pictures.size());
  for (const Picture& picture : pictures) parts.push_back(picture.part);
  const Offloader::Ticket ticket =
      offloader_.begin(record.id, record.generation, record.size, parts, due, std::move(done),
                       record.trace, std::move(late));
  Clock::duration encoding{};
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const Picture& picture = pictures[i];
    if (!std::ranges::all_of(picture.shown, [&](std::size_t part) {
          const Rect& rect = plan.parts[part].rect;
          return !rect.empty() && contains(wholeFrame(record.size), rect);
        })) {
      offloader_.fail(ticket, i, "the part is not inside the frame");
      continue;
    }
    const auto begun = Clock::now();
    const Size sent = picture.part.sentSize();
    const RemoteNetworkPtr network = networkOf(record, picture.part.server);
    const bool raw = !network && isRaw(record, picture.part.server, sent);
    auto image = encode(pixels, plan, picture, raw, network.get());
    encoding += Clock::now() - begun;
    if (image && !raw && !network && !picture.isCanvas)
      noteFile(record, sent, image.value().data.size());
    if (!image)
      offloader_.fail(ticket, i, image.error());
    else if (network)
      offloader_.send(ticket, i, std::move(image).value(), sent, network);
    else
      offloader_.send(ticket, i, std::move(image).value());
  }
  record.timings.encode = std::chrono::duration_cast<Microseconds>(encoding);
  return ticket;
}

Result<wire::Tensor> FrameSender::encode(FramePixels& pixels, const Plan& plan,
                                         const Picture& picture, bool raw,
                                         const RemoteNetwork* network) {
  using Image = Result<wire::Tensor>;
  const Rect& rect = picture.part.rect;
  const Size sent = picture.part.sentSize();
  const auto unconverted = [] { return Image::failure("the frame can't be converted to RGB"); };
  ImageView view;
  if (picture.isCanvas) {
    if (!compose(pixels, plan, picture)) return unconverted();
    view = {.format = PixelFormat::RGB,
            .size = sent,
            .planes = {canvas_.data()},
            .strides = {3 * sent.width}};
  }
  if (raw || network) {
    const auto rgb =
        picture.isCanvas ? std::span<const std::uint8_t>(canvas_) : pixels.rgb(rect, sent);
    if (rgb.empty()) return unconverted();
    return network ? network->prepare(rgb, sent) : wire::rawImage(rgb, sent);
  }
  if (!picture.isCanvas) view = pixels.view();
  const auto file = encoder_.encode(view, rect, sent, now_.jpegQuality);
  if (!file) return Image::failure(file.error());
  return wire::encodedImage(file.value());
}

bool FrameSender::compose(FramePixels& pixels, const Plan& plan, const Picture& picture) {
  const Size size = picture.part.sentSize();
  const auto rowOf = [](int width) { return 3 * static_cast<std::size_t>(width); };
  canvas_.assign(rowOf(size.width) * static_cast<std::size_t>(size.height), kPadding);
  for (const std::size_t index : picture.shown) {
    const Part& part = plan.parts[index];
    const Size sent = part.sentSize();
    const auto rgb = pixels.rgb(part.rect, sent);
    if (rgb.empty()) return false;
    for (int y = 0; y < sent.height; ++y) {
      const auto row =
          rgb.subspan(static_cast<std::size_t>(y) * rowOf(sent.width), rowOf(sent.width));
      std::ranges::copy(row, canvas_.begin() + static_cast<std::ptrdiff_t>(
                                                   static_cast<std::size_t>(part.place->y + y) *
                                                       rowOf(size.width) +
                                                   rowOf(part.place->x)));
    }
  }
  return true;
}

// Learns the size of JPEGs.
void FrameSender::noteFile(FrameRecord& record, Size sent, std::size_t bytes) {
  if (now_.bandwidth != 0) control_.encoded(sent.area(), bytes, now_.jpegQuality);
  if (sent != record.squareSize()) return;
  whole_.measured(sent, sent, bytes, now_.jpegQuality);
  record.wholeBytes = bytes;
}

std::size_t FrameSender::wholeBytes(const FrameRecord& record, const FramePixels& pixels) {
  const Size size = record.squareSize();
  const int best = offloader_.bestServer(size);
  if (networkOf(record, best)) return static_cast<std::size_t>(tensorBytes(record, best, size));
  if (isRaw(record, best, size)) return static_cast<std::size_t>(size.area() * kRawBytes);
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
