// SPDX-License-Identifier: LGPL-2.1-or-later
#include "programs/elf-server/command_line.h"

#include <glib.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/base/key_file.h"
#include "elf/server/inference_model.h"

namespace elf::program {

namespace {

constexpr const char* kGroup = "elf-server";

enum class Source { CommandLine, Both };

struct Option {
  const char* name;
  /** Null: the option takes no value. */
  const char* argument;
  /** Null: not shown. */
  const char* help;
  Source source = Source::Both;
  /** Whether it may be given several times. */
  bool many = false;
  char letter = 0;
};

// Those of both sources are about serving, in the order of --help.
constexpr Option kOptions[] = {
    {"config", "FILE", "Read options of this file, too", Source::CommandLine},
    {"model", "NAME|FILE", "Model to serve; may be given several times (default: hog, if built in)",
     Source::Both, true, 'm'},
    {"port", "N", "Port; 0 takes any free one (default: 8000)", Source::Both, false, 'p'},
    {"bind", "ADDRESS", "Address to listen on (default: 127.0.0.1)"},
    {"token-file", "FILE", "Serve only those who bring the token in this file"},
    {"tls-cert", "FILE", "Certificate of this server, PEM: speak HTTPS"},
    {"tls-key", "FILE", "Its key, PEM"},
    {"client-ca", "FILE", "Serve only clients with a certificate of these authorities, PEM"},
    {"announce", nullptr, "Announce the server and its models on the local network, by Avahi"},
    {"threads", "N", "Worker threads of each model, each with the model to itself (default: 1)"},
    {"queue", "N",
     "Requests that may wait for a model; one more is answered with 503 (default: 16)"},
    {"show-answers", nullptr,
     "Show the last picture of each model, small, and what was found there at /"},
    {"openvino-dir", "DIR",
     "The folder of OpenVINO's libraries (default: where the system has them)"},
    {"load-timeout", "SECONDS", "Give up on a model that takes longer to load (default: 600)"},
    {"log", "FILE", "Append a JSON line for each request; - is standard output"},
    {"json", "FILE", "Write url, models and threads as JSON once it listens; - is standard output"},
    {"check", "NAME|FILE", "Run this model on a picture, say what it finds and takes, and end",
     Source::CommandLine},
    {"picture", "FILE", "For --check: a JPEG or PNG (default: one is made)", Source::CommandLine},
    {"output", "FILE",
     "For --check: where the picture goes with what was found drawn (default: NAME-check.png)",
     Source::CommandLine},
    {"fetch", "NAME|FILE", "Download the files of this model, as its .model file says, and end",
     Source::CommandLine},
    {"from", "URL|FILE", "For --fetch: take them from there; once for each file, in its order",
     Source::CommandLine, true},
    {"try", "NAME|FILE", nullptr, Source::CommandLine},
    {"list", nullptr, "List the models that are found, and end", Source::CommandLine},
    {"version", nullptr, "Print the version, and end", Source::CommandLine}};

/** The options that were given, with their values as text. */
class Given {
 public:
  explicit Given(const std::vector<std::string>& arguments) {
    readArguments(arguments);
    file_ = text("config");
    if (!file_.empty()) readFile();
    // An unset shell variable must not open the server.
    for (const auto& [name, texts] : texts_)
      if (std::ranges::count(texts, "") > 0) fail(name, "is empty");
  }

  bool has(const std::string& name) const { return texts_.contains(name); }

  /** The last value. Empty if the option was not given. */
  std::string text(const std::string& name) const {
    return has(name) ? texts_.at(name).back() : "";
  }

  std::vector<std::string> list(const std::string& name) const {
    return has(name) ? texts_.at(name) : std::vector<std::string>{};
  }

  int number(const std::string& name, int least, int most, int otherwise) const {
    if (!has(name)) return otherwise;
    const std::string value = text(name);
    const char* const end = value.data() + value.size();
    int number = 0;
    const auto parsed = std::from_chars(value.data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end || number < least || number > most)
      fail(name, "'" + value + "' is not a number between " + std::to_string(least) + " and " +
                     std::to_string(most));
    return number;
  }

  bool on(const std::string& name) const {
    if (!has(name)) return false;
    const std::string value = text(name);
    if (value != "true" && value != "false")
      fail(name, "'" + value + "' is neither true nor false");
    return value == "true";
  }

  [[noreturn]] void fail(const std::string& name, const std::string& why) const {
    if (ofFile_.contains(name)) throw Error(file_ + ": [" + kGroup + "] " + name, why);
    throw WrongUse("--" + name + ": " + why);
  }

