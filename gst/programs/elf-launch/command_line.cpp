// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/programs/elf-launch/command_line.h"

#include <gst/gst.h>

#include <charconv>
#include <map>
#include <optional>

#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/base/key_file.h"

namespace elf::program {

namespace {

constexpr const char* kGroup = "elf-launch";
constexpr const char* kVariables = "variables";

constexpr const char* kSummary =
    "Runs a .pipeline file until it ends. Ctrl-C ends it so that files are whole; a second one\n"
    "stops at once. SIGHUP opens results files anew. Exit code: 0 done, 1 failed, 2 wrong use.";

/** The options as they were given. */
struct Given {
  gboolean list = FALSE, version = FALSE;
  std::optional<std::string> config;
  /** The others, by name. */
  std::map<std::string, std::string> texts;
};

gboolean take(const gchar* name, const gchar* value, gpointer data, GError**) {
  auto* given = static_cast<Given*>(data);
  const std::string option = name;
  if (option == "--config")
    given->config = value;
  else
    given->texts[option == "-q" ? "quiet" : option.substr(2)] = value ? value : "true";
  return TRUE;
}

/** Leaves the words that are no option. */
Given parseArguments(int& argc, char**& argv) {
  Given given;
  const auto text = reinterpret_cast<gpointer>(take);
  const GOptionEntry entries[] = {
      {"config", 0, G_OPTION_FLAG_FILENAME, G_OPTION_ARG_CALLBACK, text,
       "Read the pipeline, its variables and options of this file, too", "FILE"},
      {"list", 'l', 0, G_OPTION_ARG_NONE, &given.list, "List the pipelines and their variables",
       nullptr},
      {"frames", 0, 0, G_OPTION_ARG_CALLBACK, text, "End after the first N frames; -1 is all (-1)",
       "N"},
      {"json", 0, G_OPTION_FLAG_FILENAME, G_OPTION_ARG_CALLBACK, text,
       "Write a summary of the run to FILE; - is standard output", "FILE"},
      {"quiet", 'q', G_OPTION_FLAG_NO_ARG, G_OPTION_ARG_CALLBACK, text,
       "Say nothing but errors and warnings", nullptr},
      {"retry", 0, 0, G_OPTION_ARG_CALLBACK, text,
       "Start a camera that is lost again, for at most SECONDS; 0 is never, -1 for ever (-1)",
       "SECONDS"},
      {"version", 0, 0, G_OPTION_ARG_NONE, &given.version, "Show the version", nullptr},
      {nullptr, 0, 0, G_OPTION_ARG_NONE, nullptr, nullptr, nullptr}};
  const Ref<GOptionContext> context(g_option_context_new("NAME|FILE [VARIABLE=VALUE ...]"));
  g_option_context_set_summary(context.get(), kSummary);
  GOptionGroup* const group = g_option_group_new("main", "", "", &given, nullptr);
  g_option_group_add_entries(group, entries);
  g_option_context_set_main_group(context.get(), group);
  g_option_context_add_group(context.get(), gst_init_get_option_group());
  GError* error = nullptr;
  if (!g_option_context_parse(context.get(), &argc, &argv, &error))
    throw WrongUse(takeReason(error));
  return given;
}

constexpr gint64 kMostSeconds = 1'000'000'000;

/** Unset if it is not a number from -1 to `most`. */
std::optional<gint64> numberOf(const std::string& text, gint64 most) {
  gint64 number = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end || number < -1 || number > most)
    return std::nullopt;
  return number;
}

/** Sets an option. Returns what is wrong with its value; empty: nothing. */
std::string set(Options& options, const std::string& name, const std::string& value) {
  if (name == "pipeline") {
    options.name = value;
  } else if (name == "json") {
    options.json = value;
  } else if (name == "frames") {
    const auto frames = numberOf(value, G_MAXINT64);
    if (!frames || *frames == 0) return "is neither above 0 nor -1, all";
    options.frames = *frames;
  } else if (name == "retry") {
    const auto seconds = numberOf(value, kMostSeconds);
    if (!seconds) return "is neither a number of seconds nor -1, for ever";
    options.retry = *seconds;
  } else if (name != "quiet") {
    return "unknown key (the keys are pipeline, frames, json, quiet, retry)";
  } else if (value != "true" && value != "false") {
    return "'" + value + "' is neither true nor false";
  } else {
    options.quiet = value == "true";
  }
  return value.empty() ? "is empty" : "";
}

void readConfig(const std::string& path, Options& options) {
  const KeyFile file(path);
  const auto fail = [&](const std::string& key, const std::string& why) {
    throw Error(file.path() + ": [" + kGroup + "] " + key, why);
  };
  for (const std::string& group : file.groups())
    if (group != kGroup && group != kVariables)
      throw Error(file.path() + ": [" + group + "]", std::string("unknown group (there are [") +
                                                         kGroup + "] and [" + kVariables + "])");
  for (const std::string& key : file.keys(kGroup))
    if (const std::string fault = set(options, key, file.find(kGroup, key).value()); !fault.empty())
      fail(key, fault);
  if (options.name.empty()) fail("pipeline", "is missing");
  for (const std::string& name : file.keys(kVariables))
    options.assignments.push_back(name + "=" + file.find(kVariables, name).value());
}

}  // namespace

Options parseOptions(int argc, char** argv) {
  const Given given = parseArguments(argc, argv);
  Options options{.list = given.list != FALSE, .version = given.version != FALSE};
  if (options.list || options.version) return options;
  if (given.config) {
    readConfig(*given.config, options);
  } else if (argc > 1) {
    options.name = argv[1];
    --argc;
    ++argv;
  } else {
    throw WrongUse("which pipeline? Give a name or a file, or --list");
  }
  for (const auto& [name, value] : given.texts)
    if (const std::string fault = set(options, name, value); !fault.empty())
      throw WrongUse("--" + name + ": " + fault);
  options.assignments.insert(options.assignments.end(), argv + 1, argv + argc);
  return options;
}

}  // namespace elf::program
