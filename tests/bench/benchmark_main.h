// SPDX-License-Identifier: LGPL-2.1-or-later
// The main function of a program of google-benchmark that names its benchmarks at run time.
#pragma once

#include <benchmark/benchmark.h>

namespace elf {

/** `registerAll` registers them; wrong arguments are 2. */
inline int runBenchmarks(int argc, char** argv, void (*registerAll)()) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  registerAll();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace elf
