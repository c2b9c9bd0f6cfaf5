// SPDX-License-Identifier: LGPL-2.1-or-later
#include <array>

#include "elf/render/svg.h"
#include "gst/bench/report.h"
#include "gst/bench/report_table.h"

namespace elf::bench {

namespace {

constexpr const char* kStyle = R"(
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1080px; margin: 2em auto;
       padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: .25em .55em; text-align: right; border-bottom: 1px solid #ddd; }
th { vertical-align: bottom; }
th:first-child, td:first-child, th:last-child, td:last-child { text-align: left; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: #444; }
.grid { stroke: #e4e4e4; }
.key span { display: inline-block; margin-right: 1.2em; }
.key i { display: inline-block; width: .8em; height: .8em; margin-right: .4em; }
.small { color: #555; font-size: 13px; } code { overflow-wrap: anywhere; }
)";

std::string colourOf(std::size_t mode) {
  constexpr std::array<const char*, 8> kColours = {"#666666", "#56b4e9", "#e69f00", "#009e73",
                                                   "#0072b2", "#d55e00", "#cc79a7", "#882255"};
  return kColours[mode % kColours.size()];
}

std::string element(const std::string& tag, const std::string& text) {
  return "<" + tag + ">" + svg::escapeMarkup(text) + "</" + tag + ">";
}

std::string tableOf(const Report& report) {
  std::string html = "<div class='wide'><table>\n";
  bool head = true;
  for (const auto& row : tableRows(report)) {
    html += "<tr>";
    for (const std::string& text : row) html += element(head ? "th" : "td", text);
    html += "</tr>\n";
    head = false;
  }
  return html + "</table></div>\n";
}

std::string keyOf(const Report& report) {
  std::string html = "<p class='key'>";
  for (std::size_t i = 0; i < report.modes.size(); ++i)
    html += "<span><i style='background:" + colourOf(i) + "'></i>" +
            svg::escapeMarkup(report.modes[i].name) + "</span>";
  return html + "</p>\n";
}

/** Median and 95th percentile of each mode. */
template <typename Times>
std::string bars(const Report& report, Times timesOf) {
  std::vector<svg::BarRow> rows;
  for (std::size_t i = 0; i < report.modes.size(); ++i) {
    const eval::Summary times = timesOf(report.modes[i].worst);
    rows.push_back({report.modes[i].name, colourOf(i), times.p50, times.p95});
  }
  return svg::barPlot(rows, "milliseconds");
}

std::string speedAgainstAgreement(const Report& report) {
  std::vector<svg::ScatterPoint> points;
  for (std::size_t i = 0; i < report.modes.size(); ++i) {
    const RepeatFigures& worst = report.modes[i].worst;
    if (worst.speedup)
      points.push_back({report.modes[i].name, colourOf(i), *worst.speedup, worst.confident.f1,
                        worst.confident75.f1});
  }
  if (points.empty()) return "<p>Speed-up is told where the mode single is run.</p>\n";
  return svg::scatterPlot(points, "speed-up", "confident F1");
}

std::string delayAgainstAgreement(const Report& report) {
  std::vector<svg::ScatterPoint> points;
  for (std::size_t i = 0; i < report.modes.size(); ++i) {
    const LiveFigures& live = *report.modes[i].worst.live;
    points.push_back({report.modes[i].name, colourOf(i), live.delayMs.p50, live.streaming.f1,
                      live.confident.f1});
  }
  return svg::scatterPlot(points, "median delay in milliseconds", "F1");
}

/** The latency of each frame, live its delay. */
std::string frameLines(const Report& report) {
  std::vector<svg::Line> lines;
  for (std::size_t i = 0; i < report.modes.size(); ++i) {
    const ModeFigures& mode = report.modes[i];
    svg::Line line{mode.name, colourOf(i), {}};
    if (report.live())
      for (const LiveFigures::Delay& delay : mode.worst.live->delays)
        line.points.push_back({static_cast<double>(delay.frame), delay.ms});
    else
      for (std::size_t k = 0; k < mode.worst.latencies.size(); ++k)
        line.points.push_back({static_cast<double>(k) * mode.sample, mode.worst.latencies[k]});
    lines.push_back(std::move(line));
  }
  return svg::linePlot(lines, "frame", "milliseconds");
}

std::string plotsOf(const Report& report) {
  if (report.live())
    return "<h2>Delay from capture to the sink: median, and 95th percentile (pale)</h2>\n" +
           bars(report, [](const RepeatFigures& worst) { return worst.live->delayMs; }) +
           "<h2>Age of the boxes shown: median, and 95th percentile (pale)</h2>\n" +
           bars(report, [](const RepeatFigures& worst) { return worst.live->ageMs; }) +
           "<h2>Delay and agreement, streaming (full) and confident (hollow)</h2>\n" +
           delayAgainstAgreement(report) + "<h2>Delay of each frame</h2>\n" + frameLines(report);
  return "<h2>Latency: median, and 95th percentile (pale)</h2>\n" +
         bars(report, [](const RepeatFigures& worst) { return worst.latencyMs; }) +
         "<h2>Speed-up and agreement at IoU 0.5 (full) and 0.75 (hollow)</h2>\n" +
         speedAgainstAgreement(report) + "<h2>Latency of each frame</h2>\n" + frameLines(report);
}

std::string launchLines(const Report& report) {
  std::string html = "<div class='wide'><table class='small'>\n";
  for (const ModeFigures& mode : report.modes)
    html += "<tr>" + element("td", mode.name) + "<td style='text-align:left'>" +
            element("code", mode.launch) + "</td></tr>\n";
  return html + "</table></div>\n";
}

}  // namespace

std::string reportHtml(const Report& report, const Options& options) {
  std::string html =
      "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
      "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
      "<title>elf-bench</title>\n<style>" +
      std::string(kStyle) + "</style>\n</head>\n<body>\n<h1>elf-bench</h1>\n";
  html += element("p", describeRun(report, options) + ".") + "\n" + tableOf(report);
  html += "<p class='small'>";
  for (const std::string& line : explainTable(report, options))
    html += svg::escapeMarkup(line) + "<br>";
  html += "</p>\n" + keyOf(report) + plotsOf(report);
  html += "<h2>How it was run</h2>\n<p class='small'>" + element("code", report.commandLine) +
          "<br>elf-bench " + svg::escapeMarkup(report.version) + ", " +
          svg::escapeMarkup(report.gstreamerVersion) + ", " + svg::escapeMarkup(report.date) +
          "</p>\n" + launchLines(report);
  return html + "</body>\n</html>\n";
}

}  // namespace elf::bench
