// SPDX-License-Identifier: LGPL-2.1-or-later
// elf-eval: evaluates parts of Elf on given data (docs/elf-eval.md).
#include <glib.h>

#include <exception>
#include <iostream>
#include <opencv2/core/utility.hpp>
#include <string>
#include <string_view>

#include "research/programs/elf-eval/tasks.h"

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUse = 2;

constexpr struct {
  std::string_view name;
  const char* description;
  elf::program::Task* run;
} kTasks[] = {
    {"rp", "how good RP prediction is", elf::program::runRp},
    {"partition", "how long frames wait as a partitioner plans them", elf::program::runPartition},
    {"simulate", "how fast and how exact whole streams are, without a network",
     elf::program::runSimulate},
};

void printHelp() {
  std::cout << "Usage:\n  elf-eval TASK --data DIR [OPTION...]\n\nTasks:\n";
  for (const auto& task : kTasks)
    std::cout << "  " << task.name << ": " << task.description << '\n';
  std::cout << "\nelf-eval TASK --help tells the options of a task.\n";
}

void run(int argc, char** argv) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  std::string names;
  for (const auto& task : kTasks) {
    if (first == task.name) {
      g_set_prgname(("elf-eval " + std::string(task.name)).c_str());
      argv[1] = argv[0];
      task.run(argc - 1, argv + 1);
      return;
    }
    names += (names.empty() ? "" : ", ") + std::string(task.name);
  }
  if (first == "--version")
    std::cout << "elf-eval " << ELF_VERSION << '\n';
  else if (first == "--help" || first == "-h")
    printHelp();
  else if (first.empty() || first.front() == '-')
    throw elf::program::WrongUse("what is to be evaluated is missing: " + names);
  else
    throw elf::program::WrongUse("unknown task '" + std::string(first) + "', there are: " + names);
}

}  // namespace

int main(int argc, char** argv) {
  cv::setNumThreads(1);
  // The name in --help, and in hints after wrong use.
  g_set_prgname("elf-eval");
  try {
    run(argc, argv);
  } catch (const elf::program::WrongUse& error) {
    std::cerr << "elf-eval: " << error.what() << "; see " << g_get_prgname() << " --help\n";
    return kWrongUse;
  } catch (const std::exception& error) {
    std::cerr << "elf-eval: " << error.what() << '\n';
    return kFailed;
  }
  return 0;
}
