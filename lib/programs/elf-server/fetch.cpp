// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/glib.h"
#include "elf/fetch/model_fetch.h"

#include <glib-unix.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <exception>
#include <iostream>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "elf/base/error.h"
#include "elf/base/printable.h"
#include "programs/elf-server/tasks.h"

namespace elf::program {

namespace {

std::string list(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + printable(text);
  return all;
}

void print(const ModelFile& model, const FetchPlan& plan) {
  std::cout << printable(model.name) << ": " << plan.files.size()
            << (plan.files.size() == 1 ? " file, " : " files, ")
            << (plan.bytes ? formatBytes(*plan.bytes) : "size not told,");
  if (plan.bytesThere > 0) std::cout << " (" << formatBytes(plan.bytesThere) << " are there)";
  std::cout << " from " << list(plan.from)
            << (model.licence.empty() ? ", licence not stated"
                                      : ", licence " + printable(model.licence))
            << std::endl;
}

/** A line on the terminal, if there is one, that overwrites itself. */
class ProgressLine {
 public:
  ~ProgressLine() {
    if (isThere_) std::cerr << kEmptied << std::flush;
  }

  void show(const FetchProgress& progress) {
    const auto now = std::chrono::steady_clock::now();
    if (!isTerminal_ || now < next_) return;
    next_ = now + std::chrono::milliseconds(200);
    isThere_ = true;
    std::cerr << kEmptied << printable(progress.file, 40) << ": " << formatBytes(progress.bytes);
    if (progress.total)
      std::cerr << " of " << formatBytes(*progress.total) << ", "
                << progress.bytes * 100 / std::max<std::uint64_t>(*progress.total, 1) << " %";
    std::cerr << std::flush;
  }

 private:
  static constexpr const char* kEmptied = "\r\033[K";
  const bool isTerminal_ = isatty(STDERR_FILENO);
  bool isThere_ = false;
  std::chrono::steady_clock::time_point next_{};
};

std::vector<FetchedFile> fetch(const ModelFile& model, FetchOptions options) {
  ProgressLine line;
  options.onPlan = [&](const FetchPlan& plan) { print(model, plan); };
  options.onProgress = [&](const FetchProgress& progress) { line.show(progress); };
  return fetchModel(model, options);
}

/** The line of a `.model` file that would pin these files. */
std::string pinOf(const std::vector<FetchedFile>& files) {
  std::string pin;
  for (const FetchedFile& file : files) pin += (pin.empty() ? "sha256=" : ";") + file.sha256;
  return pin;
}

bool isMissing(const ModelFile& model) {
  return std::ranges::any_of(model.files,
                             [&](const std::string& file) { return !findWeightFile(model, file); });
}

void report(const ModelFile& model, const std::vector<FetchedFile>& files) {
  const bool isPinned = !model.sha256.empty();
  for (const FetchedFile& file : files)
    std::cout << file.path << ": " << (file.wasThere ? "is there, " : "") << formatBytes(file.bytes)
              << (isPinned ? ", sha256 as it must be" : "") << '\n';
  if (!isPinned)
    std::cout << "nothing says which bytes these must be; from now on this line of " << model.path
              << " would: " << pinOf(files) << '\n';
  if (model.detector && isMissing(*model.detector))
    std::cout << "its detector is still missing: elf-server --fetch "
              << printable(model.detector->name) << '\n';
}

gboolean stop(gpointer source) {
  static_cast<std::stop_source*>(source)->request_stop();
  return G_SOURCE_CONTINUE;
}

}  // namespace

void fetchModel(const std::string& name, const std::vector<std::string>& from) {
  const ModelFile model = loadModelFile(name);
  const elf::Ref<GMainLoop> loop(g_main_loop_new(nullptr, FALSE));
  std::vector<FetchedFile> files;
  std::exception_ptr failure;
  std::stop_source ended;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) g_unix_signal_add(signal, stop, &ended);
  // This thread waits for the signals.
  std::thread worker([&] {
    try {
      files = fetch(model, {.from = from, .stop = ended.get_token()});
    } catch (...) {
      failure = std::current_exception();
    }
    // Quits from inside the loop, which may not have begun.
    elf::post(nullptr, [&] { g_main_loop_quit(loop.get()); });
  });
  g_main_loop_run(loop.get());
  worker.join();
  if (failure) std::rethrow_exception(failure);
  report(model, files);
}

}  // namespace elf::program
