// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/fetch/model_fetch.h"

#include <glib.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "elf/base/checksum.h"
#include "elf/base/data_files.h"
#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/base/printable.h"
#include "elf/fetch/part_file.h"
#include "elf/fetch/source.h"

namespace elf {

namespace {

namespace fs = std::filesystem;

/** A main context of its own, so that libsoup leaves nothing to another one. */
class OwnContext {
 public:
  OwnContext() { g_main_context_push_thread_default(context_.get()); }
  ~OwnContext() {
    while (g_main_context_iteration(context_.get(), FALSE)) {
    }
    g_main_context_pop_thread_default(context_.get());
  }
  OwnContext(const OwnContext&) = delete;
  OwnContext& operator=(const OwnContext&) = delete;

 private:
  const Ref<GMainContext> context_{g_main_context_new()};
};

/** A file to fetch. */
struct Job {
  /** Its index in the model. */
  std::size_t index = 0;
  std::unique_ptr<PartFile> part;
  std::unique_ptr<Source> source;
  std::optional<std::uint64_t> total;
};

class Fetch {
 public:
  Fetch(const ModelFile& model, const FetchOptions& options)
      : model_(model),
        options_(options),
        folder_(options.folder.empty() ? userDataFolder(kModelFiles) : options.folder) {}

  std::vector<FetchedFile> run() {
    check();
    fetched_.resize(model_.files.size());
    for (std::size_t i = 0; i < model_.files.size(); ++i)
      if (!isThere(i)) jobs_.push_back({i});
    if (jobs_.empty()) return fetched_;
    begin();
    for (Job& job : jobs_) finish(job);
    return fetched_;
  }

 private:
  /** The path for errors. */
  std::string subject() const { return model_.path.empty() ? model_.name : model_.path; }
  std::string goal(std::size_t i) const { return fs::path(folder_) / model_.files[i]; }
  bool isPinned() const { return !model_.sha256.empty(); }
  const std::vector<std::string>& addresses() const {
    return options_.from.empty() ? model_.urls : options_.from;
  }

  void check() const {
    if (model_.files.empty() || model_.backend == ModelBackend::Library)
      throw Error(subject(), "is of backend " + std::string(toString(model_.backend)) +
                                 ", for which no file is fetched");
    // A model's files must not become other files that Elf searches for.
    for (const std::string& file : model_.files)
      if (file.find('/') != file.npos || file.starts_with('.') || file.ends_with(".part") ||
          file.ends_with(kModelFiles.suffix) || file.ends_with(kWeightFiles.suffix))
        throw Error(subject() + ": [model] file",
                    "'" + printable(file) + "' cannot be the name of a fetched file");
    if (!options_.from.empty() && options_.from.size() != model_.files.size())
      throw Error(subject() + ": [model] file",
                  "is " + std::to_string(model_.files.size()) + " in number, and " +
                      std::to_string(options_.from.size()) +
                      " addresses are given (one for each, in its order)");
  }

  /** Whether a file that the model would use is there, and the right one. */
  bool isThere(std::size_t i) {
    std::error_code ignored;
    std::optional<std::string> path = findWeightFile(model_, model_.files[i]);
    if (!path && fs::exists(goal(i), ignored)) path = goal(i);
    if (!path) return false;
    const std::string sum = sha256Of(*path);
    if (isPinned() && sum != model_.sha256[i])
      throw Error(*path, "is there already, with sha256 " + sum + ", not " + model_.sha256[i] +
                             " (move it away)");
    if (!isPinned() && !options_.from.empty())
      throw Error(*path, "is there already (move it away)");
    fetched_[i] = {*path, fs::file_size(*path), sum, true};
    return true;
  }

  /** Opens parts and sources, and reports the plan. */
  void begin() {
    if (addresses().empty())
      throw Error(subject() + ": [model] url",
                  "is missing (name the address, or a file that you have, with --from)");
    if (g_mkdir_with_parents(folder_.c_str(), 0700) != 0)
      throw Error(folder_, "can't be made: " + std::generic_category().message(errno));
    FetchPlan plan{.bytes = 0};
    for (auto job = jobs_.begin(); job != jobs_.end();) {
      job->part = std::make_unique<PartFile>(goal(job->index));
      // Another process may have fetched it before it released the part.
      if (isThere(job->index)) {
        job = jobs_.erase(job);
        continue;
      }
      job->source =
          Source::create(addresses()[job->index], *job->part,
                         {options_.longest, options_.patience, options_.caFile, options_.stop});
      job->total = job->source->open();
      // A server must not wait for the end of another file.
      if (job != jobs_.begin()) job->source->close();
      plan.files.push_back(model_.files[job->index]);
      const std::string from = job->source->name();
      if (std::ranges::find(plan.from, from) == plan.from.end()) plan.from.push_back(from);
      plan.bytes =
          plan.bytes && job->total ? std::optional(*plan.bytes + *job->total) : std::nullopt;
      plan.bytesThere += job->source->offset();
      ++job;
    }
    if (jobs_.empty()) return;
    requireSpace(plan);
    if (options_.onPlan) options_.onPlan(plan);
  }

  /** Reports a full disk before anything is written, if possible. */
  void requireSpace(const FetchPlan& plan) const {
    struct statvfs disk {};
    if (!plan.bytes || statvfs(folder_.c_str(), &disk) != 0 || disk.f_blocks == 0) return;
    std::uint64_t room = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    // The bytes of parts stay, or free their room.
    for (const Job& job : jobs_) room += job.part->size();
    if (*plan.bytes > room)
      throw Error(folder_, "has room for " + formatBytes(room) + ", and " +
                               formatBytes(*plan.bytes) + " are needed");
  }

  void finish(Job& job) {
    const std::string& file = model_.files[job.index];
    PartFile& part = *job.part;
    job.source->receive([&] {
      if (options_.onProgress) options_.onProgress({file, part.size(), job.total});
    });
    const std::string sum = sha256Of(part.path());
    std::string fault;
    if (isPinned() && sum != model_.sha256[job.index])
      fault = "has sha256 " + sum + ", not " + model_.sha256[job.index];
    else if (!isPinned() && !job.source->isWhole())
      fault = "may have been cut, which neither its server tells nor a sha256 of the .model file";
    if (!fault.empty()) {
      part.discard();
      throw Error(file + " from " + job.source->name(), fault + "; nothing of it is kept");
    }
    const std::uint64_t bytes = part.size();
    part.commit();
    fetched_[job.index] = {goal(job.index), bytes, sum, false};
  }

  const ModelFile& model_;
  const FetchOptions& options_;
  const std::string folder_;
  const OwnContext context_;
  std::vector<Job> jobs_;
  std::vector<FetchedFile> fetched_;
};

}  // namespace

std::vector<FetchedFile> fetchModel(const ModelFile& model, const FetchOptions& options) {
  return Fetch(model, options).run();
}

}  // namespace elf
