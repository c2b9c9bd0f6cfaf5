// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfpipelinefile.h"

#include <gst/gst.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include "elf/base/error.h"
#include "elf/base/key_file.h"
#include "elf/base/text_file.h"
#include "gst/elfvision/gstelfref.h"

namespace elf::gst {

namespace {

constexpr std::string_view kMainGroup = "pipeline";
constexpr std::string_view kVariableGroup = "variable ";

void allowOnly(const KeyFile& file, const std::string& group,
               const std::set<std::string_view>& keys) {
  for (const std::string& key : file.keys(group))
    if (!keys.contains(key))
      throw Error(file.path(), "group [" + group + "] has an unknown key '" + key + "'");
}

bool isNameCharacter(char c) {
  return g_ascii_isalnum(c) || c == '_' || c == '-';
}

bool isPlain(char c) {
  return isNameCharacter(c) || c == '.' || c == '/';
}

/** A section of a launch line: literal text, or a use of a variable. */
struct Piece {
  enum Kind {
    Literal,
    PropertyValue,  ///< {NAME} inside an unquoted `key=...`
    WholeProperty,  ///< {NAME} is the whole text after `key=`
    Bare            ///< {NAME} anywhere else
  };
  Kind kind;
  /** The literal text, or the variable's name. */
  std::string text;
};

/**
 * Cuts a launch line at its variables. Follows gst_parse_launch()'s rules as far as needed: a token
 * ends at white space, `key=` begins a property's value, and a token such as `video/x-raw` begins
 * caps, which end only at `!`.
 */
class LaunchScanner {
 public:
  LaunchScanner(const std::string& path, const std::string& launch)
      : path_(path), launch_(launch) {}

  std::vector<Piece> scan() {
    while (at_ < launch_.size()) step();
    if (quote_) fail(std::string("has no closing ") + quote_);
    endLiteral();
    return std::move(pieces_);
  }

 private:
  void step() {
    const char c = launch_[at_];
    const char next = at_ + 1 < launch_.size() ? launch_[at_ + 1] : '\0';
    if ((c == '{' || c == '}') && next == c) {
      take(c);
      at_ += 2;
    } else if (c == '{') {
      variable();
    } else if (c == '}') {
      fail("has a '}' without its '{' (a literal one is written '}}')");
    } else if (c == '\\' && next) {
      take(c);
      take(next);
      at_ += 2;
    } else {
      plainCharacter(c);
      ++at_;
    }
  }

  void plainCharacter(char c) {
    if (quote_) {
      if (c == quote_) quote_ = '\0';
    } else if (c == '"' || c == '\'') {
      quote_ = c;
    } else if (g_ascii_isspace(c)) {
      token_.clear();
      literal_ += c;
      return;
    } else if (c == '!') {
      token_.clear();
      literal_ += c;
      inCaps_ = false;
      return;
    }
    take(c);
    if (c == '/' && token_.size() > 1 &&
        std::all_of(token_.begin(), token_.end() - 1, isNameCharacter))
      inCaps_ = true;
  }

  void variable() {
    const std::size_t end = launch_.find('}', at_);
    const std::string name = launch_.substr(at_ + 1, end == launch_.npos ? end : end - at_ - 1);
    if (end == launch_.npos || name.empty() ||
        !std::all_of(name.begin(), name.end(), isNameCharacter))
      fail("has a '{' that begins no {NAME} (a literal one is written '{{')");
    if (quote_) fail("has {" + name + "} inside quotes; leave the quotes out");
    at_ = end + 1;
    Piece::Kind kind = Piece::Bare;
    if (!inCaps_ && inProperty()) {
      const bool begins = token_.back() == '=';
      const bool ends = at_ == launch_.size() || g_ascii_isspace(launch_[at_]);
      kind = begins && ends ? Piece::WholeProperty : Piece::PropertyValue;
    }
    endLiteral();
    pieces_.push_back({kind, name});
    token_ += 'x';
  }

  // Whether the token so far is `key=` with or without a beginning of its value.
  bool inProperty() const {
    const std::size_t equals = token_.find('=');
    return equals != token_.npos && equals > 0 &&
           std::all_of(token_.begin(), token_.begin() + static_cast<std::ptrdiff_t>(equals),
                       [](char c) { return isNameCharacter(c) || c == ':'; });
  }

  void take(char c) {
    literal_ += c;
    token_ += c;
  }

  void endLiteral() {
    if (!literal_.empty()) pieces_.push_back({Piece::Literal, literal_});
    literal_.clear();
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(path_, "key 'launch' of group [pipeline] " + what);
  }

