// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/bench/report_table.h"

#include <algorithm>
#include <optional>

#include "elf/base/printable.h"

namespace elf::bench {

namespace {

std::string notesOf(const ModeFigures& mode) {
  std::string notes;
  const auto add = [&notes](const std::string& note) {
    notes += (notes.empty() ? "" : ", ") + note;
  };
  if (mode.worst.speedup && !mode.worst.holds && mode.name != "single") add("does not hold");
  if (mode.speedupByMean) add("speed-up of means");
  if (mode.sample > 1) add("1 frame in " + std::to_string(mode.sample));
  for (const std::string& mark : mode.worst.marks) add(mark);
  return notes;
}

std::string counted(int count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

/** How much less `value` is than `other`, in whole per cent. */
std::string saving(double value, double other) {
  return formatNumber(other > 0 ? (1 - value / other) * 100 : 0, 0) + " %";
}

using Row = std::vector<std::string>;

void addTruth(Row& row, const std::optional<eval::TruthFigures>& truth) {
  row.push_back(truth ? formatNumber(truth->f1, 3) : "-");
  row.push_back(truth ? formatNumber(truth->ap, 3) : "-");
}

std::vector<Row> liveRows(const Report& report) {
  const bool truth = report.referenceTruth.has_value();
  std::vector<Row> rows = {{"mode", "shown", "inferred", "delay p50", "p95", "p99 ms", "age p50",
                            "p95 ms", "confident", "at 0.75", "streaming"}};
  if (truth)
    rows[0].insert(rows[0].end(), {"truth F1", "truth AP", "streaming F1", "streaming AP"});
  rows[0].emplace_back("notes");
  for (const ModeFigures& mode : report.modes) {
    const LiveFigures& live = *mode.worst.live;
    Row row = {mode.name,
               formatNumber(live.shown * 100, 1) + " %",
               formatNumber(live.inferred * 100, 1) + " %",
               formatNumber(live.delayMs.p50, 1),
               formatNumber(live.delayMs.p95, 1),
               formatNumber(live.delayMs.p99, 1),
               formatNumber(live.ageMs.p50, 1),
               formatNumber(live.ageMs.p95, 1),
               formatNumber(live.confident.f1, 3),
               formatNumber(live.confident75.f1, 3),
               formatNumber(live.streaming.f1, 3)};
    if (truth) {
      addTruth(row, live.confidentTruth);
      addTruth(row, live.streamingTruth);
    }
    row.push_back(notesOf(mode));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

std::vector<std::vector<std::string>> tableRows(const Report& report) {
  if (report.live()) return liveRows(report);
  const bool truth = report.referenceTruth.has_value();
  const auto any = [&report](std::optional<double> eval::ShapeFigures::*which) {
    return std::ranges::any_of(report.modes, [which](const ModeFigures& mode) {
      return (mode.worst.shapes.*which).has_value();
    });
  };
  const bool masks = any(&eval::ShapeFigures::maskIou), joints = any(&eval::ShapeFigures::oks);
  const auto shown = [](const std::optional<double>& value) {
    return value ? formatNumber(*value, 3) : "-";
  };
  std::vector<Row> rows = {{"mode", "p50 ms", "p95 ms", "mean ms", "p95/p50", "fps", "kB", "Mpx",
                            "runs", "canvases", "kept", "speed-up", "F1", "confident", "at 0.75"}};
  if (masks) rows[0].emplace_back("mask IoU");
  if (joints) rows[0].emplace_back("OKS");
  if (truth) rows[0].insert(rows[0].end(), {"truth F1", "truth AP"});
  rows[0].emplace_back("notes");
  for (const ModeFigures& mode : report.modes) {
    const RepeatFigures& worst = mode.worst;
    Row row = {
        mode.name,
        formatNumber(worst.latencyMs.p50, 1),
        formatNumber(worst.latencyMs.p95, 1),
        formatNumber(worst.latencyMs.mean, 1),
        worst.latencyMs.p50 > 0 ? formatNumber(worst.latencyMs.p95 / worst.latencyMs.p50, 1) : "-",
        formatNumber(worst.fps, 1),
        formatNumber(worst.bytesPerFrame / 1e3, 1),
        formatNumber(worst.pixelsPerFrame / 1e6, 3),
        formatNumber(worst.work.runs, 2),
        formatNumber(worst.work.canvases, 2),
        formatNumber(worst.work.kept * 100, 0) + " %",
        worst.speedup ? formatNumber(*worst.speedup, 2) + "x" : "-",
        formatNumber(worst.agreement.f1, 3),
        formatNumber(worst.confident.f1, 3),
        formatNumber(worst.confident75.f1, 3)};
    if (masks) row.push_back(shown(worst.shapes.maskIou));
    if (joints) row.push_back(shown(worst.shapes.oks));
    if (truth) addTruth(row, worst.truth);
    row.push_back(notesOf(mode));
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string describeRun(const Report& report, const Options& options) {
  std::string asked;
  for (const OffloadProperty& property : options.offload)
    asked += ", " + property.name + "=" + property.value;
  if (options.fps > 0) asked += ", at most " + formatNumber(options.fps, 1) + " frames/s";
  if (options.live)
    asked += ", live at " + formatNumber(options.live->fps, 1) + " frames/s, shown after " +
             std::to_string(options.live->deadlineMs) + " ms";
  return "Frames 0 to " + std::to_string(report.frames - 1) + " of " + options.input + " (" +
         std::to_string(report.frameSize.width) + "x" + std::to_string(report.frameSize.height) +
         "), model " + options.model + ", " + counted(options.servers, "server") +
         " with one thread" + (report.pinned ? ", each on a core of its own" : "") + ", " +
         counted(report.cpus, "core") + asked;
}

std::vector<std::string> explainTable(const Report& report, const Options& options) {
  const std::string worst = "Worst of " + counted(options.repeats, "repeat") + ": ";
  std::vector<std::string> lines;
  if (report.live())
    lines = {worst + "each figure of the one where it is worst.",
             "Shown by capture + deadline, and inferred, of all captured frames. Delay: capture "
             "until arrival at the sink. Age: of the boxes of a shown frame.",
             "Confident: F1 of the boxes shown with a frame. Streaming: F1 of the newest boxes "
             "that are known when a frame is captured."};
  else
    lines = {
        worst +
        "latency and frames/s of the one with the lowest speed-up, agreement of the one with "
        "its lowest F1. kB, Mpx, runs and canvases were sent for a frame. Kept: of the boxes."};
  const std::string judge = options.reference.empty() ? "" : " of " + options.reference;
  lines.push_back("F1 compares with the whole frame" + judge + " without loss (" +
                  formatNumber(report.referenceBoxesPerFrame, 1) + " boxes a frame) at IoU 0.5.");
  lines.push_back("Confident: a box of score " + formatNumber(report.sureScore, 2) +
                  " needs a partner of " + formatNumber(report.minScore, 2) +
                  ", at IoU 0.5 and 0.75.");
  if (report.referenceTruth)
    lines.push_back("The whole frame without loss against the truth: F1 " +
                    formatNumber(report.referenceTruth->f1, 3) + ", AP " +
                    formatNumber(report.referenceTruth->ap, 3) + ".");
  const ModeFigures* elf = report.find("elf");
  const ModeFigures* single = report.find("single");
  if (elf && single && elf->worst.speedup)
    lines.push_back(
        "elf is " + formatNumber(*elf->worst.speedup, 1) + " times as fast as single, and sends " +
        saving(elf->worst.bytesPerFrame, single->worst.bytesPerFrame) + " fewer bytes and " +
        saving(elf->worst.pixelsPerFrame, single->worst.pixelsPerFrame) + " fewer pixels.");
  if (const auto share = report.shareOfOracle())
    lines.push_back("elf reaches " + formatNumber(*share * 100, 0) +
                    " % of the speed-up of the oracle.");
  return lines;
}

}  // namespace elf::bench
