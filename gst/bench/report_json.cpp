// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cmath>
#include <nlohmann/json.hpp>

#include "gst/bench/report.h"

namespace elf::bench {

namespace {

// Keeps the order in which the code writes the fields.
using Json = nlohmann::ordered_json;

Json toJson(const eval::Figures& figures) {
  return {{"precision", figures.precision}, {"recall", figures.recall}, {"f1", figures.f1}};
}

Json toJson(const std::optional<eval::TruthFigures>& truth) {
  if (!truth) return nullptr;
  Json json = toJson(static_cast<const eval::Figures&>(*truth));
  json["ap"] = truth->ap;
  return json;
}

Json toJson(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json toJson(const std::optional<LiveFigures>& live, const std::optional<Live>& settings) {
  if (!live) return nullptr;
  Json truth;
  if (live->confidentTruth)
    truth = {{"confident", toJson(live->confidentTruth)},
             {"streaming", toJson(live->streamingTruth)}};
  return {{"fps", settings->fps},
          {"deadline_ms", settings->deadlineMs},
          {"shown", live->shown},
          {"inferred", live->inferred},
          {"delay_ms",
           {{"p50", live->delayMs.p50}, {"p95", live->delayMs.p95}, {"p99", live->delayMs.p99}}},
          {"age_ms", {{"p50", live->ageMs.p50}, {"p95", live->ageMs.p95}}},
          {"confident", toJson(live->confident)},
          {"confident75", toJson(live->confident75)},
          {"streaming", toJson(live->streaming)},
          {"truth", std::move(truth)}};
}

Json toJson(const RepeatFigures& figures, const Options& options) {
  return {{"latency_ms",
           {{"mean", figures.latencyMs.mean},
            {"p50", figures.latencyMs.p50},
            {"p95", figures.latencyMs.p95}}},
          {"fps", figures.fps},
          {"bytes_per_frame", figures.bytesPerFrame},
          {"whole_bytes_per_frame", figures.wholeBytesPerFrame},
          {"kbit_per_second", figures.kilobitsPerSecond},
          {"pixels_per_frame", figures.pixelsPerFrame},
          {"runs_per_frame", figures.work.runs},
          {"canvases_per_frame", figures.work.canvases},
          {"kept_share", figures.work.kept},
          {"skipped", figures.skipped},
          {"quality", figures.quality},
          {"scale", figures.scale},
          {"agreement", toJson(figures.agreement)},
          {"confident", toJson(figures.confident)},
          {"confident75", toJson(figures.confident75)},
          {"mask_iou", toJson(figures.shapes.maskIou)},
          {"oks", toJson(figures.shapes.oks)},
          {"truth", toJson(figures.truth)},
          {"speedup", toJson(figures.speedup)},
          {"holds", figures.holds},
          {"marks", figures.marks},
          {"live", toJson(figures.live, options.live)}};
}

Json toJson(const std::vector<OffloadProperty>& properties) {
  Json json = Json::object();
  for (const OffloadProperty& property : properties) json[property.name] = property.value;
  return json;
}

Json toJson(const std::optional<Live>& live) {
  if (!live) return nullptr;
  return {{"fps", live->fps}, {"deadline_ms", live->deadlineMs}};
}

Json fileOrNull(const std::string& path) {
  return path.empty() ? Json(nullptr) : Json(path);
}

/** Rounds a score to remove the noise of single precision. */
double score(float value) {
  return std::round(value * 1e6) / 1e6;
}

Json settingsOf(const Report& report, const Options& options) {
  return {{"input", options.input},
          {"model", options.model},
          {"reference", fileOrNull(options.reference)},
          {"servers", options.servers},
          {"modes", options.modes},
          {"frames", report.frames},
          {"width", report.frameSize.width},
          {"height", report.frameSize.height},
          {"format", report.format},
          {"scale", options.scale},
          {"truth", fileOrNull(options.truth)},
          {"json", fileOrNull(options.json)},
          {"html", fileOrNull(options.html)},
          {"repeats", options.repeats},
          {"skip_interval", options.skipInterval},
          {"grid",
           options.grid.empty() ? Json(nullptr) : Json{options.grid.width, options.grid.height}},
          {"sample", options.sample},
          {"offload", toJson(options.offload)},
          {"fps", options.fps},
          {"live", toJson(options.live)},
          {"min_score", score(report.minScore)},
          {"sure_score", score(report.sureScore)},
          {"version", report.version},
          {"gstreamer_version", report.gstreamerVersion},
          {"cpus", report.cpus},
          {"pinned", report.pinned},
          {"date", report.date},
          {"command", report.commandLine}};
}

}  // namespace

std::string reportJson(const Report& report, const Options& options) {
  Json modes = Json::object();
  for (const ModeFigures& mode : report.modes) {
    Json json = toJson(mode.worst, options);
    json["speedup_of"] = mode.speedupByMean ? "mean" : "median";
    json["frames"] = mode.frames;
    json["sample"] = mode.sample;
    json["launch"] = mode.launch;
    json["repeats"] = Json::array();
    for (const RepeatFigures& repeat : mode.repeats)
      json["repeats"].push_back(toJson(repeat, options));
    if (mode.name == "elf") json["share_of_oracle"] = toJson(report.shareOfOracle());
    modes[mode.name] = std::move(json);
  }
  const Json json = {{"settings", settingsOf(report, options)},
                     {"reference",
                      {{"boxes_per_frame", report.referenceBoxesPerFrame},
                       {"truth", toJson(report.referenceTruth)}}},
                     {"modes", std::move(modes)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace elf::bench