 private:
  void readArguments(const std::vector<std::string>& arguments) {
    std::vector<GOptionEntry> entries;
    for (const Option& option : kOptions)
      entries.push_back({option.name, option.letter,
                         (option.argument ? G_OPTION_FLAG_FILENAME : G_OPTION_FLAG_NO_ARG) |
                             (option.help ? 0 : G_OPTION_FLAG_HIDDEN),
                         G_OPTION_ARG_CALLBACK, reinterpret_cast<gpointer>(&Given::take),
                         option.help, option.argument});
    entries.push_back({});
    GOptionGroup* group = g_option_group_new("main", "", "", this, nullptr);
    g_option_group_add_entries(group, entries.data());
    const Ref<GOptionContext> context(g_option_context_new("- serve models over HTTP"));
    g_option_context_set_main_group(context.get(), group);
    std::vector<gchar*> copied;
    for (const std::string& argument : arguments) copied.push_back(g_strdup(argument.c_str()));
    copied.push_back(nullptr);
    gchar** left = static_cast<gchar**>(g_memdup2(copied.data(), copied.size() * sizeof(gchar*)));
    GError* error = nullptr;
    const bool parsed = g_option_context_parse_strv(context.get(), &left, &error);
    const std::string stray = parsed && left[0] && left[1] ? left[1] : "";
    g_strfreev(left);
    if (!parsed) throw WrongUse(takeReason(error));
    if (!stray.empty()) throw WrongUse("unexpected argument '" + stray + "'");
  }

  static gboolean take(const gchar* spelled, const gchar* value, gpointer self, GError**) {
    const auto* const option = std::ranges::find_if(kOptions, [spelled](const Option& each) {
      return spelled[1] == '-' ? !std::strcmp(spelled + 2, each.name) : spelled[1] == each.letter;
    });
    auto& texts = static_cast<Given*>(self)->texts_[option->name];
    if (!option->many) texts.clear();
    texts.emplace_back(value ? value : "true");
    return TRUE;
  }

  void readFile() {
    const KeyFile keys(file_);
    for (const std::string& group : keys.groups())
      if (group != kGroup)
        throw Error(file_ + ": [" + group + "]",
                    std::string("unknown group (the only one is [") + kGroup + "])");
    for (const std::string& name : keys.keys(kGroup)) readKey(keys, name);
  }

  void readKey(const KeyFile& keys, const std::string& name) {
    std::string known;
    const Option* option = nullptr;
    for (const Option& each : kOptions) {
      if (each.source != Source::Both) continue;
      known += (known.empty() ? "" : ", ") + std::string(each.name);
      if (name == each.name) option = &each;
    }
    if (!option)
      throw Error(file_ + ": [" + kGroup + "] " + name, "unknown key (the keys are " + known + ")");
    // The command line wins.
    if (has(name)) return;
    ofFile_.insert(name);
    auto& texts = texts_[name];
    if (option->many)
      texts = keys.list(kGroup, name);
    else
      texts = {keys.find(kGroup, name).value()};
    if (texts.empty()) fail(name, "is empty");
  }

  std::string file_;
  std::map<std::string, std::vector<std::string>> texts_;
  std::set<std::string> ofFile_;
};

/** Fails for an option that is given without the one that it needs. */
void checkPairs(const Given& given) {
  for (const auto& [name, needed] : {std::pair("tls-cert", "tls-key"),
                                     {"tls-key", "tls-cert"},
                                     {"client-ca", "tls-cert"},
                                     {"from", "fetch"},
                                     {"picture", "check"},
                                     {"output", "check"}})
    if (given.has(name) && !given.has(needed))
      given.fail(name, std::string("is nothing without ") + needed);
  for (const char* const task : {"check", "fetch"})
    for (const char* const other : {"model", "config"})
      if (given.has(task) && given.has(other))
        given.fail(other, std::string("is nothing beside --") + task + ", which names its model");
  if (given.has("check") && given.has("fetch"))
    given.fail("check", "is another thing than --fetch (fetch first)");
}

}  // namespace

Options parseOptions(const std::vector<std::string>& arguments) {
  const Given given(arguments);
  checkPairs(given);
  Options options{.models = given.list("model"),
                  .jsonFile = given.text("json"),
                  .logFile = given.text("log"),
                  .tokenFile = given.text("token-file"),
                  .announce = given.on("announce"),
                  .openVinoFolder = given.text("openvino-dir"),
                  .loadTimeout = std::chrono::seconds(given.number("load-timeout", 1, 86400, 600)),
                  .check = given.text("check"),
                  .picture = given.text("picture"),
                  .output = given.text("output"),
                  .fetch = given.text("fetch"),
                  .from = given.list("from"),
                  .trial = given.text("try"),
                  .list = given.on("list"),
                  .version = given.on("version")};
  ServerOptions& server = options.server;
  server.port = static_cast<std::uint16_t>(given.number("port", 0, 65535, 8000));
  if (given.has("bind")) server.bind = given.text("bind");
  server.tlsCert = given.text("tls-cert");
  server.tlsKey = given.text("tls-key");
  server.clientCa = given.text("client-ca");
  server.threads = given.number("threads", 1, 256, server.threads);
  server.queue =
      static_cast<std::size_t>(given.number("queue", 0, 10000, static_cast<int>(server.queue)));
  server.showAnswers = given.on("show-answers");
  if (options.models.empty() && hasHog()) options.models = {"hog"};
  if (options.models.empty() && options.check.empty() && options.fetch.empty() &&
      options.trial.empty() && !options.list && !options.version)
    given.fail("model", "is missing, and this build lacks hog (give one that --list names)");
  return options;
}

}  // namespace elf::program
