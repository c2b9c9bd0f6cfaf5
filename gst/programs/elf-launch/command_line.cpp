// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/programs/elf-launch/command_line.h"

#include <gst/gst.h>

#include <charconv>

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

/** The options as they were given. Null or unset: not. */
struct Given {
  gboolean list = FALSE, version = FALSE, quiet = FALSE;
  std::string config, frames, json;
};

gboolean take(const gchar* name, const gchar* value, gpointer data, GError**) {
  auto* given = static_cast<Given*>(data);
  const std::string_view option = name;
  (option == "--config" ? given->config : option == "--json" ? given->json : given->frames) = value;
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
      {"quiet", 'q', 0, G_OPTION_ARG_NONE, &given.quiet, "Say nothing but errors and warnings",
       nullptr},
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

constexpr const char* kWrongFrames = "is neither above 0 nor -1, all";

/** Unset if it is not a number of frames. */
std::optional<gint64> framesOf(const std::string& text) {
  gint64 frames = -1;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, frames);
  if (parsed.ec != std::errc() || parsed.ptr != end || frames == 0 || frames < -1)
    return std::nullopt;
  return frames;
}

/** Adds what the file says, where the command line says nothing. */
void readConfig(Given& given, Options& options) {
  const KeyFile file(given.config);
  const auto fail = [&](const std::string& key, const std::string& why) {
    throw Error(file.path() + ": [" + kGroup + "] " + key, why);
  };
  for (const std::string& group : file.groups())
    if (group != kGroup && group != kVariables)
      throw Error(file.path() + ": [" + group + "]", std::string("unknown group (there are [") +
                                                         kGroup + "] and [" + kVariables + "])");
  for (const std::string& key : file.keys(kGroup)) {
    const std::string value = file.find(kGroup, key).value();
    if (value.empty()) fail(key, "is empty");
    if (key == "pipeline")
      options.name = value;
    else if (key == "frames" && !framesOf(value))
      fail(key, kWrongFrames);
    else if (key == "frames")
      given.frames = given.frames.empty() ? value : given.frames;
    else if (key == "json")
      given.json = given.json.empty() ? value : given.json;
    else if (key != "quiet")
      fail(key, "unknown key (the keys are pipeline, frames, json, quiet)");
    else if (value == "true")
      given.quiet = TRUE;
    else if (value != "false")
      fail(key, "'" + value + "' is neither true nor false");
  }
  if (options.name.empty()) fail("pipeline", "is missing");
  for (const std::string& name : file.keys(kVariables))
    options.assignments.push_back(name + "=" + file.find(kVariables, name).value());
}

}  // namespace

Options parseOptions(int argc, char** argv) {
  Given given = parseArguments(argc, argv);
  Options options{.list = given.list != FALSE, .version = given.version != FALSE};
  if (options.list || options.version) return options;
  if (!given.config.empty()) {
    readConfig(given, options);
  } else if (argc > 1) {
    options.name = argv[1];
    --argc;
    ++argv;
  } else {
    throw WrongUse("which pipeline? Give a name or a file, or --list");
  }
  options.assignments.insert(options.assignments.end(), argv + 1, argv + argc);
  if (!given.frames.empty()) {
    const std::optional<gint64> frames = framesOf(given.frames);
    if (!frames) throw WrongUse(std::string("--frames: ") + kWrongFrames);
    options.frames = *frames;
  }
  options.json = given.json;
  options.quiet = given.quiet != FALSE;
  return options;
}

}  // namespace elf::program
