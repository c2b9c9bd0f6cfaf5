// SPDX-License-Identifier: LGPL-2.1-or-later
// elf-bench: compares ways to run a model on a video (docs/elf-bench.md).
#include <gst/gst.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <iostream>
#include <opencv2/core.hpp>

#include "elf/base/glib.h"
#include "elf/base/output_file.h"
#include "gst/bench/bench.h"
#include "gst/bench/report.h"

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUse = 2;

/** A line on standard error that overwrites itself. Silent unless that is a terminal. */
class ProgressLine {
 public:
  void show(const std::string& step, double done) {
    if (!terminal_) return;
    std::fprintf(stderr, "\r\033[K%s %3.0f %%", step.c_str(), done * 100);
    std::fflush(stderr);
  }
  void clear() {
    if (terminal_) std::fputs("\r\033[K", stderr);
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) == 1;
};

int fail(const std::exception& error, int code) {
  std::cerr << "elf-bench: " << error.what() << "\n";
  return code;
}

std::string commandLine(int argc, char** argv) {
  std::string line = "elf-bench";
  for (int i = 1; i < argc; ++i) {
    const std::string quoted = elf::takeText(g_shell_quote(argv[i]));
    const std::string argument = argv[i];
    const bool plain = !argument.empty() &&
                       argument.find_first_of(" \t\n'\"\\$`*?[]#~!&;()<>|{}") == std::string::npos;
    line += " " + (plain ? argument : quoted);
  }
  return line;
}

void run(const elf::bench::Options& options, const std::string& command) {
  elf::requireWritable(options.json);
  elf::requireWritable(options.html);
  ProgressLine line;
  struct Clear {
    ProgressLine& line;
    ~Clear() { line.clear(); }
  };
  elf::bench::Report report;
  {
    const Clear clear{line};
    report = elf::bench::runBench(
        options, [&line](const std::string& step, double done) { line.show(step, done); },
        [](const std::string& text) { std::cerr << "elf-bench: warning: " << text << '\n'; });
  }
  report.commandLine = command;
  const bool jsonOnOutput = options.json == "-";
  (jsonOnOutput ? std::cerr : std::cout) << reportText(report, options) << std::flush;
  if (!options.json.empty()) elf::writeFile(options.json, reportJson(report, options));
  if (!options.html.empty()) elf::writeFile(options.html, reportHtml(report, options));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string command = commandLine(argc, argv);
  elf::bench::Command parsed;
  try {
    gst_init(nullptr, nullptr);
    parsed = elf::bench::parseCommandLine(argc, argv);
  } catch (const std::exception& error) {
    return fail(error, kWrongUse);
  }
  if (parsed.printout) {
    std::cout << parsed.printout->text;
    return 0;
  }
  try {
    // Each server has one thread, and so has each thread of the reference.
    cv::setNumThreads(1);
    run(parsed.options, command);
  } catch (const std::exception& error) {
    return fail(error, kFailed);
  }
  return 0;
}