  const std::string& path_;
  const std::string& launch_;
  std::size_t at_ = 0;
  std::vector<Piece> pieces_;
  std::string literal_;
  /** The text since the last white space. */
  std::string token_;
  char quote_ = '\0';
  bool inCaps_ = false;
};

// Backslashes work everywhere in an unquoted value, even where quotes would not.
std::string escaped(const std::string& value) {
  std::string out;
  for (const char c : value) {
    if (!isPlain(c) && static_cast<unsigned char>(c) < 0x80) out += '\\';
    out += c;
  }
  return out;
}

std::string asWholeProperty(const std::string& value) {
  if (value.empty()) return "\"\"";
  if (value.front() != '"' && value.back() != '\\') return escaped(value);
  // GStreamer unquotes a string with a leading quote once more. A backslash at the end joins the
  // white space behind it, even if escaped. So such a string gets its own quotes.
  GValue boxed = G_VALUE_INIT;
  g_value_init(&boxed, G_TYPE_STRING);
  g_value_set_string(&boxed, value.c_str());
  const Ref<gchar> wrapped(gst_value_serialize(&boxed));
  g_value_unset(&boxed);
  return escaped(wrapped.get());
}

std::string asText(Piece::Kind kind, const std::string& name, const std::string& value) {
  const auto isControl = [](char c) { return g_ascii_iscntrl(c); };
  if (std::any_of(value.begin(), value.end(), isControl))
    throw Error("variable '" + name + "'", "a value can't hold line breaks or control characters");
  switch (kind) {
    case Piece::WholeProperty:
      return asWholeProperty(value);
    case Piece::PropertyValue:
      if (value.ends_with('\\'))
        throw Error("variable '" + name + "'", "a value can't end in a backslash here");
      return escaped(value);
    default:
      if (value.empty() || !std::all_of(value.begin(), value.end(), isPlain))
        throw Error("variable '" + name + "'",
                    "'" + value +
                        "' can't be used: where the launch line uses it, a value holds only "
                        "letters, digits and _ - . /");
      return value;
  }
}

PipelineVariable readVariable(const KeyFile& keys, const std::string& group) {
  PipelineVariable variable;
  variable.name = trimmed(std::string_view(group).substr(kVariableGroup.size()));
  if (variable.name.empty() ||
      !std::all_of(variable.name.begin(), variable.name.end(), isNameCharacter))
    throw Error(keys.path(),
                "group [" + group + "]: a variable's name holds only letters, digits, _ and -");
  allowOnly(keys, group, {"default", "help"});
  variable.initial = keys.find(group, "default");
  variable.help = keys.find(group, "help").value_or("");
  return variable;
}

void checkUse(const PipelineFile& file) {
  std::set<std::string> unused;
  for (const PipelineVariable& variable : file.variables) unused.insert(variable.name);
  const std::set<std::string> known = unused;
  for (const Piece& piece : LaunchScanner(file.path, file.launch).scan()) {
    if (piece.kind == Piece::Literal) continue;
    if (!known.contains(piece.text))
      throw Error(file.path, "key 'launch' of group [pipeline] uses {" + piece.text +
                                 "}, but there is no group [variable " + piece.text + "]");
    unused.erase(piece.text);
  }
  if (!unused.empty())
    throw Error(file.path, "variable '" + *unused.begin() + "' is not used in 'launch'");
}

}  // namespace

PipelineFile readPipelineFile(const std::string& path) {
  const KeyFile keys(path);
  PipelineFile file;
  file.path = path;
  for (const std::string& group : keys.groups())
    if (group == kMainGroup)
      allowOnly(keys, group, {"description", "launch"});
    else if (group.starts_with(kVariableGroup))
      file.variables.push_back(readVariable(keys, group));
    else
      throw Error(path, "unknown group [" + group + "]");
  const std::string main(kMainGroup);
  file.description = keys.find(main, "description").value_or("");
  file.launch = keys.find(main, "launch").value_or("");
  if (file.launch.empty()) throw Error(path, "group [pipeline] has no key 'launch'");
  checkUse(file);
  return file;
}

std::string launchLine(const PipelineFile& file, const std::map<std::string, std::string>& values) {
  std::map<std::string, std::optional<std::string>> all;
  for (const PipelineVariable& variable : file.variables) all[variable.name] = variable.initial;
  for (const auto& [name, value] : values) {
    const auto known = all.find(name);
    if (known == all.end()) {
      std::string names;
      for (const PipelineVariable& variable : file.variables)
        names += (names.empty() ? "" : ", ") + variable.name;
      throw Error(file.path, "unknown variable '" + name + "'" +
                                 (names.empty() ? "; it has none" : "; it has " + names));
    }
    known->second = value;
  }
  std::string line;
  for (const Piece& piece : LaunchScanner(file.path, file.launch).scan()) {
    if (piece.kind == Piece::Literal) {
      line += piece.text;
      continue;
    }
    const std::optional<std::string>& value = all.at(piece.text);
    if (!value)
      throw Error(file.path,
                  "variable '" + piece.text + "' has no default: give " + piece.text + "=...");
    line += asText(piece.kind, piece.text, *value);
  }
  return line;
}

}  // namespace elf::gst
