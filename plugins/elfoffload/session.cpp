// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plugins/elfoffload/session.h"

#include <utility>

#include "elf/base/printable.h"
#include "elf/model/model_file.h"
#include "elf/servers/server_url.h"
#include "gst/elfvision/gstelfservers.h"
#include "plugins/elfoffload/statistics.h"

namespace elf::offloading {

namespace {

/** The server's own timings, for the log. Empty if it reports none. */
std::string accountOf(const CostSample& sample) {
  std::string account;
  const auto add = [&](const char* what, const std::optional<Microseconds>& time) {
    if (time) account += std::string(", ") + what + " " + formatNumber(inMilliseconds(*time), 1);
  };
  add("queue", sample.queue);
  add("decode", sample.decode);
  add("infer", sample.infer);
  return account;
}

/** The local `.model` file of that name, or remoteModel() without one. */
ModelFile localFile(const std::string& model) {
  try {
    return loadModelFile(model);
  } catch (const Error& error) {
    GST_INFO("no local rules: %s", error.what());
    return remoteModel(model);
  }
}

/** Throws Error naming the property if its value can't be a segment of a URL's path. */
void checkSegment(const char* property, const std::string& value) {
  if (value.find_first_of("/?#% ") != std::string::npos)
    throw Error(property, "'" + value + "' is not a possible name");
}

}  // namespace

OffloadSettings offloadSettings(const Settings& settings) {
  OffloadSettings offload;
  offload.servers = parseServers(settings.servers);
  checkAnnounced(offload.servers, settings.security);
  offload.model = settings.model;
  if (offload.model.empty()) throw Error("model", "is empty");
  checkSegment("model", offload.model);
  offload.version = settings.modelVersion;
  checkSegment("model-version", offload.version);
  offload.network = localFile(settings.model);
  offload.localRules = offload.network.rules;
  offload.network.tensors = withTensorNames(settings.tensorNames, offload.network.tensors);
  // A network's tensor names are its own. An elf-server beside it has those of the wire.
  if (!offload.network.sendsTensor) offload.tensors = offload.network.tensors;
  offload.hedging = settings.hedging / 100;
  offload.seed = g_random_int();
  return offload;
}

Session::Session(Offload& owner, GstElement* element, OffloadSettings offload,
                 const Settings& settings)
    : owner_(owner),
      element_(element),
      pool_(gst::findServers(element)),
      transport_("elfoffload-io", settings.security),
      sender_(std::move(offload), settings.encodingSettings(), *pool_, client_, *this) {}

void Session::addTo(ClientWork& work) const {
  work.parts = sender_.offloader().stats();
  work.pictures = sender_.stats();
  work.servers = sender_.offloader().reports();
}

void Session::stop() {
  offloader().abandonAll();
  transport_.stop();
}

// --- events of the servers

void Session::onCostSample(const CostSample& sample) {
  const char* const url = sample.url.c_str();
  GST_DEBUG_OBJECT(element_, "%s: %s of %dx%d, %" G_GSIZE_FORMAT " bytes: %s%.1f ms%s", url,
                   sample.probe ? "probe" : "part", sample.sent.width, sample.sent.height,
                   sample.bytes, sample.late ? "no answer after " : "",
                   inMilliseconds(sample.roundTrip), accountOf(sample).c_str());
  if (sample.changed)
    GST_INFO_OBJECT(element_, "%s costs %.1f ms, %.1f ms/megapixel, %.1f ms/megabyte", url,
                    sample.cost.a * kMilliseconds, sample.cost.b * kMilliseconds * kMega,
                    sample.cost.c * kMilliseconds * kMega);
}

void Session::onProbeFailed(const std::string& why) {
  GST_WARNING_OBJECT(element_, "probe failed: %s", why.c_str());
}

void Session::onServerDown(const ServerDown& down) {
  const char* const why = down.why.c_str();
  if (down.left == 0)
    GST_ELEMENT_WARNING(element_, RESOURCE, OPEN_READ, ("No inference server is left: %s", why),
                        ("until one is back, frames pass with what was predicted, and then bare"));
  else if (!down.known)
    GST_ELEMENT_WARNING(element_, RESOURCE, OPEN_READ, ("Inference server %s", why),
                        ("it is used as soon as it is there"));
  else  // The others do its work.
    GST_ELEMENT_INFO(element_, RESOURCE, OPEN_READ, ("Inference server %s", why),
                     ("it is left out until it is ready and infers again"));
}

void Session::onServerUp(const std::string& url) {
  GST_ELEMENT_INFO(element_, RESOURCE, OPEN_READ, ("Inference server %s answers.", url.c_str()),
                   (nullptr));
}

void Session::onPartsFail(const std::string& why) {
  GST_ELEMENT_WARNING(element_, RESOURCE, READ, ("Parts fail at %s", why.c_str()),
                      ("it answers others, and so is used all the same"));
}

void Session::onServerSilent(const std::string& url, std::chrono::seconds time) {
  GST_ELEMENT_WARNING(element_, RESOURCE, READ,
                      ("Inference server %s: has answered nothing for %d s, though it is ready",
                       url.c_str(), static_cast<int>(time.count())),
                      ("frames without a deadline wait for it"));
}

void Session::onServersIgnored(const std::string& what) {
  GST_ELEMENT_WARNING(element_, RESOURCE, SETTINGS, ("servers: %s", what.c_str()), (nullptr));
}

void Session::onModelMissing(const std::string& what, const std::string& why) {
  GST_ELEMENT_ERROR(element_, RESOURCE, NOT_FOUND, ("Inference server %s.", what.c_str()),
                    ("%s", why.c_str()));
}

}  // namespace elf::offloading
