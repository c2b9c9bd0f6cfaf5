// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/status_page.h"

#include <gio/gio.h>

#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <utility>

#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/base/seconds.h"

namespace elf {

namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr const char* kPage = "/elf/server/page.html";

std::string base64(std::span<const std::uint8_t> bytes) {
  return takeText(g_base64_encode(bytes.data(), bytes.size()));
}

/** 'sha256-...' of the text between the only <tag> and </tag> of a page. */
std::string hashOf(const std::string& html, const std::string& tag) {
  const std::string open = "<" + tag + ">";
  const std::size_t begin = html.find(open) + open.size();
  const std::string_view text =
      std::string_view(html).substr(begin, html.find("</" + tag + ">", begin) - begin);
  std::uint8_t digest[32];
  gsize size = sizeof digest;
  GChecksum* sum = g_checksum_new(G_CHECKSUM_SHA256);
  g_checksum_update(sum, reinterpret_cast<const guchar*>(text.data()),
                    static_cast<gssize>(text.size()));
  g_checksum_get_digest(sum, digest, &size);
  g_checksum_free(sum);
  return "'sha256-" + base64(digest) + "'";
}

Json pictureOf(const ShownAnswer& shown, const ModelRules& rules) {
  Json found = Json::array();
  for (const Detection& each : shown.found) {
    Json object = {{"box", {each.box.x0, each.box.y0, each.box.x1, each.box.y1}},
                   {"score", each.score},
                   {"label", rules.label(each.labelId)}};
    if (const auto& rotated = each.rotated)
      object["rotated"] = {rotated->centreX, rotated->centreY, rotated->width, rotated->height,
                           rotated->angle};
    found.push_back(std::move(object));
  }
  return {{"width", shown.size.width},
          {"height", shown.size.height},
          {"jpeg", base64(shown.jpeg)},
          {"found", std::move(found)}};
}

Json statusOf(ModelQueue& model, Clock::time_point started) {
  Json codes = Json::object();
  for (const auto& [code, count] : model.metrics().tallies().codes)
    codes[std::to_string(code)] = count;
  Json answers = Json::array();
  for (const RecentAnswer& each : model.metrics().recent())
    answers.push_back({{"at_s", secondsOf(each.at - started)},
                       {"queue_us", each.times.queue.count()},
                       {"decode_us", each.times.decode.count()},
                       {"infer_us", each.times.infer.count()},
                       {"waiting", each.waiting}});
  const QueueLoad load = model.load();
  Json status = {{"name", model.metadata().name},
                 {"waiting", load.waiting},
                 {"busy", load.busy},
                 {"workers", load.workers},
                 {"requests", std::move(codes)},
                 {"answers", std::move(answers)}};
  if (const auto shown = model.shown())
    status["picture"] = pictureOf(*shown, model.metadata().rules.value());
  return status;
}

/** Browsers must not store the reply or guess its type. */
Reply privately(Reply reply) {
  reply.headers = {{"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}};
  return reply;
}

}  // namespace

StatusPage::StatusPage() {
  const Ref<GBytes> bytes(g_resources_lookup_data(kPage, G_RESOURCE_LOOKUP_FLAGS_NONE, nullptr));
  if (!bytes) throw Error(kPage, "is not built in");
  gsize size = 0;
  const auto* text = static_cast<const char*>(g_bytes_get_data(bytes.get(), &size));
  html_.assign(text, size);
  policy_ = "default-src 'none'; script-src " + hashOf(html_, "script") + "; style-src " +
            hashOf(html_, "style") +
            "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'";
}

Reply StatusPage::reply() const {
  Reply reply =
      privately({.body = {html_.begin(), html_.end()}, .type = "text/html; charset=utf-8"});
  reply.headers.emplace_back("Content-Security-Policy", policy_);
  return reply;
}

Reply statusReply(const std::vector<std::unique_ptr<ModelQueue>>& models,
                  Clock::time_point started) {
  Json list = Json::array();
  for (const auto& model : models) list.push_back(statusOf(*model, started));
  const Json status = {{"version", ELF_VERSION},
                       {"uptime_s", secondsOf(Clock::now() - started)},
                       {"models", std::move(list)}};
  return privately(jsonReply(status.dump(-1, ' ', true, Json::error_handler_t::replace)));
}

}  // namespace elf
