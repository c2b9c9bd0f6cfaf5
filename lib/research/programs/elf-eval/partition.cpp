// SPDX-License-Identifier: LGPL-2.1-or-later
// elf-eval partition: reports how long frames wait as a partitioner plans them.
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "elf/base/printable.h"
#include "elf/partition/partitioner.h"
#include "programs/options.h"
#include "research/eval/partition_protocol.h"
#include "research/programs/elf-eval/tasks.h"

namespace elf::program {

namespace {

struct Options {
  CommonOptions common;
  std::string partitioner;
  eval::PartitionOptions protocol;
};

Options parse(int argc, char** argv) {
  Options options;
  eval::PartitionOptions& protocol = options.protocol;
  Text partitioner, speeds;
  gint servers = 1;
  const std::string partitionerHelp = helpOn(partitionerChoices());
  const std::vector<GOptionEntry> entries = {
      {"partitioner", 'p', 0, G_OPTION_ARG_STRING, partitioner.slot(), partitionerHelp.c_str(),
       "NAME"},
      {"servers", 'n', 0, G_OPTION_ARG_INT, &servers, "How many there are (default: 1)", "N"},
      {"speeds", 0, 0, G_OPTION_ARG_STRING, speeds.slot(),
       "Of each server; at speed 1 a whole frame takes 1 (default: 1 for each)", "S,..."},
      {"fixed-cost", 0, 0, G_OPTION_ARG_DOUBLE, &protocol.fixedCost,
       "What each part takes besides (default: 0.005)", "SHARE"},
      {"pad", 0, 0, G_OPTION_ARG_DOUBLE, &protocol.padding.ratio,
       "Padding of each side, as a share of the box's size (default: 0.06)", "SHARE"},
      {"min-pad", 0, 0, G_OPTION_ARG_DOUBLE, &protocol.padding.minimum,
       "Least padding (default: 8)", "PIXELS"},
      {"object-size", 0, 0, G_OPTION_ARG_INT, &protocol.objectSize,
       "Height of the smallest object that the model finds; 0: parts are not scaled (default: 0)",
       "PIXELS"}};
  options.common = parseCommandLine(
      argc, argv, "- say how long frames wait as a partitioner plans them", entries);
  options.partitioner = partitioner.valueOr(partitionerChoices().front().name);
  requireChoice("--partitioner", options.partitioner, partitionerChoices());
  requireWithin("--fixed-cost", protocol.fixedCost, 0, 1000);
  requireWithin("--pad", protocol.padding.ratio, 0, 100);
  requireWithin("--min-pad", protocol.padding.minimum, 0, 10000);
  requireWithin("--object-size", protocol.objectSize, 0, kMaxPixels);
  protocol.speeds = parseSpeeds(speeds.valueOr(""), servers);
  return options;
}

void print(const Json& result) {
  const auto text = [](const Json& figure) { return formatNumber(figure.get<double>(), 3); };
  std::cout << result["partitioner"].get<std::string>() << " on " << result["speeds"].size()
            << " servers, " << result["frames"] << " frames: wait "
            << text(result["makespan"]["mean"]) << " of a whole frame (95 % within "
            << text(result["makespan"]["p95"]) << "; no plan is below "
            << text(result["lower_bound"]) << "), " << text(result["pixels"])
            << " of the pixels in " << text(result["parts"]) << " parts, " << result["cut"]
            << " of " << result["rps"] << " RPs cut, " << text(result["plan_us"])
            << " us for a plan\n";
}

}  // namespace

void runPartition(int argc, char** argv) {
  const Options options = parse(argc, argv);
  const CommonOptions& common = options.common;
  const eval::PartitionOptions& protocol = options.protocol;
  const std::unique_ptr<Partitioner> partitioner = Partitioner::create(options.partitioner);
  const std::vector<Trace> traces = readTraces(common.data, common.traces);
  Pictures pictures(common, traces);
  const eval::PartitionFigures figures =
      eval::evaluatePartition(traces, *partitioner, protocol, pictures.watcher());
  report(common,
         {{"partitioner", options.partitioner},
          {"data", common.data},
          {"traces", traces.size()},
          {"speeds", protocol.speeds},
          {"fixed_cost", protocol.fixedCost},
          {"pad", {{"ratio", protocol.padding.ratio}, {"minimum", protocol.padding.minimum}}},
          {"object_size", protocol.objectSize},
          {"frames", figures.frames},
          {"rps", figures.rps},
          {"cut", figures.cut},
          {"makespan", {{"mean", figures.makespan.mean}, {"p95", figures.makespan.p95}}},
          {"lower_bound", figures.lowerBound},
          {"pixels", figures.pixels},
          {"parts", figures.parts},
          {"plan_us", figures.planUs.p50}},
         print);
}

}  // namespace elf::program
